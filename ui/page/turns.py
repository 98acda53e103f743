"""A turn of a conversation as HTML: the question, what is being done, the answer.

Pure functions, escaping as in `ui.page.evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from markupsafe import Markup

from rag.events import Began, Event, Finished, Pending, Stage, Told, Understood, Withdrawn
from rag.schema import Answer, Claim, DeclineReason
from ui.page.evidence import card_name, cards, footnotes, verdict
from ui.page.exports import PAPER_FORMATS, plain_text
from ui.page.talks import Talk, Turn

_TURN = Markup(
    '<article class="turn {kind}" data-turn="{turn}" data-answer="{id}" aria-label="{label}">'
    '<h2 class="asked" dir="auto">{question}</h2>{alone}{body}</article>'
)
_ALONE = Markup('<p class="alone">Searched for: <span dir="auto">{}</span></p>')
_NOTE = Markup('<p class="note">{}</p>')
_STAGE = Markup(
    '<p class="stage" role="status"><span class="dots" aria-hidden="true"></span>{}…</p>'
)
_PENDING = Markup('<div class="pending" dir="auto">{}</div>')
_CLAIM = Markup('{lead}<span class="claim" data-status="{status}">{text}</span>{cites}{verdict} ')
_LEAD = Markup('<span class="lead">{}</span> ')
_PARAGRAPH = Markup('<div class="paragraph" dir="auto">{}</div>')
_ITEM = Markup('<div class="item" dir="auto">{}</div>')
_ANSWER = Markup('<div class="answer">{}</div>')
_DECLINED = Markup(
    '<div class="answer"><p class="why-not"><span aria-hidden="true">∅</span> <b>Not answered:</b> '
    '{reason}</p><p dir="auto">{message}</p>{nearest}</div>'
)
_NEAREST = Markup(
    '<p class="nearest">Nearest papers. They do not answer the question:</p><ul>{}</ul>'
)
_SUGGESTION = Markup(
    '<li><a class="suggestion" href="#{card}" data-card="{card}" dir="auto">{title}</a>{year}</li>'
)
_HIDDEN = Markup('<template class="{kind}">{content}</template>')
_ERROR = Markup('<p class="failed" role="alert">{}</p>')
_BUTTON = Markup('<button type="button" {attributes}>{text}</button>')
_REASONS = {
    DeclineReason.NOT_IN_COLLECTION: "no paper of this collection is about it",
    DeclineReason.ABSTRACT_DOES_NOT_SAY: "a paper is about it, but its abstract does not say",
}
_DOING = {
    Stage.SEARCHING: "Searching the collection",
    Stage.READING: "Reading the nearest abstracts",
    Stage.WRITING: "Writing",
    Stage.CHECKING: "Checking every sentence",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a question is: what was told, what is pending, what is being done."""

    question: str
    alone: str = ""
    claims: tuple[Claim, ...] = ()
    pending: str = ""
    doing: str = "Waiting"
    answer: Answer | None = field(default=None)

    def after(self, events: Sequence[Event]) -> Self:
        """The progress after some more events."""
        now = self
        for event in events:
            now = now._after(event)
        return now

    def _after(self, event: Event) -> Self:
        match event:
            case Understood(question):
                return replace(self, alone=question)
            case Began(stage):
                return replace(self, doing=_DOING[stage])
            case Pending(text):
                return replace(self, pending=text)
            case Told(claim):
                return replace(self, claims=(*self.claims, claim), pending="")
            case Withdrawn():
                return replace(self, claims=(), pending="")
            case Finished(answer):
                return replace(self, answer=answer)


def progress(now: Progress, turn: int) -> Markup:
    """A question that is being answered."""
    pending = _PENDING.format(now.pending) if now.pending else ""
    body = _ANSWER.format(_body(now.claims, turn) + pending) + _STAGE.format(now.doing)
    return _turn("writing", turn, now.question, now.alone, body)


def stopped(now: Progress, turn: int, *, again: bool = False) -> Markup:
    """A question whose answer was stopped by the reader: what was told stays readable.

    ``again`` says that the answer would have taken the place of the one before.
    """
    body = _ANSWER.format(_body(now.claims, turn)) + _NOTE.format(
        "Stopped. Nothing of this is kept."
    )
    return _turn("stopped", turn, now.question, now.alone, body + _asking_again(now, again=again))


def failed(now: Progress, turn: int, why: str, *, again: bool = False) -> Markup:
    """A question that could not be answered, and why, in words; ``again`` as for `stopped`."""
    body = _ANSWER.format(_body(now.claims, turn)) if now.claims else Markup("")
    return _turn(
        "error",
        turn,
        now.question,
        now.alone,
        body + _ERROR.format(f"No answer: {why}") + _asking_again(now, again=again),
    )


def answered(given: Turn, turn: int, warning: str = "") -> Markup:
    """A finished turn, with its footnotes, what can be done with it, and its cards."""
    answer = given.answer
    notes = [*answer.notes, *([warning] if warning else [])]
    parts = [
        _declined(answer, turn) if answer.declined else _ANSWER.format(_body(answer.claims, turn)),
        *map(_NOTE.format, notes),
        _actions(given),
        _HIDDEN.format(kind="cards", content=cards(answer, turn)),
        _HIDDEN.format(kind="plain", content=plain_text(answer)),
    ]
    kind = "declined" if answer.declined else "answered"
    alone = answer.standalone_question
    return _turn(kind, turn, answer.question, alone, Markup("").join(parts), answer.id or "")


def past(talk: Talk) -> Markup:
    """All turns of a conversation, oldest first."""
    return Markup("").join(answered(turn, place) for place, turn in enumerate(talk.turns, start=1))


def _turn(kind: str, turn: int, question: str, alone: str, body: Markup, id_: str = "") -> Markup:
    return _TURN.format(
        kind=kind,
        turn=turn,
        id=id_,
        label=f"Turn {turn}",
        question=question,
        alone=_ALONE.format(alone) if alone not in ("", question) else "",
        body=body,
    )


def _body(claims: Sequence[Claim], turn: int) -> Markup:
    """Claims in paragraphs and list items, as their leads lay them out."""
    blocks: list[tuple[bool, list[Markup]]] = [(False, [])]
    for claim in claims:
        *breaks, lead = claim.lead.split("\n")
        for text in breaks:
            blocks[-1][1].append(_LEAD.format(text.strip()) if text.strip() else Markup(""))
            blocks.append((False, []))
        if lead.startswith("- "):
            blocks[-1] = (True, blocks[-1][1])
            lead = lead.removeprefix("- ")
        blocks[-1][1].append(
            _CLAIM.format(
                lead=_LEAD.format(lead.strip()) if lead.strip() else "",
                status=claim.verdict.status,
                text=claim.text,
                cites=footnotes(claim, turn),
                verdict=verdict(claim.verdict),
            )
        )
    return Markup("").join(
        (_ITEM if item else _PARAGRAPH).format(Markup("").join(parts))
        for item, parts in blocks
        if any(parts)
    )


def _declined(answer: Answer, turn: int) -> Markup:
    assert answer.declined is not None
    items = [
        _SUGGESTION.format(
            card=card_name(turn, f"s{place}"),
            title=paper.title,
            year=f" ({paper.year})" if paper.year else "",
        )
        for place, paper in enumerate(answer.suggestions, start=1)
    ]
    return _DECLINED.format(
        reason=_REASONS[answer.declined],
        message=answer.message,
        nearest=_NEAREST.format(Markup("").join(items)) if items else "",
    )


def _button(text: str, **data: str) -> Markup:
    attributes = Markup(" ").join(
        Markup('{}="{}"').format(name.replace("_", "-"), value) for name, value in data.items()
    )
    return _BUTTON.format(attributes=attributes, text=text)


def _asking_again(now: Progress, *, again: bool) -> Markup:
    """Buttons for a question without an answer: it is not kept, so they bring it along."""
    data = {"data_text": now.question, "data_again": "yes" if again else "no"}
    return Markup('<div class="actions">{}{}</div>').format(
        _button("Ask again", data_do="ask", **data),
        _button("Edit", data_do="edit", **data),
    )


def _actions(given: Turn) -> Markup:
    """What can be done with an answer; asking again and editing only with the last."""
    id_ = given.answer.id
    parts = [_button("Copy", data_act="copy")]
    if id_ is not None:
        parts.append(_exports(f"/api/answers/{id_}", cites=bool(given.answer.papers)))
    parts += [
        _button("Ask again", data_do="retry", data_last=""),
        _button("Edit", data_do="edit", data_last=""),
    ]
    if id_ is not None:
        parts.append(_feedback(given))
    return Markup('<div class="actions">{}</div>').format(Markup("").join(parts))


def _exports(address: str, *, cites: bool) -> Markup:
    formats = [("markdown", "Markdown"), *(PAPER_FORMATS if cites else ()), ("json", "JSON")]
    links = [
        Markup('<a href="{}?format={}" download>{}</a>').format(address, name, text)
        for name, text in formats
    ]
    return Markup(
        '<details class="export"><summary>Export</summary><span>{}</span></details>'
    ).format(Markup(" ").join(links))


def _feedback(given: Turn) -> Markup:
    buttons = [
        _button(text, data_act="feedback", data_good=good, aria_pressed=str(pressed).lower())
        for text, good, pressed in (
            ("Good answer", "yes", given.good is True),
            ("Bad answer", "no", given.good is False),
        )
    ]
    said = Markup(
        '<div class="comment" {hidden}><label>What is good or wrong about it? (optional)'
        '<textarea rows="2" maxlength="2000">{comment}</textarea></label>'
        '{save}<span role="status"></span></div>'
    ).format(
        hidden="hidden",
        comment=given.comment,
        save=_button("Save comment", data_act="comment"),
    )
    return Markup("").join([*buttons, said])


def notice(text: str) -> Markup:
    """Something to be told that belongs to no turn."""
    return _ERROR.format(text)
