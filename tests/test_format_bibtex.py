"""BibTeX and BibLaTeX: entries, whole and broken, LaTeX, names, and volumes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.formats import bibtex
from rag.ingest.formats.bibtex_entries import MAX_ENTRY_CHARS, MAX_STRING_CHARS
from rag.ingest.formats.bibtex_text import names, plain, unescaped
from rag.ingest.reading import read_papers
from rag.schema import BadRecord, Record
from tests.formats import comes_back, lines_without, read_as, reason_of, record_of

LAST = "\n@article{z, title = {Last}, abstract = {It is fine.}}\n"


def read(tmp_path: Path, content: str | bytes) -> list[Record | BadRecord]:
    path = tmp_path / "papers"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_papers(path))


# Entries


def test_an_entry_has_its_fields_and_its_line(tmp_path: Path) -> None:
    content = (
        "% Encoding: UTF-8\n\n@InProceedings{Fen2010,\n  Title = {From {BPEL} to Nets},\n"
        "  Author = {Fenz, Stefan and Mika van der {Wal}},\n  Booktitle = {Proc. of {X}},\n"
        "  Year = 2010, doi = {https://doi.org/10.1000/A\\_b}, url = {\\url{http://x.org/a\\_b}},\n"
        "  Abstract = {We compare\n\t\n\t two {N}ets,\n  and $x_{1}$ by 80\\%.},\n}\n"
    )
    (record,) = read(tmp_path, content)
    assert isinstance(record, Record)
    assert record.place.line == 3
    assert record.title == "From BPEL to Nets"
    assert record.abstract == "We compare two {N}ets, and $x_{1}$ by 80\\%."
    assert record.authors == ("Stefan Fenz", "Mika van der Wal")
    assert (record.year, record.venue) == (2010, "Proc. of X")
    assert (record.doi, record.url) == ("10.1000/a_b", "http://x.org/a_b")


@pytest.mark.parametrize(
    "entry",
    [
        "@article(k, title = {T}, abstract = {A (b)})",
        '@article{k, title="T", abstract="A (b)"}',
        "@ARTICLE{,TITLE={T},ABSTRACT={A (b)},}",
        "@article{title = {T}, abstract = {A (b)}}",
        "@article{Smith & Co (2000), title = {T}, abstract = {A (b)}}",
        "@article\n{k, title = {T}, abstract = {A (b)}}",
        ("  @ article { k , title = {{T}}, abstract = {{A (b)}} }"),
        "@article{k, title = {}, title = {T},, abstract = {A (b)}, year=}",
        "@article{k, Ключ = {x}, 3d = 3--4, title = {T}, abstract = {A (b)}, date = 2006-01}",
        "@article{k, title = T, abstract = {A (b)}}",
        '@article{k, title = "T", abstract = "A" # " (b)"}',
        "\ufeff@article{k, title = {T}, abstract = {A (b)}}",
    ],
)
def test_an_entry_is_read_however_it_is_written(tmp_path: Path, entry: str) -> None:
    record = record_of(tmp_path, entry, LAST)
    assert (record.title, record.abstract) == ("T", "A (b)")


def test_entries_in_one_line_are_read_one_by_one(tmp_path: Path) -> None:
    content = "".join(f"@article{{k{i}, title = {{T{i}}}, abstract = {{A.}}}} " for i in range(3))
    records = read(tmp_path, content)
    assert [isinstance(r, Record) and r.title for r in records] == ["T0", "T1", "T2"]


def test_strings_are_filled_in_and_grow_only_so_far(tmp_path: Path) -> None:
    content = '@string{nips = "NeurIPS"}\n@STRING(both = nips # { Workshop})\n'
    record = read(tmp_path, content + "@misc{k, title={T}, abstract={A}, journal = both # {s}}")[0]
    assert isinstance(record, Record)
    assert record.venue == "NeurIPS Workshops"
    bomb = f'@string{{a0 = "{"x" * (MAX_STRING_CHARS // 2)}"}}\n'
    bomb += "".join(f"@string{{a{i + 1} = {' # '.join([f'a{i}'] * 9)}}}\n" for i in range(30))
    record = read(tmp_path, bomb + "@misc{k, title={T}, abstract={A}, journal = a30}")[0]
    assert isinstance(record, Record)
    assert record.venue
    assert len(record.venue) <= MAX_STRING_CHARS


def test_comments_and_what_stands_between_entries_are_no_papers(tmp_path: Path) -> None:
    content = (
        "Notes of mine, me@example.org\n@comment{@article{c, title = {X}, abstract = {Y}}}\n"
        '@Comment this one has no braces\n@preamble{"\\newcommand{\\x}{y}"}\n'
        "% @article{d, title = {X}, abstract = {Y}}\n@Comment{jabref-meta: x:y\\;0;\n}\n"
    )
    assert record_of(tmp_path, content + "@book{k, title={T}, abstract={A}}", LAST).place.line == 8


def test_an_at_sign_in_an_abstract_does_not_begin_an_entry(tmp_path: Path) -> None:
    entry = "@misc{k, title={T}, abstract={Mail a@b.org,\n@home (x) or @foo{bar} now.}}"
    assert record_of(tmp_path, entry, LAST).abstract == "Mail a@b.org, @home (x) or @foo{bar} now."


def test_a_volume_lends_its_title_and_year(tmp_path: Path) -> None:
    content = (
        "@inproceedings{a, title={T}, abstract={A}, crossref={V1}}\n"
        "@proceedings{v1, title={Proc. of {X}}, year={1999}, abstract={Of the volume.}}\n"
    )
    child, volume = read(tmp_path, content)
    assert isinstance(child, Record)
    assert (child.venue, child.year, child.abstract) == ("Proc. of X", 1999, "A")
    assert isinstance(volume, Record)


def test_an_arxiv_id_is_found_where_exporters_put_it(tmp_path: Path) -> None:
    for entry in (
        "eprint={2001.00001}, archiveprefix={arXiv}",
        "journal={arXiv preprint arXiv:2001.00001}",
        "url={https://arxiv.org/abs/2001.00001}",
    ):
        record = record_of(tmp_path, f"@misc{{k, title={{T}}, abstract={{A}}, {entry}}}", LAST)
        assert (record.arxiv_id, record.year) == ("2001.00001", 2020), entry


# Broken entries


@pytest.mark.parametrize(
    "entry",
    [
        "@article{k, title={T}\n abstract={A.}\n year={2001}}",
        "@article{k, title={T},\n abstract={A.},\n year={2001},\n",
        "@article{k, title={T}, abstract={A.}, note = , year={2001}}",
        "@article{k, title={T}, abstract={A.}, year={2001}, note={x} y}, month={may}}",
    ],
)
def test_what_is_whole_in_a_broken_entry_is_read(tmp_path: Path, entry: str) -> None:
    record = record_of(tmp_path, entry, LAST)
    assert (record.title, record.abstract, record.year) == ("T", "A.", 2001)


NO_TITLE = "1: neither title nor abstract: a paper needs both"
NO_ABSTRACT = '1: no abstract for the title "T"'
NO_END = " (the entry does not end: a brace or a quotation mark is missing)"
GOES_ON = (
    " (its field 'abstract' is damaged: its value goes on after its end: check the braces and "
    "quotation marks)"
)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("@article{k, title={T, abstract={A.},\n year={2001}}", NO_TITLE + NO_END),
        ("@article{k, title={T},\n abstract={A {x.},\n year={2001}}", NO_ABSTRACT + NO_END),
        ("@article{k, title={T},\n abstract={A} and more},\n year={2}}", NO_ABSTRACT + GOES_ON),
        ("@article{k, abstract={A {x}} and more}, title={T}}", NO_ABSTRACT + GOES_ON),
        ("@article{k, title={T}, abstract={A}}, title={T}}", NO_ABSTRACT + GOES_ON),
        ("@article{k, title={T}, year={2001}}", NO_ABSTRACT),
        ("@article{k}", NO_TITLE),
    ],
)
def test_a_damaged_entry_costs_itself_and_is_reported(
    tmp_path: Path, entry: str, reason: str
) -> None:
    assert reason_of(tmp_path, entry, LAST) == reason


def test_an_entry_that_is_far_too_long_is_reported(tmp_path: Path) -> None:
    entry = "@article{k, title={T}, abstract={" + "a line\n" * (MAX_ENTRY_CHARS // 7 + 1)
    assert reason_of(tmp_path, entry, LAST) == (
        "1: an entry of more than 1,000,000 characters: is a brace missing?"
    )


def test_what_stands_before_a_damaged_end_of_a_gzip_file_is_given(tmp_path: Path) -> None:
    entries = [
        f"@misc{{k{i}, title={{T{i}}}, abstract={{{i * 104729} {i * 7919}}}, crossref={{v}}}}"
        for i in range(4_000)
    ]
    packed = gzip.compress("\n".join(entries).encode())
    items = read(tmp_path, packed[: len(packed) // 2])
    records = [item for item in items if isinstance(item, Record)]
    assert len(records) > 500
    assert [record.title for record in records] == [f"T{i}" for i in range(len(records))]
    assert isinstance(items[-1], BadRecord)
    assert "reading stopped here" in items[-1].reason


# LaTeX and names


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (
            r"{\"O}zge Fran{\c c}ois \v{S}kar{\'\i} \'{e}t\'e Na\"{\i}ve",
            "Özge François Škarí été Naïve",
        ),
        (r"Stra{\ss}e {\O}rsted {\L}ukasz {\aa} Erd{\H o}s", "Straße Ørsted Łukasz å Erdős"),
        (r"50% \& 20\% of \$5 x\_i \#1", "50% & 20% of $5 x_i #1"),
        (r"{{A {\LaTeX} study}} of \emph{it}", "A LaTeX study of it"),
        (r"On $\alpha_{1}$-divergence and {$L^{2}$}", r"On $\alpha_{1}$-divergence and $L^{2}$"),
        (r"\{a\} \textbackslash{}b \textasciitilde{}c", r"{a} \b ~c"),
        ("``So'' -- 1990--2000", "“So” – 1990–2000"),
        ("Models' 日本", "Models' 日本"),
        ("\\", "\\"),
        ("C\\", "C\\"),
        ("{", ""),
        ("H\\textsubscript{2}O", "H2O"),
        ("a\ufdd4b \\$", "a b $"),
    ],
)
def test_latex_in_a_title_becomes_text(latex: str, text: str) -> None:
    assert plain(latex) == text


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        (
            "{The {CGAL} Project} and Goossens, Jr., Michel and others",
            ("The CGAL Project", "Michel Goossens Jr."),
        ),
        (
            "van den Heuvel, Willem-Jan\n and Ludwig van Beethoven",
            ("Willem-Jan van den Heuvel", "Ludwig van Beethoven"),
        ),
        ("van Vugt, Arie, PhD", ("Arie van Vugt PhD",)),
        ("Sa, M. C.; Roe, A.", ("M. C. Sa", "A. Roe")),
        ("Ann Roe, Bo Jones, Cy Lee, Di Poe", ("Ann Roe", "Bo Jones", "Cy Lee", "Di Poe")),
        (
            "{Barnes and Noble, Inc.} AND {\\'E}va {\\v S}koda",
            ("Barnes and Noble, Inc.", "Éva Škoda"),
        ),
        ("", ()),
        ("and", ("and",)),
        ("unb{alanced, A", ("unbalanced, A",)),
    ],
)
def test_names_are_given_name_first(tmp_path: Path, author: str, expected: tuple[str, ...]) -> None:
    entry = f"@misc{{k, title={{T}}, abstract={{A}}, author={{{author}}}}}"
    if author.count("{") == author.count("}"):
        assert record_of(tmp_path, entry, LAST).authors == expected
    assert names(author) is not None


@pytest.mark.parametrize(
    ("latex", "abstract"),
    [
        (r"a \textbraceleft{} b", "a { b"),
        (r"\textbraceleft{}a\textbraceright{}", "{a}"),
        ("Mail {@}misc{x} to {@} me", "Mail @misc{x} to {@} me"),
        (r"{{a} {\textbf b}}", r"{a} {\textbf b}"),
        (r"\textbraceleft", r"\textbraceleft"),
    ],
)
def test_in_an_abstract_only_braces_that_nothing_counts_become_braces(
    tmp_path: Path, latex: str, abstract: str
) -> None:
    entry = f"@misc{{k, title={{T}}, abstract={{{latex}}}}}"
    assert record_of(tmp_path, entry, LAST).abstract == abstract


def test_addresses_lose_their_escapes() -> None:
    assert unescaped(r"\url{http://a.org/{\textasciitilde}b\_c\%20}") == "http://a.org/~b_c%20"


# Files


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_encodings_are_told_by_content(tmp_path: Path, encoding: str) -> None:
    content = (
        "@article{k,\r\n title = {Über größere Bäume},\r\n abstract = {Schöne Bäume.}\r\n}\r\n"
    )
    (record,) = read(tmp_path, (content + "% more text \r\n" * 9).encode(encoding))
    assert isinstance(record, Record)
    assert (record.title, record.abstract) == ("Über größere Bäume", "Schöne Bäume.")


@pytest.mark.parametrize(
    "head",
    [
        "@dataclass(frozen=True)\nclass A:\n    pass\n",
        "@media (max-width: 3px) {}",
        '[{"bibtex": "\n@article{k, title"}]',
        "me@example.org {x, y}",
        "@user said (so)",
        "@",
        "@a{",
    ],
)
def test_other_text_with_at_signs_is_no_bibtex(head: str) -> None:
    assert not bibtex.recognise(head)


PIECES = st.sampled_from(
    [
        "@",
        "article",
        "{",
        "}",
        "(",
        ")",
        ",",
        "=",
        '"',
        "#",
        "\\",
        "\n",
        " ",
        "title",
        "abstract",
        "@misc{k,",
        "title={T}",
        "abstract={A}",
        "author={A and B, C}",
        "crossref={k}",
        "@string{",
        "%",
        "$",
        "~",
        "é",
        "\\'",
        "{\\i}",
        "@comment{",
        "\ufeff",
        "1",
        "and",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join))
@settings(deadline=None)
def test_nothing_that_looks_like_bibtex_crashes_or_takes_the_next_line_down(content: str) -> None:
    last = read_as(bibtex.FORMAT, f"{content}{LAST}")[-1]
    assert isinstance(last, Record)
    assert last.title == "Last"


TEXTS = lines_without("\\{}$~-`'&<@")


@given(TEXTS, TEXTS, st.sampled_from(("{%s}", "{{%s}}", '{"}%s{"}')))
@settings(deadline=None)
def test_what_was_written_comes_back(title: str, abstract: str, value: str) -> None:
    wrapped = abstract.replace(" ", "\n\t ")
    found = read_as(
        bibtex.FORMAT, f"@misc{{k,\n title = {{{title}}},\n abstract = {{{wrapped}}}}}{LAST}"
    )[0]
    comes_back(found, title, abstract)
