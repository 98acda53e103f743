from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from rag.adding import AddReport
from rag.events import Began, Pending, Stage, Told, Understood, Withdrawn
from rag.schema import (
    Answer,
    BadRecord,
    Citation,
    Claim,
    DeclineReason,
    Paper,
    Place,
    Status,
    Verdict,
)
from rag.store.history import ConversationSummary
from tests.hostile import HOSTILE, hostile_paper, read
from ui.page import docs, evidence, lists, start, turns
from ui.page.shelf import Shelf
from ui.page.talks import Talk, Turn
from ui.page.uploading import Step

PAPER = Paper("a" * 16, "Grokking", "It costs $5. Loss is $O(n)$ here. We find more.", year=2023)


def answer_of(paper: Paper, text: str = "It costs $5.", **fields: object) -> Answer:
    citation = Citation(1, paper, 0, 0, min(12, len(paper.abstract)))
    claim = Claim(text, (citation,), Verdict(Status.SUPPORTED, "T0 exact", "verbatim"))
    answer = Answer("What does it cost?", "What does it cost?", (claim,), None, "", (), (), "x")
    return replace(answer, **fields)  # type: ignore[arg-type]


def everything(text: str) -> list[str]:
    """All HTML that the page makes, every text of it the same."""
    paper = hostile_paper(text)
    citation = Citation(1, paper, 0, 0, len(paper.abstract))
    claims = tuple(
        Claim(text, (citation,), Verdict(status, text, text), f"{text}\n- {text}")
        for status in Status
    )
    answer = Answer(
        text, f"{text}!", claims, None, "", (), (), "x", notes=(text,), id=text, model=text
    )
    declined = replace(
        answer,
        claims=(),
        declined=DeclineReason.NOT_IN_COLLECTION,
        message=text,
        suggestions=(paper,),
    )
    now = turns.Progress(text).after([Understood(f"{text}?"), Told(claims[0]), Pending(text)])
    report = AddReport(skipped=(BadRecord(Place(text, 3), text),))
    summary = ConversationSummary(text, text, text, text, 2)
    route = {"description": text, "parameters": [{"name": text, "in": text}]}
    return [
        turns.answered(Turn(answer, good=False, comment=text), 1, text),
        turns.answered(Turn(declined), 1),
        turns.progress(now, 1),
        turns.stopped(now, 1),
        turns.failed(now, 1, text),
        turns.notice(text),
        start.start(start.Holdings(3, (text,), (text,)), text),
        lists.papers([paper], more=True, removable=True),
        lists.figures(Shelf(1, ((text, 1),), text)),
        lists.conversations([summary]),
        lists.step(Step(report=report)),
        lists.removed(paper),
        docs.docs({"paths": {text: {"get": route}}}, text)
        .split("<main>")[1]
        .replace("<pre>", "")
        .replace("<h1>", "")
        .replace("<code>", "")
        .replace("/openapi.json", "/api/"),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_wherever_it_is_shown(text: str) -> None:
    for html in everything(text):
        wrong, shown = read(html)
        assert wrong == []
        assert text.replace("\x00", "\ufffd").split("\n")[0][:6] in shown.replace("\x00", "\ufffd")


@settings(deadline=None)
@given(st.text())
def test_no_text_at_all_becomes_markup(text: str) -> None:
    for html in everything(text):
        assert read(html)[0] == []


@given(st.text(min_size=1), st.data())
def test_the_marks_of_a_quote_joined_are_the_quote(abstract: str, data: st.DataObject) -> None:
    paper = replace(PAPER, abstract=abstract)
    edge = st.integers(0, len(abstract))
    spans = data.draw(st.lists(st.tuples(edge, edge).map(sorted), max_size=4))
    citations = [Citation(1, paper, i, a, b) for i, (a, b) in enumerate(spans)]
    html = evidence.marked(abstract, citations)
    parts = html.split("<mark data-quotes=")
    marks = [part.split("</mark>")[0].split(">", 1) for part in parts[1:]]
    for citation in citations:
        name = evidence.quote_name(citation)
        ours = [text for names, text in marks if name in names.strip('"').split()]
        assert read("".join(ours))[1] == read(str(Markup.escape(citation.quote)))[1]
    assert read(html)[1] == read(str(Markup.escape(abstract)))[1]


def test_a_footnote_names_its_card_and_every_quote_of_its_paper() -> None:
    first, second = Citation(2, PAPER, 0, 0, 12), Citation(2, PAPER, 1, 13, 33)
    claim = Claim("x", (first, second), Verdict(Status.SUPPORTED, "T0", "so"))
    html = evidence.footnotes(claim, 7)
    assert html.count("<a ") == 1
    assert 'data-card="card-7-2"' in html
    assert 'data-quotes="2-0-12 2-13-33"' in html
    assert ">2</a>" in html


@pytest.mark.parametrize("status", list(Status))
def test_a_verdict_is_told_by_more_than_colour_and_gives_its_reason(status: Status) -> None:
    html = evidence.verdict(Verdict(status, "T1 numbers", "76% is not 67%"))
    _, text = read(html)
    assert f"{status.capitalize()}." in text
    assert "76% is not 67%." in text
    assert "T1 numbers" in text
    signs = {s: read(evidence.verdict(Verdict(s, "", "")))[1][0] for s in Status}
    assert len(set(signs.values())) == 3


def test_prices_and_formulas_are_shown_as_they_stand() -> None:
    html = turns.answered(Turn(answer_of(PAPER)), 1)
    _, text = read(html)
    assert "It costs $5. Loss is $O(n)$ here. We find more." in text


def test_a_declined_answer_says_why_and_offers_the_nearest_papers() -> None:
    for reason, words in (
        (DeclineReason.NOT_IN_COLLECTION, "no paper of this collection is about it"),
        (DeclineReason.ABSTRACT_DOES_NOT_SAY, "its abstract does not say"),
    ):
        answer = answer_of(
            PAPER, claims=(), declined=reason, message="Not here.", suggestions=(PAPER,)
        )
        html = turns.answered(Turn(answer), 3)
        assert 'class="turn declined"' in html
        _, text = read(html)
        assert words in text
        assert "They do not answer the question" in text
        assert 'data-card="card-3-s1"' in html
        assert 'class="cite"' not in html


def test_bullets_and_line_breaks_of_leads_lay_an_answer_out() -> None:
    verdict = Verdict(Status.SUPPORTED, "", "")
    claims = (
        Claim("One.", (), verdict, "- From “A”: "),
        Claim("Two.", (), verdict, "\n- From “B”: "),
        Claim("Three.", (), verdict, "\n\nIn all: "),
    )
    html = turns.answered(Turn(answer_of(PAPER, claims=claims)), 1)
    assert html.count('class="item"') == 2
    assert html.count('class="paragraph"') == 1
    assert "- From" not in read(html)[1].split("Copy")[0]


def test_progress_follows_the_events() -> None:
    claim = answer_of(PAPER).claims[0]
    now = turns.Progress("q").after([Began(Stage.CHECKING), Told(claim), Pending("half a sen")])
    html = turns.progress(now, 1)
    assert "half a sen" in html
    assert "It costs $5." in html
    assert "Checking every sentence" in html
    assert "It costs" not in turns.progress(now.after([Withdrawn()]), 1)


def test_a_title_of_many_papers_is_a_topic_and_names_make_questions() -> None:
    titles = ["GeneGPT: tools for genes", "On language models", "Language models at last"] * 2
    assert start.topics(titles)[0] == "language models"
    asked = list(start.questions(titles))
    assert asked[0] == "What is GeneGPT?"
    assert asked == list(start.questions(titles))


def test_an_empty_collection_says_how_to_fill_it() -> None:
    assert "Add papers" in start.start(start.Holdings(0), None)


def test_what_an_add_skipped_is_listed_with_its_place() -> None:
    skipped = tuple(BadRecord(Place("x.jsonl", n), "no abstract") for n in range(60))
    _, text = read(lists.report(AddReport(added=1, skipped=skipped)))
    assert "60 skipped" in text
    assert "x.jsonl:1: no abstract" in text
    assert "and 10 more" in text


def test_past_turns_keep_their_places() -> None:
    talk = Talk("c", (Turn(answer_of(PAPER)), Turn(answer_of(PAPER))))
    html = turns.past(talk)
    assert 'data-turn="1"' in html
    assert 'data-card="card-2-1"' in html
