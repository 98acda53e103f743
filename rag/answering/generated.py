"""Answers written by a language model: prompt, stream, checks, footnotes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rag.answering import extractive
from rag.answering.calls import CUT_OFF, MAX_PROMPT_TOKENS, Calls
from rag.answering.context import Context, messages, pack
from rag.answering.drafts import Declined, Draft, Restarted, Text
from rag.answering.drafts import Event as Parsed
from rag.answering.extractive import Reply, Request
from rag.answering.grounding import Checker
from rag.answering.mending import mend
from rag.answering.parser import Parser
from rag.answering.prompts import Prompt, load
from rag.answering.question import Kind
from rag.answering.scoring import Judged
from rag.answering.telling import Telling
from rag.answering.verifying import Checked, Verifier
from rag.errors import ContextOverflowError, EndpointError
from rag.events import Began, Event, Stage, Withdrawn
from rag.models.llm import LanguageModel, Message
from rag.schema import DeclineReason, Status

MODE = "generated"

_LEAST_ROOM = 100
_CHAT_TOKENS = 25  # what the chat format adds to two messages, and fences of more tokens
_ENDS = (".", "!", "?", "。", "”", '"', ")", "]")
_MAX_MENDED = 8


@dataclass(frozen=True, slots=True)
class Options:
    """How a generated answer is made.

    ``papers`` are read, the best ``whole`` of them (None: as many as fit) with every sentence, the
    others with their best. A prompt has at most ``prompt_tokens``, an answer ``answer_tokens``,
    which for some models count what they think; both are less where the window is small. With
    ``split``, the question is taken apart by one more call, and its parts are searched for.
    """

    papers: int
    whole: int | None = None
    prompt_tokens: int = MAX_PROMPT_TOKENS
    answer_tokens: int = 2000
    split: bool = False

    @classmethod
    def for_kind(cls, kind: Kind) -> Options:
        """The options for a kind of question."""
        return _BY_KIND[kind]

    def longest_answer(self, llm: LanguageModel) -> int:
        """Tokens that an answer may have: at most a third of the window."""
        return min(self.answer_tokens, llm.window // 3)


_BY_KIND = {
    Kind.FACT: Options(papers=8),
    Kind.LIST: Options(papers=10, whole=4),
    Kind.COMPARISON: Options(papers=8),
}


@dataclass(frozen=True, slots=True)
class Writer:
    """What an answer is written and checked with; ``strict`` drops what fails."""

    calls: Calls
    checkers: tuple[Checker, ...]
    options: Options
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A reply, what was taken out of it or mended, and seconds by stage.

    ``context`` is what the model read, for the record; None where no model wrote.
    """

    reply: Reply
    counts: Mapping[str, int] = field(default_factory=dict)
    context: Mapping[str, Any] | None = None
    timings: Mapping[str, float] = field(default_factory=dict)


def write(
    request: Request, judged: Sequence[Judged], writer: Writer
) -> Generator[Event, None, Written]:
    """Have the answer written; every claim is told when it is checked.

    Where the context is too long for the model, half of it is tried once.

    Raises:
        EndpointError: the model did not answer, or wrote nothing that the abstracts support.
        EndedError: the answer was ended from outside.
    """
    prompt = load("answer")
    room = room_for_evidence(prompt, request.standalone, writer)
    try:
        return (yield from _Attempt(request, judged, writer, prompt, room).run())
    except ContextOverflowError:
        yield Withdrawn()
    half = yield from _Attempt(request, judged, writer, prompt, room // 2).run()
    return replace(half, counts={**half.counts, "context_halved": 1})


def room_for_evidence(prompt: Prompt, question: str, writer: Writer) -> int:
    """Tokens that are left for evidence in a prompt.

    Raises:
        EndpointError: too few.
    """
    llm, options = writer.calls.llm, writer.options
    empty = Context("", {}, 0, (), "=====1a2b3c4d5e6f")
    instructions = sum(map(llm.count_tokens, messages(prompt, empty, question))) + _CHAT_TOKENS
    total = min(options.prompt_tokens, llm.window - options.longest_answer(llm))
    if total - instructions < _LEAST_ROOM:
        raise EndpointError(
            f"a window of {llm.window:,} tokens leaves no room for evidence beside this question; "
            "ask a shorter one, or set FOOTNOTED_WINDOW to what the model really takes"
        )
    return total - instructions


class _Attempt:
    """One request for an answer, and what comes of it."""

    def __init__(
        self,
        request: Request,
        judged: Sequence[Judged],
        writer: Writer,
        prompt: Prompt,
        room: int,
    ) -> None:
        started = time.perf_counter()
        self._request, self._judged, self._writer, self._prompt = request, judged, writer, prompt
        self._context = pack(
            request.held,
            [[score * item.answerable for score in item.sentences] for item in judged],
            request.standalone,
            budget=room,
            count=writer.calls.llm.count_tokens,
            whole=writer.options.whole,
        )
        asked = f"{request.question}\n{request.standalone}"
        self._verifier = Verifier(self._context, request.held, writer.checkers, asked)
        self._parser = Parser(self._context.evidence, f"{self._context.text}\n{asked}")
        self._telling = Telling(request.numbers)
        self._counts: Counter[str] = Counter()
        self._notes: list[str] = []
        self._declined: Declined | None = None
        self._cut_off = False
        self._timings = {"pack": time.perf_counter() - started}

    def run(self) -> Generator[Event, None, Written]:
        yield Began(Stage.WRITING)
        started = time.perf_counter()
        for piece in self._pieces():
            self._timings.setdefault("first_token", time.perf_counter() - started)
            yield from self._take_all(self._parser.feed(piece))
        ended = time.perf_counter()
        self._timings["write"] = ended - started
        yield Began(Stage.CHECKING)
        yield from self._take_all(self._whole(self._parser.finish()))
        yield from self._mend()
        reply = yield from self._reply()
        self._timings["check"] = time.perf_counter() - ended
        counts = dict(sorted((self._counts + Counter(self._parser.counts)).items()))
        return Written(reply, counts, _told(self._context), self._timings)

    def _pieces(self) -> Iterator[str]:
        calls = self._writer.calls
        system, user = messages(self._prompt, self._context, self._request.standalone)
        turns = [Message("system", system), Message("user", user)]
        longest = self._writer.options.longest_answer(calls.llm)
        return calls.pieces(self._prompt, turns, max_tokens=longest)

    def _whole(self, events: Sequence[Parsed]) -> Sequence[Parsed]:
        """The last events, without a sentence that was cut off."""
        if self._writer.calls.finish != CUT_OFF:
            return events
        self._cut_off = True
        self._notes.append("The model's answer was cut off at its longest; its end is missing.")
        last = events[-1] if events else None
        if isinstance(last, Draft) and not last.text.endswith(_ENDS):
            self._counts["cut_off"] += 1
            return events[:-1]
        return events

    def _take_all(self, events: Sequence[Parsed]) -> Iterator[Event]:
        for event in events:
            yield from self._take(event)

    def _take(self, event: Parsed) -> Iterator[Event]:
        match event:
            case Text(text):
                yield self._telling.write(text)
            case Draft():
                checked = self._verifier.verify(event)
                self._counts["recited"] += checked.recited
                self._counts["dropped"] += checked.is_left_out
                yield from self._telling.take(checked)
            case Declined():
                self._declined = event
                yield from self._withdraw()
            case Restarted():
                self._declined = None
                self._counts.clear()
                yield from self._withdraw()

    def _withdraw(self) -> Iterator[Event]:
        if self._telling.has_shown:
            self._telling.begin()
            yield Withdrawn()

    def _mend(self) -> Iterator[Event]:
        """Tell the claims that wait: corrected, as they are, or not at all."""
        mendable = [item for item in self._telling.failing if item.evidence or item.nearest]
        mended = dict(zip(map(id, mendable), self._mended(mendable[:_MAX_MENDED]), strict=False))
        final = [self._settled(item, mended.get(id(item), item)) for item in self._telling.waiting]
        yield from self._telling.settle(final)

    def _mended(self, failing: Sequence[Checked]) -> Sequence[Checked | None]:
        if not failing:
            return ()
        try:
            return mend(failing, self._writer.calls, self._verifier)
        except EndpointError as error:
            self._notes.append(f"Claims that failed their check could not be mended: {error}")
            return failing

    def _settled(self, item: Checked, mended: Checked | None) -> Checked | None:
        if item.is_left_out:
            return None  # and counted already
        if mended is None or (mended.fails and self._writer.strict):
            self._counts["dropped"] += 1
            return None
        self._counts["repaired"] += mended is not item
        return mended

    def _reply(self) -> Generator[Event, None, Reply]:
        claims = tuple(self._telling.claims)
        confidence = extractive.confidence_of(self._judged)
        if self._declined is not None:
            reason = self._declined.reason
        elif any(claim.citations for claim in claims):
            return Reply(claims=claims, confidence=confidence, notes=tuple(self._notes))
        elif claims and all(claim.verdict.status is Status.UNCHECKED for claim in claims):
            reason = DeclineReason.ABSTRACT_DOES_NOT_SAY  # all it says is what is missing
            yield Withdrawn()
        else:
            cut = ", and was cut off at its longest" if self._cut_off else ""
            raise EndpointError(
                f"{self._writer.calls.llm.name} wrote nothing that the abstracts support{cut}"
            )
        near = extractive.Options.for_kind(self._request.kind).near
        declined = extractive.declined(self._request, near, reason)
        return replace(declined, confidence=confidence, notes=tuple(self._notes))


def _told(context: Context) -> dict[str, Any]:
    """What was read and what did not fit, for the record."""
    return {
        "tokens": context.tokens,
        "papers": len({entry.paper.id for entry in context.evidence.values()}),
        "sentences": len(context.evidence),
        "left_out": {left.paper.id: list(left.sentences) for left in context.left_out},
    }
