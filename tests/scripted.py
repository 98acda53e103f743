"""An assistant whose answers to some questions are scripted, as a language model would write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rag.assistant import Assistant
from rag.errors import EndpointError
from rag.events import Began, Event, Finished, Pending, Stage, Told, Understood, Withdrawn
from rag.schema import Citation, Claim, Status, Verdict
from tests.hostile import HOSTILE

SLOW = "slowly"
BROKEN = "breaking"
CRASHING = "crashing"
HOSTILE_REPLY = "hostile"
MIXED = "mixed"


class Scripted(Assistant):
    """Answers questions that contain one of the words above by script, the others for real."""

    def stream(self, question: str, **given: Any) -> Any:  # noqa: ANN401
        if SLOW in question:
            return _slow(question)
        if BROKEN in question:
            return _broken(question)
        if CRASHING in question:
            return _crashing()
        if HOSTILE_REPLY in question or MIXED in question:
            return self._told(question, **given)
        return super().stream(question, **given)

    def _told(self, question: str, **given: Any) -> Iterator[Event]:  # noqa: ANN401
        """An answer whose claims are hostile texts, with every verdict."""
        yield Understood(question)
        yield Began(Stage.WRITING)
        held = next(self.papers())
        spans = self.sentences(held.id)
        citation = Citation(1, held, 0, spans[0].start, spans[0].end)
        statuses = list(Status)
        texts = HOSTILE if HOSTILE_REPLY in question else ("One.", "Two.", "Three.")
        claims = []
        for place, text in enumerate(texts):
            yield Pending(text)
            verdict = Verdict(statuses[place % 3], "T1 numbers", f"because {text}")
            claims.append(Claim(text, (citation,), verdict, f"\n- {text}: "))
            yield Told(claims[-1])
        *_, last = super().stream("What is this about?", **given)
        assert isinstance(last, Finished)
        fields = {"question": question, "standalone_question": question, "claims": tuple(claims)}
        plain = {"declined": None, "message": "", "suggestions": ()}
        yield Finished(replace(last.answer, **fields, **plain))  # type: ignore[arg-type]


def _slow(question: str) -> Iterator[Event]:
    yield Understood(question)
    yield Began(Stage.WRITING)
    for place in range(600):
        time.sleep(0.05)
        yield Pending(f"word {place}")


def _broken(question: str) -> Iterator[Event]:
    yield Understood(question)
    yield Began(Stage.WRITING)
    yield Pending("half an answ")
    yield Withdrawn()
    raise EndpointError("the endpoint did not answer; is it running?")


def _crashing() -> Iterator[Event]:
    yield Began(Stage.WRITING)
    raise ZeroDivisionError("a secret of the code")
