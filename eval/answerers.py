"""What is put to the test: the assistant, weaker rankings of it, and controls.

Each control must look bad somewhere, and the oracle nowhere; `tests/test_controls.py` asserts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Protocol

from eval.schema import Case, GivenCitation, GivenClaim, Response
from rag.answering.generated import MODE
from rag.assistant import Assistant
from rag.errors import EndpointError
from rag.models.llm import LanguageModel
from rag.retrieval import Fusion
from rag.schema import Answer, DeclineReason, Hit, Status

_SEED = 20_261_121
_RANDOM_SENTENCES = 3
_VERBATIM = (Status.SUPPORTED.value, "T0 exact")


class Answerer(Protocol):
    """Answers a case over the collection that the assistant holds."""

    def __call__(self, case: Case, assistant: Assistant) -> Response:
        """The response; may raise what the assistant raises."""


def attempt(answerer: Answerer, case: Case, assistant: Assistant) -> Response:
    """The response with its time; one that failed, in whatever way, holds the error instead."""
    started = time.perf_counter()
    try:
        response = answerer(case, assistant)
    except Exception as error:  # one case that fails must not cost the others
        return Response(error=f"{type(error).__name__}: {error}")
    return replace(response, seconds=time.perf_counter() - started)


def from_answer(answer: Answer) -> Response:
    """What the assistant's answer says, in the words of the evaluation."""
    claims = tuple(
        GivenClaim(
            claim.text,
            tuple(GivenCitation(c.paper.id, c.quote, c.start, c.end) for c in claim.citations),
            claim.verdict.status.value,
            claim.verdict.check,
        )
        for claim in answer.claims
    )
    return Response(
        retrieved=tuple(paper.id for paper in answer.retrieved),
        claims=claims,
        declined=answer.declined.value if answer.declined else None,
        text=answer.text,
        confidence=answer.confidence,
        unknown_keys=answer.counts.get("unknown_keys", 0),
        tokens=answer.usage.prompt_tokens + answer.usage.completion_tokens,
        calls=answer.usage.calls,
        mode=answer.mode,
    )


def _product(case: Case, assistant: Assistant) -> Response:
    return from_answer(assistant.ask(case.question, history=case.history))


def written_by(at_turn: Callable[[int], LanguageModel]) -> Answerer:
    """The assistant, its answers written by a language model.

    Args:
        at_turn: the model that is asked when a case is put for the first time, the second, …
    """

    def answer(case: Case, assistant: Assistant) -> Response:
        writing = assistant.written_by(at_turn(turn_of(case)))
        answer = writing.ask(case.question, history=case.history)
        # Where nothing was found, nothing is asked. Otherwise the quotes are not the model's work.
        if answer.mode != MODE and answer.hits:
            raise EndpointError(f"the model did not write this answer: {' '.join(answer.notes)}")
        return from_answer(answer)

    return answer


def repeated(cases: Iterable[Case], times: int) -> tuple[Case, ...]:
    """Every case ``times`` times, the further ones named ``id#2`` and so on; base ids stay."""
    return tuple(
        case if turn == 1 else replace(case, id=f"{case.id}#{turn}")
        for turn in range(1, times + 1)
        for case in cases
    )


def turn_of(case: Case) -> int:
    """How often a case that `repeated` named has been put by then, itself included."""
    turn = case.id.rpartition("#")[2]
    return int(turn) if "#" in case.id and turn.isdigit() else 1


def _by_likeness(fusion: Fusion | None = None) -> Answerer:
    """The assistant without its cross-encoder, over one search or both."""

    def answer(case: Case, assistant: Assistant) -> Response:
        plain = assistant.by_likeness()
        return from_answer(plain.ask(case.question, history=case.history, fusion=fusion))

    return answer


def _always_decline(case: Case, assistant: Assistant) -> Response:
    reason = DeclineReason.NOT_IN_COLLECTION.value
    return Response(_retrieved(case, assistant), declined=reason, confidence=0.0)


def _whole_abstract(case: Case, assistant: Assistant) -> Response:
    """Every sentence of the best paper."""
    hits = _hits(case, assistant)
    first = hits[0].paper.id
    spans = [(first, s.start, s.end) for s in assistant.sentences(first)]
    return _quoting(tuple(dict.fromkeys(hit.paper.id for hit in hits)), spans, assistant)


def _random_sentences(case: Case, assistant: Assistant) -> Response:
    """Sentences of the retrieved papers, by lot."""
    retrieved = _retrieved(case, assistant)
    spans = [(p, s.start, s.end) for p in retrieved[:5] for s in assistant.sentences(p)]
    # Seeded by the case's name, so that order and number of cases do not matter.
    chosen = Random(f"{_SEED} {case.id}").sample(spans, min(_RANDOM_SENTENCES, len(spans)))  # noqa: S311
    return _quoting(retrieved, chosen, assistant)


def _oracle(case: Case, assistant: Assistant) -> Response:
    """The evidence that the case names, or declining where there is none."""
    if not case.answerable:
        return Response(declined=case.unanswerable_reason or "not_in_collection", confidence=0.0)
    spans = [(span.paper, span.start, span.end) for span in case.evidence]
    return _quoting(case.gold_papers, spans, assistant)


def _quoting(
    retrieved: tuple[str, ...], spans: list[tuple[str, int, int]], assistant: Assistant
) -> Response:
    claims = []
    for paper, start, end in spans:
        quote = assistant.paper(paper).abstract[start:end]
        claims.append(GivenClaim(quote, (GivenCitation(paper, quote, start, end),), *_VERBATIM))
    text = " ".join(claim.text for claim in claims)
    return Response(retrieved, tuple(claims), text=text, confidence=1.0)


def _hits(case: Case, assistant: Assistant) -> tuple[Hit, ...]:
    return assistant.search(case.question, limit=10)


def _retrieved(case: Case, assistant: Assistant) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hit.paper.id for hit in _hits(case, assistant)))


ANSWERERS: Mapping[str, Answerer] = {
    "assistant": _product,
    "no-cross-encoder": _by_likeness(),
    "bm25-only": _by_likeness(Fusion(0.0, 1.0)),
    "similarity-only": _by_likeness(Fusion(1.0, 0.0)),
    "always-decline": _always_decline,
    "whole-abstract": _whole_abstract,
    "random-sentences": _random_sentences,
    "oracle": _oracle,
}
CONTROLS = ("always-decline", "whole-abstract", "random-sentences", "oracle")
