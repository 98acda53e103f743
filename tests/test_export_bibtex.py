from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.export import export_papers
from rag.export.bibliography import Keys, Name, name_of
from rag.export.tex import escape_tex, keep_verbatim
from rag.schema import Paper
from tests.hostile import HOSTILE, hostile_paper
from tests.test_export_round_trips import SIGNS

PAPER = Paper("a" * 16, "Grokking", "It costs $5. Loss is $O(n)$ here. We find more.", year=2023)
KNOWN = replace(
    PAPER,
    title="100% of $5 & more_{x}",
    authors=("Müller, Jörg", "Rand and Sons"),
    venue="TACL",
    doi="10.1/x_y",
    arxiv_id="2301.00001",
)
texts = st.lists(st.sampled_from(SIGNS) | st.text(max_size=5), max_size=9).map(" ".join)

_PRINTED = {
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^",
    "textbraceleft": "{", "textbraceright": "}",
}  # fmt: skip


def bibtex(*papers: Paper) -> str:
    return "".join(export_papers(papers, "bibtex"))


def printed(tex: str) -> str:
    """What TeX prints of our escapes, with its formulas as they stand in the source."""
    found = re.sub(
        r"(?<!\\)(\$[^$]*\$)|\\([a-z]+)\{\}|\\([{}$&%#_])|[{}]|--|``|''|,,|<<|>>|[?!]`",
        lambda m: m[1] or (m[2] and _PRINTED[m[2]]) or m[3] or ("" if m[0] in "{}" else "LIGATURE"),
        tex,
    )
    assert found is not None
    return found


def test_it_holds_what_is_known_and_keys_differ() -> None:
    text = bibtex(KNOWN, KNOWN)
    assert "@article{muller2023100," in text
    assert "@article{muller2023100-2," in text
    assert r"title         = {{100\% of \$5 \& more\_\{x\}}}" in text
    assert "Müller, Jörg and {Rand and Sons}" in text
    assert "eprint        = {2301.00001}" in text
    assert "doi           = {10.1/x_y}" in text
    assert "abstract      = {It costs $5. Loss is $O(n)$ here. We find more.}" in text
    assert "author" not in bibtex(PAPER)


@pytest.mark.parametrize("text", [*HOSTILE, "}{", "{", "\\{ }", "\\", "a\nb", "@article{x,"])
def test_braces_balance_whichever_way_they_are_counted(text: str) -> None:
    entry = bibtex(hostile_paper(text))
    assert entry.count("{") == entry.count("}")
    unescaped = re.sub(r"\\[{}]", "", entry)
    assert unescaped.count("{") == unescaped.count("}")
    assert re.findall(r"^\s*@\w+", entry, re.MULTILINE) == ["@article"]


@given(texts)
def test_tex_prints_the_text_as_it_is(text: str) -> None:
    line = " ".join(text.split())
    if re.search("[\x00-\x1f\x7f-\x9f]", line):
        return
    assert printed(escape_tex(text)) == line


@given(texts)
def test_an_abstract_stays_one_value(text: str) -> None:
    depth = 0
    for brace in re.findall("[{}]", keep_verbatim(text)):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert not keep_verbatim(text).endswith("\\")


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("An $O(n^2)$ bound", "An $O(n^2)$ bound"),
        (r"$\epsilon$-greedy, $k$ arms", r"$\epsilon$-greedy, $k$ arms"),
        ("from $5 to $10", r"from \$5 to \$10"),
        ("US$5 and EU$", r"US\$5 and EU\$"),
        (r"$\input{/etc/passwd}$", r"\$\textbackslash{}input\{/etc/passwd\}\$"),
        (r"$x$\write18{ls}", r"$x$\textbackslash{}write18\{ls\}"),
        ("$a}$", r"\$a\textbraceright{}\$"),
    ],
)
def test_a_formula_stays_one_if_it_can_do_no_harm(text: str, tex: str) -> None:
    assert escape_tex(text) == tex


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("Ann Lee", Name("Lee", "Ann")),
        ("Jan van der Berg", Name("van der Berg", "Jan")),
        ("Berg, Jan", Name("Berg", "Jan")),
        ("Sammy Davis, Jr.", Name("Davis", "Sammy", "Jr.")),
        ("Sammy Davis Jr.", Name("Davis", "Sammy", "Jr.")),
        ("OpenAI", Name("OpenAI")),
        ("The ATLAS Collaboration", Name("The ATLAS Collaboration")),
        ("Rand and Sons", Name("Rand and Sons")),
        ("", Name("")),
        (",", Name(",")),
    ],
)
def test_names_come_in_parts(author: str, name: Name) -> None:
    assert name_of(author) == name


@given(st.lists(st.text(min_size=1), max_size=3), st.text(min_size=1), st.integers(1, 2100))
def test_a_key_is_plain_and_given_once(authors: list[str], title: str, year: int) -> None:
    paper = Paper("a" * 16, title, "An abstract.", tuple(authors), year)
    keys = Keys()
    given_ = [keys.give(paper) for _ in range(3)]
    assert len(set(given_)) == 3
    assert all(re.fullmatch(r"[a-z0-9]+(-\d+)?", key) for key in given_)
    assert Keys().give(paper) == given_[0]


def test_keys_tell_who_when_and_what() -> None:
    paper = Paper("a" * 16, "The Rise of “Grokking”", "", ("Łukasz Sørensen",), 2024)
    assert Keys().give(paper) == "sorensen2024rise"
    assert Keys().give(replace(paper, authors=("李雷",))) == "2024risegrokking"
    assert Keys().give(replace(paper, title="漢字", authors=(), year=None)) == "paper"
