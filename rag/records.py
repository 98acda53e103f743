"""Answers on their way back in: a JSON record read as the `Answer` that wrote it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rag.errors import InputError
from rag.schema import Answer, Citation, Hit, Paper

FORMATS = ("footnoted-answer/1", "footnoted-answer/2")

# What `Answer.to_json` derives from the fields, and what the history adds to a record.
_BESIDE = frozenset({"format", "text", "papers", "time"})
_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}

T = TypeVar("T")


def answer_from_json(text: str) -> Answer:
    """The answer whose record this is: ``answer_from_json(a.to_json()).to_json() == a.to_json()``.

    Strict about keys, types, offsets and quotes, which must be what the abstracts say. Fields
    with a default may be missing, as in records that are older than the field. A record keeps
    only the span of a hit's passage: its ``id``, ``first`` and ``last`` are 0. ``time``, which
    the history adds, is no part of an answer and left out.

    Raises:
        InputError: the text is no such record; says what is wrong, and where.
    """
    try:
        values = json.loads(
            text, object_pairs_hook=_object, parse_float=_number, parse_constant=_number
        )
    except (ValueError, RecursionError) as error:
        raise _bad("record", f"it is not JSON ({error})") from error
    found = values.get("format") if isinstance(values, dict) else None
    if found not in FORMATS:
        raise _bad("format", f"expected {' or '.join(FORMATS)}, found {found!r:.60}")
    held = _dict(values.get("papers"), "papers")
    papers = {id_: _read_paper(id_, value) for id_, value in held.items()}
    plain = {key: value for key, value in values.items() if key not in _BESIDE}
    answer = _Reader(papers).object_of(Answer, plain, "")
    if values.get("text") != answer.text:
        raise _bad("text", "it is not what the claims say")
    concerned = {paper.id for paper in (*answer.retrieved, *answer.papers, *answer.suggestions)}
    if concerned != papers.keys():
        raise _bad("papers", f"nothing names {min(papers.keys() - concerned)!r:.60}")
    return answer


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return values


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text:.40} is no number")
    return value


def _read_paper(id_: str, value: object) -> Paper:
    place = f"papers.{id_:.40}"
    paper = _Reader({}).object_of(Paper, value, place)
    if paper.id != id_:
        raise _bad(f"{place}.id", f"expected {id_!r:.60}, found {paper.id!r:.60}")
    return paper


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns JSON values into what the schema declares; papers are named by id."""

    papers: Mapping[str, Paper]

    def object_of(self, of: Callable[..., T], value: object, place: str) -> T:
        """An object with the fields of the dataclass ``of``, and no others."""
        values, hints = _dict(value, place), _hints(of)
        for key in values.keys() - hints.keys():
            raise _bad(place, f"{key!r:.60} is unknown")
        for key in _required(of) - values.keys():
            raise _bad(place, f"{key!r} is missing")
        return of(
            **{
                key: self._decoded(hints[key], item, f"{place}.{key}".lstrip("."))
                for key, item in values.items()
            }
        )

    def _decoded(self, hint: object, value: object, place: str) -> object:
        arguments, origin = get_args(hint), get_origin(hint)
        if NoneType in arguments:
            return None if value is None else self._decoded(arguments[0], value, place)
        if origin is tuple:
            return tuple(
                self._decoded(arguments[0], item, f"{place}[{i}]")
                for i, item in enumerate(_list(value, place))
            )
        if origin is Mapping:
            return {
                key: self._decoded(arguments[1], item, f"{place}.{key:.40}")
                for key, item in _dict(value, place).items()
            }
        if hint is Paper:
            return self._paper(value, place)
        if hint is Citation:
            return self._citation(value, place)
        if hint is Hit:
            return self._hit(value, place)
        if hint is Any or not isinstance(hint, type):
            return value
        if is_dataclass(hint):
            return self.object_of(hint, value, place)
        return _one(hint, value, place)

    def _paper(self, value: object, place: str) -> Paper:
        if not isinstance(value, str) or value not in self.papers:
            raise _bad(place, f"{value!r:.60} is none of its papers")
        return self.papers[value]

    def _citation(self, value: object, place: str) -> Citation:
        values = dict(_dict(value, place))
        quote = values.pop("quote", None)
        citation = self.object_of(Citation, values, place)
        _check_span(citation.start, citation.end, citation.paper, place)
        if quote != citation.quote:
            raise _bad(f"{place}.quote", f"the abstract says {citation.quote!r:.200}")
        return citation

    def _hit(self, value: object, place: str) -> Hit:
        values = _dict(value, place)
        span = _dict(values.get("passage"), f"{place}.passage")
        if span.keys() != {"start", "end"}:
            raise _bad(f"{place}.passage", "expected start and end, and nothing else")
        passage = {"id": 0, "paper_id": values.get("paper"), "first": 0, "last": 0, **span}
        hit = self.object_of(Hit, {**values, "passage": passage}, place)
        _check_span(hit.passage.start, hit.passage.end, hit.paper, f"{place}.passage")
        return hit


@cache
def _hints(of: Callable[..., object]) -> dict[str, object]:
    return get_type_hints(of)


@cache
def _required(of: Any) -> frozenset[str]:  # noqa: ANN401 (mypy knows no type for dataclasses)
    return frozenset(
        field.name
        for field in fields(of)
        if field.default is MISSING and field.default_factory is MISSING
    )


def _one(kind: type, value: object, place: str) -> object:
    """A single value of ``kind``: a `StrEnum` or one of `_NAMES`."""
    if issubclass(kind, StrEnum):
        if not isinstance(value, str) or value not in list(kind):
            raise _bad(place, f"expected one of {', '.join(kind)}, found {value!r:.60}")
        return kind(value)
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise _bad(place, f"expected {_NAMES[kind]}, found {value!r:.60}")
    return value


def _dict(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(place, f"expected an object, found {value!r:.60}")
    return value


def _list(value: object, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise _bad(place, f"expected a list, found {value!r:.60}")
    return value


def _check_span(start: int, end: int, paper: Paper, place: str) -> None:
    if not 0 <= start <= end <= len(paper.abstract):
        raise _bad(place, f"{start} to {end} lies outside the abstract of {paper.id!r:.60}")


def _bad(place: str, wrong: str) -> InputError:
    return InputError(
        f"not the record of an answer: {place or 'record'}: {wrong}; expected what "
        "'footnoted ask --json' writes"
    )
