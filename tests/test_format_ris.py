"""RIS: records, whole and broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.ingest.formats import ris
from rag.ingest.formats.ris import MAX_RECORD_CHARS
from rag.schema import Record
from tests.formats import comes_back, lines_without, read_as, reason_of, record_of

LAST = "TY  - JOUR\nTI  - Last\nAB  - It is fine.\nER  - \n"


def test_a_record_has_its_fields_and_its_line(tmp_path: Path) -> None:
    record = record_of(
        tmp_path,
        "\n\n1.\nTY  - JOUR\nT1  - On things\nA1  - Marx, Karl\nA1  - Smith, Ann, Jr.\n"
        "A1  - Fanning E.\nA2  - Editor, An\nY1  - 2014//\nJF  - Lorem\nDO  - doi:10.1000/Abc\n"
        "UR  - http://example.org/a;b\nSP  -\nN2  - We do.\nER  -\n\n2.\n",
        LAST,
    )
    assert record.place.line == 4
    assert (record.title, record.abstract) == ("On things", "We do.")
    assert record.authors == ("Karl Marx", "Ann Smith Jr.", "Fanning E.")
    assert (record.year, record.venue) == (2014, "Lorem")
    assert (record.doi, record.url) == ("10.1000/abc", "http://example.org/a;b")


@pytest.mark.parametrize(
    "content",
    [
        "TY  - JOUR\nTI  - T\nAB  - A one.\n   Two.\nER  - \n",
        "TY  - JOUR\nTI  - T\nAB  - A one.\nTwo.\n",
        "TI  - T\nAB  - A one. Two.\nER  - \n",
        "TY  - JOUR\nTI  -T\nAB  - \nN2  - A one. Two.\nER  -\n",
        "TY - JOUR\nTI - T\nAB - A one. Two.\nER - \n",
        "\ufeffTY  - JOUR\r\nTI  - T\r\nAB  - A one. Two.\r\nER  - \r\n",
        "TY  - JOUR\nTI  - T\nN2  - A one. Two.\nAB  - A one. Two.\nER  - \n",
        "TY  - JOUR\n\nTI  - T\n\nAB  - A one.\n\nTwo.\n\nER  - \n",
        "Provider: X\nTY  - JOUR\nTI  - T\nAB  - A one. Two.\n",
    ],
)
def test_a_record_is_read_however_it_is_written(tmp_path: Path, content: str) -> None:
    record = record_of(tmp_path, content, LAST)
    assert (record.title, record.abstract) == ("T", "A one. Two.")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("JF  - J\nT1  - T\nER  -\n", '1: no abstract for the title "T"'),
        (
            "\nTY  - JOUR\nDO  - 10.1/x\nER  - \n",
            "2: neither title nor abstract: a paper needs both",
        ),
        ("TY  - JOUR\nAB  - Only this.\n", '1: no title for the abstract that begins "Only this."'),
        (
            "TY  - JOUR\nTI  - T\nAB  - " + "a line\n" * (MAX_RECORD_CHARS // 7 + 1) + "KW  - x\n",
            "1: a record of more than 1,000,000 characters: is its end (ER) missing?",
        ),
    ],
)
def test_a_damaged_record_costs_itself_and_is_reported(
    tmp_path: Path, content: str, reason: str
) -> None:
    assert reason_of(tmp_path, content, LAST) == reason


def test_an_arxiv_id_is_found_where_exporters_put_it(tmp_path: Path) -> None:
    for line in (
        "AN  - arXiv:2001.00001",
        "UR  - https://arxiv.org/abs/2001.00001",
        "JO  - arXiv preprint arXiv:2001.00001",
    ):
        record = record_of(tmp_path, f"TY  - JOUR\nTI  - T\nAB  - A\n{line}\nER  - \n", LAST)
        assert record.arxiv_id == "2001.00001", line


@pytest.mark.parametrize(
    "head",
    [
        "TI  - T\nAB  - A",
        "PMID- 1\nTI  - T",
        "TY the thing",
        "title,abstract\nTY  - x,y",
        "Some prose.\n\nTY - not a record\nmore prose",
    ],
)
def test_other_text_is_no_ris(head: str) -> None:
    assert not ris.recognise(head)


PIECES = st.sampled_from(
    [
        "TY  - ",
        "TY - X",
        "ER  - ",
        "ER",
        "TI  - T",
        "AB  - A",
        "UR  - http://x",
        "AU  - a, b, c",
        "\n",
        "\n",
        " ",
        "text",
        "XX  -",
        "\ufeff",
        "PY  - 20",
        "DO  - 10.1/x",
        "é",
        "-",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join))
@example("ER  - TY  - \nTY  - ")
@example("TY  - JOUR\nER  - x\nAB  - y")
@settings(deadline=None)
def test_nothing_that_looks_like_ris_crashes_or_takes_the_next_record_down(content: str) -> None:
    last = read_as(ris.FORMAT, f"{content}\n{LAST}")[-1]
    assert isinstance(last, Record)
    assert last.title == "Last"


TEXTS = lines_without("\\&<$")


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_what_was_written_comes_back(title: str, abstract: str) -> None:
    wrapped = abstract.replace(" ", "\n      ")
    found = read_as(ris.FORMAT, f"TY  - JOUR\nTI  - {title}\nAB  - {wrapped}\nER  - \n")[0]
    comes_back(found, title, abstract)
