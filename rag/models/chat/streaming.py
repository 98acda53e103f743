"""Reads the answer of an endpoint: one response, and the tries that lead to one."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import EndpointError
from rag.models.chat.events import DONE, SurrogateJoiner, data_of, read_delta
from rag.models.chat.failures import Explainer, Failure
from rag.models.chat.reply import MAX_TOKEN_CHARS, Message, Reply, estimate_usage
from rag.models.chat.retrying import RetryBudget, TimeLimits
from rag.models.chat.wire import Wire
from rag.schema import Usage

if TYPE_CHECKING:
    import httpx

_CLOSED, _OVERDUE, _FINISHED = "closed", "overdue", "finished"


@dataclass(frozen=True, slots=True)
class Call:
    """All that a reply needs of its model: how to send, count, wait, and explain.

    ``prepare`` does what takes time before a first request, so that it is not counted against
    the endpoint.
    """

    prepare: Callable[[], object]
    send: Callable[[Wire], httpx.Response]
    messages: Sequence[Message]
    max_tokens: int
    count_tokens: Callable[[str], int]
    explainer: Explainer
    limits: TimeLimits
    retries: RetryBudget
    sleep: Callable[[threading.Event, float], object] = threading.Event.wait
    clock: Callable[[], float] = time.monotonic


class EndpointReply(Reply):
    """A `Reply` that sends its request when it is read, and again as `RetryBudget` allows."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._wire = Wire()
        self._grace: threading.Timer | None = None
        self._reading = _Reading(call, self._expect_end)
        super().__init__()

    def _abort(self) -> None:
        self._wire.cut(_CLOSED)

    def _run(self) -> Generator[str, None, None]:
        call, tried = self._call, 0
        call.prepare()
        started = call.clock()
        failure: Failure | None = None
        overdue = self._cut_after(call.limits.total_s, _OVERDUE)
        try:
            while self._wire.why is None:
                try:
                    failure = yield from self._attempt()
                finally:
                    self.usage += self._reading.usage()
                tried += 1
                if self._wire.why == _CLOSED:
                    return
                if failure is None:
                    self.finish = self._reading.finish or "stop"
                    return
                pause_s = self._pause_s(failure, tried, call.clock() - started)
                if pause_s is None:
                    raise _counted(failure.error, tried)
                call.sleep(self._wire.is_cut, pause_s)
            if self._wire.why == _OVERDUE:
                failure = call.explainer.overdue()
            if self._wire.why != _CLOSED and failure is not None:
                raise _counted(failure.error, tried)
        finally:
            overdue.cancel()

    def _attempt(self) -> Generator[str, None, Failure | None]:
        """One request. Failures are returned, so that no error of the SDK hangs on to ours."""
        import httpx
        import openai

        explainer, reading = self._call.explainer, _Reading(self._call, self._expect_end)
        self._reading = reading
        response = None
        try:
            response = self._call.send(self._wire)
            return (yield from reading.pieces(response))
        except openai.APIStatusError as error:
            return explainer.refused(error)
        except (openai.OpenAIError, httpx.HTTPError, httpx.StreamError, OSError) as error:
            if self._wire.why == _OVERDUE and not reading.finish:
                return explainer.overdue()
            if reading.finish:  # nothing of the answer is missing
                return reading.verdict()
            return explainer.unreached(error) if response is None else explainer.broken(error)
        finally:
            if self._grace is not None:
                self._grace.cancel()
                self._grace = None
            if response is not None:
                response.close()

    def _pause_s(self, failure: Failure, tried: int, elapsed_s: float) -> float | None:
        if not failure.passing or self._reading.text:
            return None
        chance = random.random()  # noqa: S311 (spreads requests)
        return self._call.retries.pause_s(tried, elapsed_s, failure.retry_after_s, chance)

    def _expect_end(self) -> None:
        self._grace = self._cut_after(self._call.limits.grace_s, _FINISHED)

    def _cut_after(self, seconds: float, why: str) -> threading.Timer:
        timer = threading.Timer(seconds, self._wire.cut, [why])
        timer.daemon = True
        timer.start()
        return timer


class _Reading:
    """One response as it is read: its text so far, and what else it says."""

    def __init__(self, call: Call, on_finish: Callable[[], None]) -> None:
        self.text = ""
        self.finish: str | None = None
        self._call = call
        self._on_finish = on_finish
        self._is_completion = False
        self._is_done = False
        self._reasoning: list[str] = []
        self._counts: tuple[int, int] | None = None

    def pieces(self, response: httpx.Response) -> Generator[str, None, Failure | None]:
        """Yield the pieces of text, then return what was wrong with them, if anything."""
        explainer, joiner = self._call.explainer, SurrogateJoiner()
        kind = response.headers.get("content-type", "").lower()
        if "html" in kind:
            return explainer.garbled("a web page")
        is_whole = "json" in kind and "event-stream" not in kind
        for data in [response.read()] if is_whole else data_of(response.iter_bytes()):
            if data == DONE:
                self._is_done = True
                break
            try:
                delta = read_delta(json.loads(data))
            except (ValueError, RecursionError):
                if self.finish:  # nothing of the answer is missing
                    break
                return explainer.garbled("something that is not JSON", midway=self._is_completion)
            if delta.error:
                if self.finish:
                    break
                return explainer.reported(delta.error)
            self._is_completion |= delta.is_completion
            self._reasoning.append(delta.reasoning)
            self._counts = delta.counts or self._counts
            if piece := joiner.add(delta.text):
                self.text += piece
                yield piece
            if len(self.text) > self._call.max_tokens * MAX_TOKEN_CHARS:
                return explainer.overlong(len(self.text), self._call.max_tokens)
            if delta.finish and not self.finish:
                self.finish = delta.finish
                self._on_finish()
        if rest := joiner.rest():
            self.text += rest
            yield rest
        self._is_done |= is_whole
        return self.verdict()

    def verdict(self) -> Failure | None:
        """What is wrong with an answer that has come to its end; None: nothing."""
        explainer = self._call.explainer
        if not self._is_completion:
            return explainer.garbled("a stream of nothing")
        if self.finish == "content_filter":
            return Failure(explainer.filtered())
        if not (self.finish or self._is_done):
            return explainer.unfinished()
        if not self.text.strip():
            return explainer.empty(self.finish or "none", has_reasoned=any(self._reasoning))
        return None

    def usage(self) -> Usage:
        """What it cost, as the endpoint counted, else as we estimate; nothing if none came."""
        if not self._is_completion:
            return Usage()
        if self._counts is not None:
            return Usage(1, *self._counts)
        written = "".join([*self._reasoning, self.text])
        return estimate_usage(self._call.messages, written, self._call.count_tokens)


def _counted(error: EndpointError, tried: int) -> EndpointError:
    return type(error)(f"{error} ({tried} tries)") if tried > 1 else error
