"""A question asked again as it was asked before, and what came out differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from rag.answering.question import Kind
from rag.asking import Answering, Asked
from rag.events import Finished
from rag.retrieval import Fusion
from rag.schema import Answer, Filters
from rag.searching import Tools

_SAME_SCORE = 1e-6


@dataclass(frozen=True, slots=True)
class Replay:
    """An answer of before, the answer now, and each difference in words; none: all is the same."""

    before: Answer
    now: Answer
    changes: tuple[str, ...]


def replay(tools: Tools, before: Answer) -> Replay:
    """Ask again with the settings, the search and the footnote numbers of a kept answer.

    Raises:
        QuestionError: the question cannot be asked any more.
    """
    settings = before.settings
    options = _mapping(settings.get("options"))
    known = {field.name for field in fields(Filters)}
    filters = {k: v for k, v in _mapping(settings.get("filters")).items() if k in known}
    asked = Asked(
        before.question,
        filters=Filters(**filters) if filters else None,
        fusion=Fusion(**_mapping(settings.get("fusion"))) if settings.get("fusion") else None,
        numbers={citation.paper.id: citation.number for citation in before.citations},
        papers=options.get("papers"),
        strict=bool(settings.get("strict")),
        split=options.get("split"),
        quoting=settings.get("llm") is None,
        alone=before.standalone_question,
        kind=Kind(settings["kind"]) if settings.get("kind") in set(Kind) else None,
        also=settings.get("also") or (),
        told=frozenset((str(id_), int(index)) for id_, index in settings.get("told") or ()),
    )
    for event in Answering(replace(tools, history=None), asked):
        if isinstance(event, Finished):
            return Replay(before, event.answer, tuple(changes(before, event.answer)))
    raise AssertionError("answering ends with Finished")


def changes(before: Answer, now: Answer) -> Iterator[str]:
    """What is different, from causes to consequences; ids, times and tokens do not count."""
    for name in ("version", "fingerprint", "papers", "embedder", "embedder_checksum"):
        yield from _changed(f"collection {name}", before.collection, now.collection, name)
    for name in sorted({*before.settings, *now.settings}):
        yield from _changed(f"setting {name}", before.settings, now.settings, name)
    yield from _differs("model", before.model, now.model)
    yield from _differs("prompts", _asked_again(before.prompts), _asked_again(now.prompts))
    yield from _retrieval(before, now)
    yield from _differs("mode", before.mode, now.mode)
    yield from _differs("declined", before.declined, now.declined)
    if _moved(before.confidence, now.confidence):
        yield from _differs("confidence", before.confidence, now.confidence)
    nearest, closest = ([paper.id for paper in a.suggestions] for a in (before, now))
    yield from _differs("suggestions", ", ".join(nearest), ", ".join(closest))
    quotes, new = ({(c.paper.id, c.start) for c in a.citations} for a in (before, now))
    if quotes != new:
        yield f"citations: {len(quotes - new)} fewer, {len(new - quotes)} new"
    statuses, verdicts = ([c.verdict.status.value for c in a.claims] for a in (before, now))
    yield from _differs("verdicts", ", ".join(statuses), ", ".join(verdicts))
    if (before.text, before.message) != (now.text, now.message):
        yield "text: not the same"
    yield from _differs("notes", " ".join(before.notes), " ".join(now.notes))


def _asked_again(prompts: Sequence[str]) -> str:
    """The prompts less that which makes a follow-up whole: its outcome is taken from the record."""
    return ", ".join(prompt for prompt in prompts if not prompt.startswith("condense@"))


def _retrieval(before: Answer, now: Answer) -> Iterator[str]:
    held, found = ([paper.id for paper in answer.retrieved] for answer in (before, now))
    titles = {paper.id: paper.title for paper in (*before.retrieved, *now.retrieved)}
    for id_ in held:
        if id_ not in found:
            yield f"not retrieved any more: {titles[id_]}"
    for id_ in found:
        if id_ not in held:
            yield f"newly retrieved: {titles[id_]}"
    if set(held) == set(found) and held != found:
        yield "papers: the same in another order"
    scores, others = (
        {(hit.paper.id, hit.passage.start, hit.passage.end): hit.score for hit in answer.hits}
        for answer in (before, now)
    )
    both = set(held) & set(found)
    fewer = sum(place[0] in both for place in scores.keys() - others.keys())
    more = sum(place[0] in both for place in others.keys() - scores.keys())
    if fewer or more:
        yield f"passages of the same papers: {fewer} fewer, {more} new"
    shifts = [abs(others[place] - scores[place]) for place in scores.keys() & others.keys()]
    if shifts and max(shifts) > _SAME_SCORE:
        yield f"scores: moved by up to {max(shifts):.3g}"


def _moved(before: float | None, now: float | None) -> bool:
    return abs(before - now) > _SAME_SCORE if before is not None and now is not None else True


def _changed(
    label: str, before: Mapping[str, object], now: Mapping[str, object], name: str
) -> Iterator[str]:
    yield from _differs(label, before.get(name), now.get(name))


def _differs(label: str, before: object, now: object) -> Iterator[str]:
    if before != now:
        yield f"{label}: {_shown(before)} → {_shown(now)}"


def _shown(value: object) -> str:
    return "none" if value in (None, "", (), [], {}) else str(value)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
