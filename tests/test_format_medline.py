"""MEDLINE and NBIB text: records, whole and broken."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.formats import medline
from rag.ingest.formats.medline import MAX_RECORD_CHARS
from rag.schema import Record
from tests.formats import comes_back, lines_without, read, read_as, reason_of, record_of

LAST = "\nPMID- 99\nTI  - Last\nAB  - It is fine.\n"


def test_a_record_has_its_fields_and_its_line(tmp_path: Path) -> None:
    record = record_of(
        tmp_path,
        "\nPMID- 28754806\nOWN - NLM\nDP  - 2018 Apr\nTI  - Impact of balloons: a \n"
        "      review.\nLID - 10.1136/A-2017 [doi]\nAID - x-2017 [pii]\n"
        "AB  - BACKGROUND: Flow is \n      critical. AIM - none.\nCI  - (c) 2018.\n"
        "FAU - Brinjikji, Waleed\nAU  - Brinjikji W\nFAU - Pereira, Vitor M\nAU  - Pereira VM\n"
        "CN  - The Group\nTA  - J Surg\nJT  - Journal of surgery\nPMC - PMC1\n",
        LAST,
    )
    assert record.place.line == 2
    assert record.title == "Impact of balloons: a review."
    assert record.abstract == "BACKGROUND: Flow is critical. AIM - none."
    assert record.authors == ("Waleed Brinjikji", "Vitor M Pereira", "The Group")
    assert (record.year, record.venue) == (2018, "Journal of surgery")
    assert record.doi == "10.1136/a-2017"
    assert record.url == "https://pubmed.ncbi.nlm.nih.gov/28754806/"


def test_records_of_pubmed_central_begin_with_pmc(tmp_path: Path) -> None:
    item = "PMC - PMC{0}\nPMID- {0}\nTI  - T{0}\nAB  - A.\nAID - 10.1/x{0} [doi]\n\n"
    records, _ = read(tmp_path, "\n" + item.format(1) + item.format(2))
    assert [(record.title, record.url, record.place.line) for record in records] == [
        ("T1", "https://pubmed.ncbi.nlm.nih.gov/1/", 2),
        ("T2", "https://pubmed.ncbi.nlm.nih.gov/2/", 8),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "PMID- 1\nTI  - T\nAB  - A one.\n      Two.\n",
        "PMID-1\nTI- T\nAB -A one.\n      Two.\n",
        "PMID- 1\r\nTI  - T\r\nAB  - A one.\r\nTwo.\r\n",
        "PMID- 1\nTI  - T\n\nAB  - A one.\n      Two.\n",
        "PMID- 1\nTI  - T\nAB  - \nOAB - Publisher: A one. Two.\n",
        "PMID- 1\nBTI - T\nAB  - A one. Two.\n",
        "PMID- 1\nTI  - T\nAB  - A one. Two.\nOAB - Another.\n\nA line of no record\n",
        "PMID- 1\nOWN - NLM\nTI  - T\nAB  - A one. Two.",
    ],
)
def test_a_record_is_read_however_it_is_written(tmp_path: Path, content: str) -> None:
    record = record_of(tmp_path, content if content.endswith("\n") else content + "\n", LAST)
    assert (record.title, record.abstract) == ("T", "A one. Two.")


def test_records_follow_without_an_empty_line_too(tmp_path: Path) -> None:
    records, _ = read(tmp_path, "PMID- 1\nTI  - T\nAB  - A.\n" * 3)
    assert [record.place.line for record in records] == [1, 4, 7]


def test_short_names_are_given_name_first(tmp_path: Path) -> None:
    names = "AU  - Long V\nAU  - van der Berg AB Jr\nAU  - Plato\n"
    record = record_of(tmp_path, f"PMID- 1\nTI  - T\nAB  - A.\n{names}", LAST)
    assert record.authors == ("V Long", "AB van der Berg Jr", "Plato")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "PMID- 1\nTI  - T\nOAB - Publisher: Abstract available from the publisher.\n",
            '1: no abstract for the title "T"',
        ),
        (
            "PMC -22664230\nTI-\nBTI -    \nAB  - Old\nAB  - new\n",
            '1: no title for the abstract that begins "Old new"',
        ),
        ("PMID- 1\nPT  - Editorial\n", "1: neither title nor abstract: a paper needs both"),
        (
            "PMID- 1\nTI  - T\nAB  - A\n"
            + "      a\n" * (MAX_RECORD_CHARS // 11)
            + "PMID- 2\nMH  - x\n",
            "1: a record of more than 1,000,000 characters",
        ),
    ],
)
def test_a_damaged_record_costs_itself_and_is_reported(
    tmp_path: Path, content: str, reason: str
) -> None:
    assert reason_of(tmp_path, content, LAST) == reason


def test_a_record_that_the_damaged_end_of_a_gzip_file_cuts_is_not_given(tmp_path: Path) -> None:
    records = [f"PMID- {i}\nTI  - T{i}\nAB  - {i * 7919} {i * 104729}.\n" for i in range(9_000)]
    packed = gzip.compress("\n".join(records).encode())
    given_, (bad,) = read(tmp_path, packed[: len(packed) // 2])
    assert len(given_) > 1_000
    for i, record in enumerate(given_):
        assert (record.title, record.abstract) == (f"T{i}", f"{i * 7919} {i * 104729}.")
    assert "reading stopped here" in bad.reason


@pytest.mark.parametrize(
    "head",
    [
        "TI  - T\nAB  - A",
        "TY  - JOUR\nTI  - T\nER  - ",
        "PMID, title, abstract",
        "A-B - c\n",
        "Prose.\nPMID- 1\nTI  - T",
    ],
)
def test_other_text_is_no_medline(head: str) -> None:
    assert not medline.recognise(head)


PIECES = st.sampled_from(
    [
        "PMID- 1",
        "PMC - PMC1",
        "TI  - T",
        "AB  - A",
        "OAB - x",
        "FAU - a, b",
        "AU  - A B",
        "\n",
        "\n",
        " ",
        "      ",
        "text",
        "XXXX-",
        "\ufeff",
        "DP  - 20",
        "AID - 10.1/x [doi]",
        "é",
        "-",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join))
@settings(deadline=None)
def test_nothing_that_looks_like_medline_crashes_or_takes_the_next_record_down(
    content: str,
) -> None:
    last = read_as(medline.FORMAT, f"{content}\n{LAST}")[-1]
    assert isinstance(last, Record)
    assert last.title == "Last"


TEXTS = lines_without("\\&<$")


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_what_was_written_comes_back(title: str, abstract: str) -> None:
    wrapped = abstract.replace(" ", " \n      ")
    found = read_as(medline.FORMAT, f"PMID- 1\nTI  - {title}\nAB  - {wrapped}\n")[0]
    comes_back(found, title, abstract)
