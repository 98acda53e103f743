"""From the fields of a record, as JSON or YAML gives them, to a case: strict, no IO.

Every function raises `ValueError` for what does not fit, in words that name the field, the value
and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches

from eval.schema import Case, Nugget, Span

DERIVED = {"variant", "corpus", "canary"}  # set by `eval.derived`, never by a file
_REQUIRED = {"id", "split", "category", "question", "answerable"}
_OPTIONAL = {field.name for field in fields(Case)} - DERIVED - _REQUIRED


@dataclass(frozen=True, slots=True)
class ParaphraseGroup:
    """Other ways to ask the question of the base case ``base_id``."""

    base_id: str
    paraphrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Injection:
    """An order hidden in an abstract: ``text`` holds ``{canary}`` once.

    ``style`` says what kind of attack it is; ``title`` is for putting the text into a paper of
    its own.
    """

    id: str
    style: str
    title: str
    text: str


def case_from(row: object) -> Case:
    """A case; `base_id` is its own id where none is given, lists are empty."""
    given = _object(row, "a case", _REQUIRED, _OPTIONAL)
    id_ = _text(given["id"], "id")
    reason = given.get("unanswerable_reason")
    abstracts = given.get("abstracts", {})
    return Case(
        id=id_,
        base_id=_text(given.get("base_id", id_), "base_id"),
        split=_text(given["split"], "split"),
        category=_text(given["category"], "category"),
        question=_text(given["question"], "question"),
        history=tuple(map(_turn, _list(given.get("history", []), "history"))),
        answerable=_flag(given["answerable"], "answerable"),
        gold_papers=_texts(given.get("gold_papers", []), "gold_papers"),
        evidence=tuple(map(_span, _list(given.get("evidence", []), "evidence"))),
        nuggets=tuple(map(_nugget, _list(given.get("nuggets", []), "nuggets"))),
        must_not_claim=_texts(given.get("must_not_claim", []), "must_not_claim"),
        unanswerable_reason=None if reason is None else _text(reason, "unanswerable_reason"),
        papers_checked=_texts(given.get("papers_checked", []), "papers_checked"),
        abstracts={
            _text(paper, "a key of abstracts"): _text(digest, f"abstracts[{paper!r}]")
            for paper, digest in _mapping(abstracts, "abstracts").items()
        },
        note=_text(given.get("note", ""), "note", blank=True),
    )


def _turn(value: object) -> tuple[str, str]:
    turn = _texts(value, "a turn of history")
    if len(turn) != 2:
        raise ValueError(f"a turn of history has {len(turn)} texts, expected question and answer")
    return turn[0], turn[1]


def _span(value: object) -> Span:
    given = _object(value, "evidence", {"paper", "quote", "start", "end"})
    return Span(
        _text(given["paper"], "paper"),
        _text(given["quote"], "quote"),
        _offset(given["start"], "start"),
        _offset(given["end"], "end"),
    )


def _nugget(value: object) -> Nugget:
    given = _object(value, "a nugget", {"any", "vital"})
    return Nugget(_texts(given["any"], "any"), _flag(given["vital"], "vital"))


def paraphrases_from(row: object) -> ParaphraseGroup:
    """A group of paraphrases."""
    given = _object(row, "a group of paraphrases", {"base_id", "paraphrases"})
    questions = _texts(given["paraphrases"], "paraphrases")
    return ParaphraseGroup(_text(given["base_id"], "base_id"), questions)


def injection_from(row: object) -> Injection:
    """An injection, which holds ``{canary}`` once."""
    given = _object(row, "an injection", {"id", "style", "title", "text"})
    injection = Injection(**{name: _text(value, name) for name, value in given.items()})
    if injection.text.count("{canary}") != 1:
        raise ValueError("text holds {canary} not exactly once: it marks where the word goes")
    return injection


def _object(
    value: object, what: str, required: set[str], optional: Iterable[str] = ()
) -> Mapping[str, object]:
    """The fields of an object, all of them known and none of the required ones missing."""
    given = _mapping(value, what)
    known = sorted(required.union(optional))
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"
            raise ValueError(f"{what} has no field {name!r}; {hint}")
    missing = sorted(required.difference(given))
    if missing:
        raise ValueError(f"{what} lacks {', '.join(map(repr, missing))}: add it")
    return given


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise _unfit(value, what, "an object with named fields")


def _list(value: object, what: str) -> list[object]:
    if isinstance(value, list):
        return value
    raise _unfit(value, what, "a list")


def _texts(value: object, what: str) -> tuple[str, ...]:
    return tuple(_text(item, f"an item of {what}") for item in _list(value, what))


def _text(value: object, what: str, *, blank: bool = False) -> str:
    if isinstance(value, str) and (blank or value.strip()):
        return value
    raise _unfit(value, what, "text" if blank else "text that is not blank")


def _flag(value: object, what: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _unfit(value, what, "true or false")


def _offset(value: object, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise _unfit(value, what, "a whole number from 0")


def _unfit(value: object, what: str, expected: str) -> ValueError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return ValueError(f"{what} is {shown}, expected {expected}")
