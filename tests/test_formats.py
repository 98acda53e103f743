"""The file formats: each recognised by content, read to records, and past what is broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.formats import FORMATS, recognised
from rag.ingest.formats.authors import authors_from
from rag.ingest.formats.daily_papers import is_chrome
from rag.ingest.formats.delimited import OWN_HEADER, guarded, unguarded
from rag.ingest.formats.fields import MAX_ABSTRACT_CHARS, field_name
from rag.ingest.formats.identifiers import arxiv_id_from, doi_from, year_of_arxiv_id
from rag.ingest.reading import read_papers
from rag.schema import BadRecord, Record

SAMPLE = Path(__file__).parents[1] / "data" / "daily_papers"
BENCH = Path(__file__).parents[2] / "shared" / "bench"
ABSTRACT = "We study a thing. " * 25 + "It works."


def read(tmp_path: Path, content: str | bytes) -> tuple[list[Record], list[BadRecord]]:
    """The records and the failures of a file with this content."""
    path = tmp_path / "papers"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    items = list(read_papers(path))
    return (
        [item for item in items if isinstance(item, Record)],
        [item for item in items if isinstance(item, BadRecord)],
    )


def one(tmp_path: Path, **fields: object) -> Record:
    """The record of a JSON object with these fields beside a title and an abstract."""
    content = json.dumps([{"title": "T", "abstract": "A."} | fields])
    (record,), bad = read(tmp_path, content)
    assert not bad
    return record


def titles(records: list[Record]) -> list[str]:
    return [record.title for record in records]


def reason(bad: BadRecord) -> str:
    return f"{bad.place.line}: {bad.reason}"


# Daily Papers


def test_the_sample_pages_hold_369_entries_of_306_papers() -> None:
    per_file: dict[str, list[Record]] = {}
    for item in read_papers(SAMPLE):
        assert isinstance(item, Record), item
        per_file.setdefault(item.source, []).append(item)
    assert [len(records) for records in per_file.values()] == [85, 66, 91, 50, 77]
    assert list(per_file) == sorted(f"daily_papers/{path.name}" for path in SAMPLE.iterdir())
    everything = [record for records in per_file.values() for record in records]
    assert len(everything) == 369
    assert len({(record.title, record.abstract) for record in everything}) == 306
    assert len({record.title for record in everything}) == 306
    pages = [{record.title for record in records} for records in per_file.values()]
    shared = {t for t in set().union(*pages) if sum(t in page for page in pages) > 1}
    assert len(shared) == 47


def test_every_sample_abstract_stands_verbatim_after_its_title_and_no_chrome_is_a_title() -> None:
    for record in read_papers(SAMPLE):
        assert isinstance(record, Record)
        page = (SAMPLE.parent / record.source).read_text(encoding="utf-8")
        assert record.place.line is not None
        lines = page.split("\n")
        assert lines[record.place.line - 1] == record.title
        assert f"{record.title}\n\n{record.abstract}" in page
        assert not is_chrome(record.title)
        assert len(record.abstract) > 1_000


PAGE = """Hugging Face

Models

Daily Papers

by AK and the research community

Mar 14, 2025

Submitted by

taesiri

123

LIMO: Less is More

· 12 authors

{abstract}

GitHub 1.2k

5

Submitted by akhaliq

Timo

{abstract}

3 comments

LIMO

+4

{abstract}
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_bylines_and_counters_between_entries_are_chrome(tmp_path: Path, newline: str) -> None:
    page = PAGE.format(abstract=ABSTRACT).replace("\n", newline)
    records, bad = read(tmp_path, page.encode())
    assert not bad
    assert titles(records) == ["LIMO: Less is More", "Timo", "LIMO"]
    assert {record.abstract for record in records} == {ABSTRACT}
    assert [record.place.line for record in records] == [17, 29, 35]


@pytest.mark.parametrize(
    "paragraph", ["new", "Subscribe", "Daily Papers", "byAK and the research community", "Jul 17",
     "17 July 2024", "by AK and the research community",
     "Get trending papers in your email inbox!", "by @akhaliq", "Submitted by",
     "Submitted by some_user", "12", "1.2k", "· 12 authors", "5 comments", "·", "—", "GitHub 1.3k",
     "Upvote 42", "View all", "Published on Mar 3", "2025-03-14", "Fri, Mar 14", "Week 9"],
)  # fmt: skip
def test_what_the_page_says_is_chrome(paragraph: str) -> None:
    assert is_chrome(paragraph)


@pytest.mark.parametrize(
    "title", ["LIMO", "Timo", "ICLR: In-Context Learning of Representations",
     "Gradient is All You Need?", "March of the Models", "10 Models in One", "New Methods",
     "Papers with Code", "2 OLMo 2 Furious", "GitHub Copilot at Work", "Community Notes",
     "Daily Dialogues"],
)  # fmt: skip
def test_a_short_title_is_not_chrome(title: str) -> None:
    assert not is_chrome(title)


def test_a_title_without_abstract_and_an_abstract_without_title_are_reported(
    tmp_path: Path,
) -> None:
    page = f"Daily Papers\n\nFirst\n\nSecond\n\n{ABSTRACT}\n\n{ABSTRACT}\n\nLast"
    records, bad = read(tmp_path, page)
    assert titles(records) == ["Second"]
    assert [reason(item)[:60] for item in bad] == [
        '3: no abstract for the title "First"',
        '9: no title for the abstract that begins "We study a thing. ',
        '11: no abstract for the title "Last"',
    ]


def test_a_short_abstract_counts_after_a_title_if_it_ends_a_sentence(tmp_path: Path) -> None:
    short = "We show that an abstract of one hundred and some characters is still taken for one."
    records, bad = read(tmp_path, f"Daily Papers\n\nTitle\n\n{short} After a title, it is.\n")
    assert titles(records) == ["Title"]
    assert not bad


def test_a_page_without_empty_lines_reads_too(tmp_path: Path) -> None:
    page = f"Daily Papers\n\nOne\n{ABSTRACT}\n12\nTwo\n{ABSTRACT}\n"
    records, bad = read(tmp_path, page)
    assert titles(records) == ["One", "Two"]
    assert not bad


def test_a_wrapped_abstract_keeps_its_lines(tmp_path: Path) -> None:
    wrapped = "\n".join(["We study a thing that is wrapped."] * 12)
    records, _ = read(tmp_path, f"Daily Papers\n\nTitle\n\n{wrapped}\n")
    assert records[0].abstract == wrapped


# JSON lines


def lines_of(*objects: object) -> str:
    return "\n".join(value if isinstance(value, str) else json.dumps(value) for value in objects)


def test_a_broken_line_is_reported_and_the_others_read(tmp_path: Path) -> None:
    content = lines_of(
        {"title": "One", "abstract": "A."},
        '{"title": "Two", "abstract": "A."',
        "",
        "[1, 2]",
        {"title": "Three", "abstract": " "},
        {"title": "Four", "abstract": "A.", "year": float("nan")},
        "7" * 5_000,
        '{"a":' * 100_000,
    )
    records, bad = read(tmp_path, content)
    assert titles(records) == ["One", "Four"]
    assert [reason(item)[:34] for item in bad] == [
        "2: not valid JSON: Expecting ',' d",
        "4: a JSON list, expected an object",
        '5: no abstract for the title "Thre',
        "7: not valid JSON: Exceeds the lim",
        "8: not valid JSON: maximum recursi",
    ]


def test_the_first_line_may_be_broken(tmp_path: Path) -> None:
    content = lines_of(
        '{"title": "One", ', *({"title": str(n), "abstract": "A."} for n in range(3))
    )
    records, bad = read(tmp_path, content)
    assert titles(records) == ["0", "1", "2"]
    assert [item.place.line for item in bad] == [1]


def test_a_line_over_ten_million_characters_is_skipped_and_counted(tmp_path: Path) -> None:
    long = json.dumps({"title": "Long", "abstract": "A" * 10_000_001})
    content = lines_of({"title": "One", "abstract": "A."}, long, {"title": "Two", "abstract": "A."})
    records, bad = read(tmp_path, content)
    assert titles(records) == ["One", "Two"]
    assert reason(bad[0]).startswith("2: a line of more than 10,000,000 characters")


def test_a_gzip_file_reads_like_the_file_in_it(tmp_path: Path) -> None:
    content = lines_of(*({"title": f"T{n}", "abstract": "A."} for n in range(1000)))
    assert read(tmp_path, gzip.compress(content.encode())) == read(tmp_path, content)


def test_of_a_damaged_gzip_file_what_is_whole_is_read_and_the_rest_reported(tmp_path: Path) -> None:
    objects = ({"title": f"T{n}", "abstract": f"Abstract {n * n}."} for n in range(5000))
    packed = gzip.compress(lines_of(*objects).encode())
    records, bad = read(tmp_path, packed[: len(packed) // 2])
    assert titles(records)[:2] == ["T0", "T1"]
    assert 1000 < len(records) < 4000
    assert "what follows is missing: the compressed file is damaged" in str(bad[-1])


# JSON documents


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda papers: papers,
        lambda papers: {"papers": papers},
        lambda papers: {"total": 3, "data": papers, "next": None},
        lambda papers: {"results": papers, "meta": {"title": "not a paper"}},
        lambda papers: {"Our Corpus": papers, "title": "Corpus", "tags": ["a"], "n": {"x": [{}]}},
    ],
)
def test_an_array_reads_bare_and_wrapped(tmp_path: Path, wrap: object, indent: int | None) -> None:
    papers = [{"title": f"T{n}", "abstract": "A.", "authors": [{"name": "Ann"}]} for n in range(3)]
    assert callable(wrap)
    records, bad = read(tmp_path, json.dumps(wrap(papers), indent=indent))
    assert titles(records) == ["T0", "T1", "T2"]
    assert not bad


def test_a_record_of_an_array_has_the_line_where_it_begins(tmp_path: Path) -> None:
    papers = [{"title": f"T{n}", "abstract": "A."} for n in range(3)]
    records, _ = read(tmp_path, json.dumps(papers, indent=1))
    assert [record.place.line for record in records] == [2, 6, 10]


def test_a_single_object_is_a_paper(tmp_path: Path) -> None:
    paper = {"authors": [{"name": "Ann"}], "title": "T", "abstract": "A."}
    for indent in (None, 2):
        (record,), bad = read(tmp_path, json.dumps(paper, indent=indent))
        assert (record.title, record.authors, bad) == ("T", ("Ann",), [])


def test_several_objects_one_after_another_are_papers(tmp_path: Path) -> None:
    text = "\n".join(json.dumps({"title": str(n), "abstract": "A."}, indent=2) for n in range(3))
    records, bad = read(tmp_path, text)
    assert titles(records) == ["0", "1", "2"]
    assert not bad


@pytest.mark.parametrize(
    "broken",
    [
        '{"title": "Bad", "abstract": "it says "no" here"}',
        '{"title": "Bad", "abstract": "unclosed}',
        '{"title": "Bad", "authors": [{"name": "A"}, {"name": "B"}], "abstract" "A."}',
        '{"title": "Bad", "abstract": }',
        '{"title": "Bad" "abstract": "A."}',
        '{"title": "Bad", "abstract": "A."',
        '{title: "Bad"}',
        '"' + "\\q" + '"',
    ],
)
@pytest.mark.parametrize("form", ["[{}]", '{{"papers": [{}], "total": 3}}', "[\n{}\n]"])
def test_a_broken_record_in_an_array_is_reported_and_the_rest_read(
    tmp_path: Path, broken: str, form: str
) -> None:
    good = [
        json.dumps({"title": f"T{n}", "abstract": "A.", "authors": [{"name": "A"}]})
        for n in range(6)
    ]
    text = form.format(",\n".join([*good[:3], broken, *good[3:]]))
    records, bad = read(tmp_path, text)
    assert titles(records) == [f"T{n}" for n in range(6)]
    assert len(bad) == 1
    assert bad[0].reason.startswith("not valid JSON: ")
    assert bad[0].place.line == (5 if form.startswith("[\n") else 4)


def test_broken_records_in_a_row_are_reported_one_by_one(tmp_path: Path) -> None:
    broken = [
        '{"id": 1, "title": "Bad" "abstract": "A."}',
        '{"title": "Bad", "abstract": "A}',
    ] * 2_000
    text = "[" + ",\n".join(['{"title": "T", "abstract": "A."}', *broken]) + "]"
    records, bad = read(tmp_path, text)
    assert titles(records) == ["T"]
    assert [item.place.line for item in bad[:4_000]] == list(range(2, 4_002))


def test_what_is_no_object_in_an_array_is_reported(tmp_path: Path) -> None:
    records, bad = read(tmp_path, '[null, {"title": "T", "abstract": "A."}, 7, "x", {}, []]')
    assert titles(records) == ["T"]
    assert [item.reason[:22] for item in bad] == [
        "a JSON null, expected ", "a JSON number, expecte", "a JSON string, expecte",
        "neither title nor abst", "a JSON list, expected ",
    ]  # fmt: skip


def test_an_array_that_ends_early_gives_its_papers_and_says_so(tmp_path: Path) -> None:
    records, bad = read(tmp_path, '[{"title": "T", "abstract": "A."},\n{"title": "U", "abs')
    assert titles(records) == ["T"]
    assert [reason(item) for item in bad] == ["2: not valid JSON: Unterminated string"]


def test_a_wrapped_array_that_ends_early_says_so_once(tmp_path: Path) -> None:
    whole = '{"papers": [{"title": "T", "abstract": "A."}'
    records, bad = read(tmp_path, whole + ',\n{"title": "U", "abs')
    assert titles(records) == ["T"]
    assert [reason(item) for item in bad] == ["2: not valid JSON: Unterminated string"]
    records, bad = read(tmp_path, whole + "\n")
    assert titles(records) == ["T"]
    assert [reason(item)[:25] for item in bad] == ["2: the list does not end,"]


def test_a_broken_last_record_does_not_hide_that_the_list_ends(tmp_path: Path) -> None:
    records, bad = read(tmp_path, '[{"title": "T", "abstract": "A."},\n{"title": "U" "abs"}]')
    assert titles(records) == ["T"]
    assert [reason(item) for item in bad] == ["2: not valid JSON: Expecting ',' delimiter"]


def test_what_is_no_object_is_named_as_json_names_it(tmp_path: Path) -> None:
    fine = '{"title": "T", "abstract": "A."}'
    content = lines_of(fine, fine, "null", "true", "false", "7", "7.5", '"x"', "[]", '{"title": "')
    _, bad = read(tmp_path, content)
    assert [item.reason.partition(",")[0] for item in bad[:-1]] == [
        f"a JSON {kind}" for kind in ("null", "true", "false", "number", "number", "string", "list")
    ]
    assert bad[-1].reason == "not valid JSON: Unterminated string starting at column 11"


def test_a_document_without_papers_says_so(tmp_path: Path) -> None:
    for document in ('{"message": {"items": []}, "status": "ok"}', '{"x": [1], "y": {"z": {}}}'):
        records, bad = read(tmp_path, document)
        assert not records
        assert [item.reason for item in bad] == ["holds no object with a title and an abstract"]


def test_a_large_array_streams_with_right_lines(tmp_path: Path) -> None:
    papers = [{"title": f"Título {n} 🎉", "abstract": "Ä" * (n * 7 % 997 + 1)} for n in range(4000)]
    records, bad = read(tmp_path, json.dumps(papers, indent=0, ensure_ascii=False))
    assert not bad
    assert titles(records) == [paper["title"] for paper in papers]
    assert [record.place.line for record in records] == [2 + 4 * n for n in range(4000)]


# CSV and TSV


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_delimiter_is_told_by_the_header(tmp_path: Path, delimiter: str, newline: str) -> None:
    rows = [
        ["ID", "Title", "Abstract", "Authors"],
        ["1", "One", '"A, b; c\td | e\nf ""g"""', '"Ann; Bo"'],
    ]
    text = newline.join(delimiter.join(row) for row in rows)
    (record,), bad = read(tmp_path, text.encode())
    assert record.abstract == 'A, b; c\td | e\nf "g"'
    assert record.authors == ("Ann", "Bo")
    assert record.place.line == 2
    assert not bad


def test_an_unclosed_quotation_mark_costs_one_row(tmp_path: Path) -> None:
    text = 'title,abstract,year\nOne,A.,2001\nTwo,"open,2002\nThree,A.,2003\nFour,"A, b.",2004\n'
    records, bad = read(tmp_path, text)
    assert titles(records) == ["One", "Two", "Three", "Four"]
    assert records[1].abstract == '"open'
    assert not bad
    text = 'title,abstract,year\nOne,A.,2001\nTwo,"open, too many, 2002\nThree,A.,2003\n'
    records, bad = read(tmp_path, text)
    assert titles(records) == ["One", "Three"]
    assert [item.place.line for item in bad] == [3]


def test_quotation_marks_inside_a_field_are_kept(tmp_path: Path) -> None:
    records, bad = read(tmp_path, 'title\tabstract\n"Yes"-men\tThey say "yes" to all.\n')
    assert records[0].title == '"Yes"-men'
    assert records[0].abstract == 'They say "yes" to all.'
    assert not bad


def test_a_row_with_too_many_fields_is_reported_and_missing_ones_are_unknown(
    tmp_path: Path,
) -> None:
    text = "title,abstract,year\nOne,A,b,2001\nTwo,A.\nThree,A.,2003,,\n,,\n\nFour,,2004"
    records, bad = read(tmp_path, text)
    assert titles(records) == ["Two", "Three"]
    assert [reason(item) for item in bad] == [
        "2: 4 fields, but the header names 3: quote the fields",
        '7: no abstract for the title "Four"',
    ]


def test_a_list_written_by_python_in_a_table_is_read(tmp_path: Path) -> None:
    records, _ = read(tmp_path, "title,abstract,authors\nT,A.,\"['Ann A', 'Bo O''B']\"\n")
    assert records[0].authors == ("Ann A", "Bo OB")


def test_a_table_of_our_own_is_read_as_it_was_before_it_was_written(tmp_path: Path) -> None:
    names = "'=Ann; Bo (Oggi); Rand and Sons; Lee, Cy"
    row = ("7", "'-T", "'" + "''+x", f'"{names}"', "2001", "'@v", "", "", "", "a.csv")
    (record,), bad = read(tmp_path, f"{','.join(OWN_HEADER)}\n{','.join(row)}\n")
    assert not bad
    assert (record.title, record.abstract, record.venue) == ("-T", "''+x", "@v")
    assert record.authors == ("=Ann", "Bo (Oggi)", "Rand and Sons", "Lee, Cy")


def test_in_another_table_an_apostrophe_is_part_of_the_text(tmp_path: Path) -> None:
    (record,), _ = read(tmp_path, "title,abstract\n'-T,'=x\n")
    assert (record.title, record.abstract) == ("'-T", "'=x")


@given(st.text("'=+-@\t\ra", max_size=5))
def test_a_guarded_cell_comes_back_and_is_no_formula(cell: str) -> None:
    assert unguarded(guarded(cell)) == cell
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


# Fields


@pytest.mark.parametrize(
    ("name", "known"),
    [("Publication Date", "publication_date"),
     ("publicationDate", "publication_date"), ("DOI", "doi"), ("journal-ref", "journal_ref"),
     (" Title ", "title"), ("arXivId", "ar_xiv_id"), ("\ufeffTitle", "title")],
)  # fmt: skip
def test_names_of_fields_are_compared_in_one_form(name: str, known: str) -> None:
    assert field_name(name) == known


def test_the_usual_names_are_taken_in_order_of_preference(tmp_path: Path) -> None:
    record = one(tmp_path, abstract="", summary="S.", publish_time="2003-01-13", Journal="J  of X",
                 link="http://x.org/a; http://y.org", update_date="2020-01-01")  # fmt: skip
    assert (record.abstract, record.year, record.venue) == ("S.", 2003, "J of X")
    assert record.url == "http://x.org/a"


@pytest.mark.parametrize(
    ("value", "year"),
    [(2019, 2019), ("2019", 2019), (2019.0, 2019),
     ("2019-05-01T00:00:00Z", 2019), ("May 2019", 2019), ("Thu, 22 Dec 2022 17:01:56 GMT", 2022),
     (1499, None), (2101, None), ("20190501", None), (1671721317, None), (True, None), ("", None),
     (None, None), ([2020], None)],
)  # fmt: skip
def test_a_year_is_four_digits_from_1500_to_2100(
    tmp_path: Path, value: object, year: int | None
) -> None:
    assert one(tmp_path, year=value).year == year


def test_the_year_of_an_arxiv_id_comes_before_that_of_an_update(tmp_path: Path) -> None:
    assert one(tmp_path, id="0704.0001", update_date="2019-05-01").year == 2007
    assert one(tmp_path, update_date="2019-05-01").year == 2019


@pytest.mark.parametrize(
    ("value", "doi"),
    [("https://doi.org/10.1000/ABC.1", "10.1000/abc.1"),
     ("http://dx.doi.org/10.1000/x", "10.1000/x"), ("doi:10.1000/x", "10.1000/x"),
     ("DOI: 10.1000/X(1)2", "10.1000/x(1)2"), ("10.1000/x y", None), ("11.1000/x", None),
     ("", None), (None, None)],
)  # fmt: skip
def test_a_doi_is_bare_and_in_lower_case(value: str | None, doi: str | None) -> None:
    assert doi_from(value) == doi


@pytest.mark.parametrize(
    ("value", "arxiv_id", "year"),
    [("2212.11867", "2212.11867", 2022),
     ("arXiv:2212.11867v3", "2212.11867", 2022),
     ("arXiv:2212.11867v2 [cs.CL]", "2212.11867", 2022), ("0704.0001", "0704.0001", 2007),
     ("http://arxiv.org/abs/2212.11867v1", "2212.11867", 2022), ("cs/0112017", "cs/0112017", 2001),
     ("https://arxiv.org/pdf/2212.11867v1.pdf", "2212.11867", 2022),
     ("math.gt/0309136", "math.GT/0309136", 2003), ("hep-th/9901001v2", "hep-th/9901001", 1999),
     ("10.48550/arXiv.2212.11867", "2212.11867", 2022), ("2213.11867", None, None),
     ("4983", None, None), ("2212.1186", None, None), ("acl2021:2021.acl-long.240", None, None),
     ("abc/0112017", None, None), ("10.1000/x", None, None), (None, None, None)],
)  # fmt: skip
def test_an_arxiv_id_is_bare_and_without_version(
    value: str | None, arxiv_id: str | None, year: int | None
) -> None:
    assert arxiv_id_from(value) == arxiv_id
    assert year_of_arxiv_id(arxiv_id) == year


def test_ids_are_read_out_of_addresses_too(tmp_path: Path) -> None:
    assert one(tmp_path, url="https://arxiv.org/abs/2212.11867v2").arxiv_id == "2212.11867"
    assert one(tmp_path, url="https://doi.org/10.1000%2FX").doi == "10.1000/x"
    assert one(tmp_path, doi="10.48550/arXiv.2212.11867").arxiv_id == "2212.11867"
    assert one(tmp_path, url="javascript:alert(1)").url is None


@pytest.mark.parametrize(
    ("value", "names"),
    [("Ann Smith, Bo Jones, Cy T. Roe", ["Ann Smith", "Bo Jones", "Cy T. Roe"]),
     ("Smith, Ann; Jones, Bo", ["Ann Smith", "Bo Jones"]),
     ("Mo Yu;Jinfeng Yi", ["Mo Yu", "Jinfeng Yi"]),
     ("Smith, Ann and Jones, Bo", ["Ann Smith", "Bo Jones"]),
     ("Ann Smith and Bo Jones", ["Ann Smith", "Bo Jones"]),
     ("Ann Smith, Bo Jones and Cy Roe", ["Ann Smith", "Bo Jones", "Cy Roe"]),
     ("Ann Smith, Bo Jones, and Cy Roe", ["Ann Smith", "Bo Jones", "Cy Roe"]),
     ("Gannon, Frank", ["Frank Gannon"]), ("Ann Smith, Bo Jones", ["Ann Smith", "Bo Jones"]),
     ("Ann Smith (MIT), Bo Jones (CMU)", ["Ann Smith", "Bo Jones"]),
     ("Ann Smith (MIT, US) (CMU) and Bo Jones (X)", ["Ann Smith", "Bo Jones"]),
     ("Al Ferdinand (MIT); Jones, Bo (CMU)", ["Al Ferdinand", "Bo Jones"]),
     ("(Oggi), Ann (Oggi) Lee and (Eve)", ["(Oggi)", "Ann (Oggi) Lee", "(Eve)"]),
     ("Alexander Anderson", ["Alexander Anderson"]),
     (["Ann Smith", "Jones, Bo", "Martin King, Jr."],
      ["Ann Smith", "Bo Jones", "Martin King, Jr."]),
     ([{"given": "Bo", "family": "Jones"}, {"firstName": "Cy", "lastName": "Roe"}, {"name": "Ann"}],
      ["Bo Jones", "Cy Roe", "Ann"]),
     ([{"author": {"display_name": "Ann"}}], ["Ann"]),
     ([["Jones", "Bo", "Jr."]], ["Bo Jones Jr."]), ('["Ann", "Bo"]', ["Ann", "Bo"]),
     ("[broken", ["[broken"]), (7, []), (None, []), ([None, 7], [])],
)  # fmt: skip
def test_authors_are_read_however_they_are_written(value: object, names: list[str]) -> None:
    assert [name for name in authors_from(value) if name] == names


@pytest.mark.parametrize(
    "text", ["a" + " " * 190_000 + "(", "a" + "(x)" * 60_000 + "y", "a ( " * 45_000]
)
def test_hostile_lists_of_authors_are_read_in_time(text: str) -> None:
    assert len(list(authors_from(text))) == 1


# What every format checks


def test_control_characters_become_spaces_and_nothing_else_changes(tmp_path: Path) -> None:
    record = one(
        tmp_path,
        title="A\x00 T\x1b[0m\n  le",
        abstract=" a\x00b\ttab\nline\x7f\x9f\ud800é\r\n end \n",
    )
    assert record.title == "A T [0m le"
    assert record.abstract == "a b\ttab\nline   é \n end"
    record.abstract.encode()


@pytest.mark.parametrize(
    ("length", "taken"), [(MAX_ABSTRACT_CHARS, 1), (MAX_ABSTRACT_CHARS + 1, 0)]
)
def test_an_abstract_may_have_a_hundred_thousand_characters(
    tmp_path: Path, length: int, taken: int
) -> None:
    records, bad = read(tmp_path, json.dumps([{"title": "T", "abstract": "a" * length}]))
    assert len(records) == taken
    for item in bad:
        assert "100,001 characters, at most 100,000 are taken (a full text?)" in item.reason
        assert '"T"' in item.reason


@pytest.mark.parametrize(("length", "taken"), [(1_000, 1), (1_001, 0)])
def test_a_title_may_have_a_thousand_characters(tmp_path: Path, length: int, taken: int) -> None:
    records, bad = read(tmp_path, json.dumps([{"title": "t" * length, "abstract": "A."}]))
    assert len(records) == taken
    for item in bad:
        assert "a title of 1,001 characters" in item.reason


@pytest.mark.parametrize("missing", ["", "  \n", None, "N/A", "nan", "No abstract available", 0.5])
def test_a_missing_abstract_is_named_with_its_title(tmp_path: Path, missing: object) -> None:
    records, bad = read(tmp_path, json.dumps([{"title": "The Title", "abstract": missing}]))
    if missing == 0.5:
        assert records[0].abstract == "0.5"
    else:
        assert bad[0].reason == 'no abstract for the title "The Title"'


def test_an_abstract_in_parts_is_joined(tmp_path: Path) -> None:
    assert one(tmp_path, abstract=["One. ", "Two."]).abstract == "One. Two."


@given(st.text())
@settings(deadline=None)
def test_recognising_never_fails(head: str) -> None:
    form = recognised(head)
    assert form is None or form in FORMATS


@pytest.mark.parametrize(
    "head", ["<?xml version='1.0'?>", "Some prose, with title and abstract.\n\nMore prose.",
     "[1] A. Smith. Title.", "title\nabstract", "%\n% x", ""],
)  # fmt: skip
def test_other_text_is_in_no_known_format(head: str) -> None:
    assert recognised(head) is None


# Real files


@pytest.mark.parametrize(
    ("file", "records", "bad"),
    [("formats/arxiv_jsonl", 49, 0), ("formats/csv", 1, 2), ("formats/paperlists_json", 100, 0),
     ("formats/semantic_scholar/Paper.json", 1, 0), ("scifact/corpus.jsonl.gz", 5183, 0),
     ("abstracts-50k.jsonl.gz", 50_000, 0)],
)  # fmt: skip
def test_real_files_read(file: str, records: int, bad: int) -> None:
    if not BENCH.exists():
        pytest.skip("the real files are not beside the repository")
    items = list(read_papers(BENCH / file))
    assert sum(isinstance(item, Record) for item in items) == records
    assert sum(isinstance(item, BadRecord) for item in items) == bad
