"""The feeds of arXiv's API: saved and as they arrive, with their errors."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import FileError
from rag.ingest.formats import arxiv_atom
from rag.ingest.formats.arxiv_atom import Refusal, Total, entries
from rag.ingest.formats.xml_stream import Damage
from rag.ingest.reading import read_papers
from rag.schema import BadRecord, Place, Record
from tests.held_text import HeldText
from tests.makers import SHARED

REAL = SHARED / "bench" / "formats"

needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not in this checkout"
)

HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" \
xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
  <title>arXiv Query: search_query=all:cats</title>
  <opensearch:totalResults>214881</opensearch:totalResults>
"""
ERROR = """<entry><id>https://arxiv.org/api/errors#incorrect_id_format_for_1234</id>
<title>Error</title><summary>incorrect id format
for 1234</summary><author><name>arXiv api core</name></author></entry>"""


def entry(inner: str = "", arxiv_id: str = "2503.05378v2", summary: str = "A.") -> str:
    return (
        f"<entry><id>http://arxiv.org/abs/{arxiv_id}</id><title>T</title>"
        f"<published>2025-03-07T12:39:59Z</published><updated>2026-01-01T00:00:00Z</updated>"
        f"<summary>{summary}</summary>{inner}</entry>\n"
    )


def feed(*parts: str) -> str:
    return f"{HEAD}{''.join(parts)}</feed>\n"


def one(inner: str, **fields: str) -> Record:
    _, record = entries([feed(entry(inner, **fields))], "arXiv")
    assert isinstance(record, Record)
    return record


# Fields


def test_an_entry_gives_every_field() -> None:
    record = one(
        "<author><name>Peter H. N. de With</name><arxiv:affiliation>X</arxiv:affiliation></author>"
        "<author><name>ATLAS Collaboration, CERN</name></author>"
        '<link href="https://arxiv.org/abs/2503.05378v2" rel="alternate"/>'
        '<link href="https://arxiv.org/pdf/2503.05378v2" rel="related" title="pdf"/>'
        '<category term="cs.SE"/><arxiv:primary_category term="cs.SE"/>'
        "<arxiv:comment>5 pages</arxiv:comment><arxiv:doi>10.1000/A</arxiv:doi>"
        "<arxiv:journal_ref>J. Cats &amp; Dogs 3</arxiv:journal_ref>"
    )
    assert record == Record(
        title="T",
        abstract="A.",
        authors=("Peter H. N. de With", "ATLAS Collaboration, CERN"),
        year=2025,
        venue="J. Cats & Dogs 3",
        url="https://arxiv.org/abs/2503.05378v2",
        doi="10.1000/a",
        arxiv_id="2503.05378",
        source="arXiv",
        place=Place("arXiv", 5),
    )


def test_old_ids_missing_links_and_two_dois_in_one_field() -> None:
    record = one("<arxiv:doi>10.1000/a 10.1000/b</arxiv:doi>", arxiv_id="astro-ph/0601001v1")
    assert (record.arxiv_id, record.doi) == ("astro-ph/0601001", "10.1000/a")
    assert record.url == "http://arxiv.org/abs/astro-ph/0601001v1"


def test_latex_and_lines_of_an_abstract_stay_as_they_are() -> None:
    record = one("", summary="\n  We show $x &lt; 5\\%$\nand \\emph{more}.\n  Second.\n")
    assert record.abstract == "We show $x < 5\\%$\nand \\emph{more}.\n  Second."


def test_a_title_over_two_lines_is_one() -> None:
    text = feed(entry()).replace("<title>T</title>", "<title>A long\n  title</title>")
    assert [item.title for item in entries([text], "x") if isinstance(item, Record)] == [
        "A long title"
    ]


# What a fetcher sees


def test_the_total_comes_before_the_entries_as_they_arrive() -> None:
    arrived = []

    def arriving() -> list[str]:
        text = feed(*(entry() for _ in range(40)))
        return [text[at : at + 4096] for at in range(0, len(text), 4096)]

    chunks = arriving()

    def watched() -> object:
        for chunk in chunks:
            arrived.append(chunk)
            yield chunk

    items = entries(watched(), "arXiv")  # type: ignore[arg-type]
    assert next(items) == Total(214_881)
    assert isinstance(next(items), Record)
    assert len(arrived) == 1 < len(chunks)
    assert sum(isinstance(item, Record) for item in items) == 39


def test_an_error_is_a_refusal_in_arxivs_words() -> None:
    assert list(entries([feed(ERROR)], "x")) == [
        Total(214_881),
        Refusal(5, "incorrect id format for 1234"),
    ]
    bare = ERROR.replace("https://arxiv.org/api/errors#incorrect_id_format_for_1234", "none")
    assert isinstance(list(entries([feed(bare)], "x"))[1], Refusal)


def test_a_paper_called_error_is_a_paper() -> None:
    text = feed(entry()).replace("<title>T</title>", "<title>Error</title>")
    assert isinstance(list(entries([text], "x"))[1], Record)


def test_a_feed_that_is_cut_off_or_no_feed_at_all_is_a_damage() -> None:
    assert isinstance(list(entries([feed(entry())[:-9]], "x"))[-1], Damage)
    assert isinstance(list(entries([feed(entry())[:-20]], "x"))[-1], Damage)
    assert isinstance(list(entries(["Rate exceeded."], "x"))[-1], Damage)
    assert isinstance(list(entries([""], "x"))[-1], Damage)
    assert list(entries([feed()], "x")) == [Total(214_881)]


def test_declared_entities_are_refused() -> None:
    with pytest.raises(FileError, match="refused"):
        list(entries(["<!DOCTYPE feed [<!ENTITY a 'b'>]>", feed(entry())], "x"))


# Files


def read(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "feed"
    path.write_text(text)
    return [item.title if isinstance(item, Record) else str(item) for item in read_papers(path)]


def test_a_file_reports_errors_entries_without_abstract_and_damage(tmp_path: Path) -> None:
    broken = entry(summary="a & b")
    assert read(tmp_path, feed(ERROR + "\n", entry(summary=" "), broken, entry())) == [
        "feed:5: arXiv says: incorrect id format for 1234",
        'feed:8: no abstract for the title "T"',
        "feed:9: not valid XML: not well-formed (invalid token)",
        "T",
    ]


def test_a_feed_without_entries_says_so(tmp_path: Path) -> None:
    assert read(tmp_path, feed()) == ["feed: the feed holds no entries: arXiv found nothing"]


def test_another_atom_feed_is_not_taken_for_arxivs() -> None:
    assert not arxiv_atom.recognise("<feed xmlns='http://www.w3.org/2005/Atom'><entry/></feed>")


@given(st.text(), st.integers(1, 50))
def test_nothing_in_a_text_makes_reading_fail(text: str, size: int) -> None:
    list(entries([text[at : at + size] for at in range(0, len(text), size)], "x"))
    assert all(isinstance(item, BadRecord) for item in arxiv_atom.read(HeldText(text)))


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1))
@settings(deadline=None)
def test_an_abstract_comes_back_as_it_was_written(abstract: str) -> None:
    abstract = f"It {abstract}."  # "None" alone would say that there is none
    written = abstract.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    _, item = entries([feed(entry(summary=written))], "x")
    assert isinstance(item, Record)
    assert item.abstract == abstract


# Real files


@needs_real_files
def test_every_real_entry_is_read_as_it_stands_in_the_file() -> None:
    counted = []
    for path in sorted((REAL / "arxiv_atom").iterdir()):
        # Some of these were decoded wrongly once; the control characters left are not stored.
        raw = re.sub("[\x7f-\x9f]", " ", path.read_text(encoding="utf-8"))
        items = list(read_papers(path))
        stated = re.findall(r"<entry>(.*?)</entry>", raw, re.DOTALL)
        records = [item for item in items if isinstance(item, Record)]
        assert len(records) == len(stated)
        assert len(items) == max(1, len(stated))
        for record, text in zip(records, stated, strict=True):
            fields = dict(re.findall(r"<([\w:]+)>([^<]*)</", text))
            assert record.title == " ".join(unescape(fields["title"]).split())
            assert record.abstract == unescape(fields["summary"]).strip()
            assert fields["id"] in (
                f"http://arxiv.org/abs/{record.arxiv_id}v{version}" for version in range(1, 30)
            )
            assert str(record.year) == fields["published"][:4]
            assert record.doi == (fields.get("arxiv:doi") or "").lower() or record.doi is None
            assert (record.doi is None) == ("arxiv:doi" not in fields)
            assert (record.venue is None) == ("arxiv:journal_ref" not in fields)
            names = re.findall(r"<name>([^<]*)</name>", text)
            assert record.authors == tuple(unescape(name).strip() for name in names)
            assert raw.split("\n")[(record.place.line or 0) - 1].strip() == "<entry>"
        counted.append(len(stated))
        (total,) = (i for i in entries([raw], "x") if isinstance(i, Total))
        assert str(total.results) == re.findall(r"<opensearch:totalResults>(\d+)", raw)[0]
    assert counted == [0, 0, 1, 1, 100, 15, 10, 10, 10, 15]
