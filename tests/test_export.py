from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.export import escape_markdown, to_markdown
from rag.schema import Answer, Citation, Claim, DeclineReason, Paper, Status, Verdict

FIRST = Paper("p1", "One way", "Models learn. They forget too.", ("Ann Lee",), 2023)
SECOND = Paper("p2", "Another way", "Robots learn from videos.")
VERBATIM = Verdict(Status.SUPPORTED, "T0 exact", "verbatim")


def claim(paper: Paper, number: int, start: int, end: int, lead: str = "") -> Claim:
    citation = Citation(number, paper, 0, start, end)
    return Claim(citation.quote, (citation,), VERBATIM, lead)


def answer(*claims: Claim, question: str = "Who learns?") -> Answer:
    return Answer(question, question, claims, None, "", (), (), "extractive")


def test_the_bullets_of_a_list_answer_stay_bullets_on_lines_of_their_own() -> None:
    text = to_markdown(
        answer(
            claim(FIRST, 1, 0, 13, "- From “One way”: "),
            claim(FIRST, 1, 14, 30, " "),
            claim(SECOND, 2, 0, 25, "\n- From “Another way”: "),
        )
    )
    assert text.split("\n") == [
        "**Who learns?**",
        "",
        "- From “One way”: Models learn.[^1] They forget too.[^2]",
        "- From “Another way”: Robots learn from videos.[^3]",
        "",
        "[^1]: [1] *One way*, Ann Lee, 2023: “Models learn.”",
        "[^2]: [1] *One way*, Ann Lee, 2023: “They forget too.”",
        "[^3]: [2] *Another way*: “Robots learn from videos.”",
    ]


def test_paragraphs_of_an_answer_stay_paragraphs() -> None:
    text = to_markdown(
        answer(
            claim(FIRST, 1, 0, 13, "From “One way”: "),
            claim(SECOND, 2, 0, 25, "\n\nFrom “Another way”: "),
        )
    )
    assert "Models learn.[^1]\n\nFrom “Another way”: Robots" in text


def test_titles_and_quotes_cannot_bring_markup_with_them() -> None:
    evil = Paper(
        "p3",
        "<script>x</script> [a](b) **bold**\n# Head",
        "- ![i](j) `code`\n\n[^1]: forged",
        ("*Ann*",),
        venue="<b>V</b>",
        url="https://e.org/><script>",
    )
    lead = f"\n- From “{evil.title}”: "
    text = to_markdown(answer(claim(evil, 1, 0, len(evil.abstract), lead), question="_Who_ <i>?"))
    assert not re.search(r"(?<!\\)<(?!https://)", text)
    assert not re.search(r"(?<!\\)`", text)
    assert "\\[a\\](b) \\*\\*bold" in text
    assert not re.search(r"^#|^- !", text, re.MULTILINE)
    assert len(re.findall(r"^\[\^1\]: ", text, re.MULTILINE)) == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("- x", r"\- x"),
        ("1. x", r"1\. x"),
        ("===", r"\==="),
        ("# x", r"\# x"),
        ("a - b 1. c", "a - b 1. c"),
    ],
)
def test_text_does_not_begin_a_block(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@given(st.text())
def test_escaping_only_adds_backslashes(text: str) -> None:
    bare = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escape_markdown(text))
    assert bare == " ".join(text.split())


def test_a_declined_answer_lists_the_nearest_papers() -> None:
    reason = DeclineReason.NOT_IN_COLLECTION
    text = to_markdown(Answer("Why?", "Why?", (), reason, "Not here.", (SECOND,), (), "extractive"))
    assert text.split("\n")[2:] == ["Not here.", "", "Nearest papers:", "", "- *Another way*"]
