"""From a question to an answer: understand, search, read, write, check, as a stream of events."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rag.answering import extractive, generated
from rag.answering.calls import Calls, EndedError
from rag.answering.condensing import condense, split
from rag.answering.extractive import Request, Said
from rag.answering.question import Kind, Turn, checked, kind_of, standalone
from rag.answering.scoring import Judged
from rag.errors import CollectionError, EndpointError
from rag.events import Began, Event, Finished, Stage, Told, Understood, Withdrawn
from rag.ingest.cleaning import display
from rag.reranking import Found
from rag.retrieval import Fusion
from rag.schema import Answer, Filters, Usage
from rag.searching import Tools, best, merged, search
from rag.store.catalog import StoredPaper
from rag.version import VERSION

if TYPE_CHECKING:
    from rag.store.collection import Collection

_REMEMBERED = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its circumstances; see `rag.assistant.Assistant.ask`.

    ``numbers`` come in the order in which papers were mentioned last. ``alone`` is the question as
    it is searched for, ``kind`` what kind it is, ``also`` the ids of papers that are considered
    with what the search finds, ``told`` the sentences that were quoted before; None: they follow
    from the conversation.
    """

    question: str
    history: Sequence[Turn] = ()
    filters: Filters | None = None
    fusion: Fusion | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)
    papers: int | None = None
    strict: bool = False
    split: bool | None = None
    quoting: bool = False
    conversation: str | None = None
    alone: str | None = None
    kind: Kind | None = None
    also: Sequence[str] | None = None
    told: frozenset[Said] | None = None


class Answering(Iterator[Event]):
    """The events of one question, the last of them `Finished`.

    ``close`` may be called from any thread: a call of a language model that is under way ends at
    once, and so do the events, without `Finished`.

    Raises:
        QuestionError: (with the first event) the question is empty, holds no word, or is too long.
    """

    def __init__(self, tools: Tools, asked: Asked) -> None:
        llm = None if asked.quoting else tools.llm
        self._calls = None if llm is None else Calls(llm)
        if self._calls is not None:
            self._calls.prepare()
        self._ended = threading.Event()
        self._events = _Pipeline(tools, asked, self._calls, self._ended).run()

    def __next__(self) -> Event:
        try:
            return next(self._events)
        except EndedError:
            raise StopIteration from None

    def close(self) -> None:
        """Stop: nothing comes after the event that is being made, and the answer is not kept."""
        self._ended.set()
        if self._calls is not None:
            self._calls.end()
        with suppress(ValueError):  # running in another thread, and about to end there
            self._events.close()


class _Pipeline:
    """One question on its way."""

    def __init__(
        self, tools: Tools, asked: Asked, calls: Calls | None, ended: threading.Event
    ) -> None:
        self._tools, self._asked, self._calls, self._ended = tools, asked, calls, ended
        self._also = _spoken_of(asked) if asked.also is None else asked.also
        self._notes: list[str] = []
        self._timings: dict[str, float] = {}

    def run(self) -> Generator[Event, None, None]:
        asked = self._asked
        question = checked(asked.question)
        alone, kind = self._understood(question)
        yield Understood(alone)
        quoting = extractive.Options.for_kind(kind)
        writing = generated.Options.for_kind(kind)
        if asked.papers is not None:
            quoting = quoting if self._calls else replace(quoting, papers=asked.papers)
            writing = replace(writing, papers=asked.papers)
        if asked.split is not None:
            writing = replace(writing, split=asked.split)
        yield Began(Stage.SEARCHING)
        found = self._found(alone, (writing if self._calls else quoting).papers, writing)
        yield Began(Stage.READING)
        told = _told(question, asked.history, found.held) if asked.told is None else asked.told
        request = Request(question, alone, kind, found.hits, found.held, told, asked.numbers)
        written = yield from self._written(request, quoting, writing)
        yield Finished(self._kept(self._answer(request, written, quoting, writing)))

    # -- understand and search

    def _understood(self, question: str) -> tuple[str, Kind]:
        """The question made self-contained, and what kind it is."""
        asked = self._asked
        if asked.alone is not None:
            return asked.alone, asked.kind or kind_of(asked.alone)
        if asked.history and self._calls is not None:
            with self._timed("understand"):
                try:
                    alone = condense(question, asked.history, self._calls, self._titles())
                except EndpointError as error:
                    self._notes.append(f"The follow-up was completed by rules: {error}")
                else:
                    return alone, kind_of(alone)
        # A rule only puts words before a question, which say nothing of its kind.
        return standalone(question, asked.history), kind_of(question)

    def _titles(self) -> dict[int, str]:
        """The titles of the papers that have footnote numbers."""
        catalog, numbers = self._tools.collection.catalog, self._asked.numbers
        held = {number: catalog.find(id_) for id_, number in numbers.items()}
        return {n: display(found.paper.title) for n, found in held.items() if found}

    def _found(self, alone: str, papers: int, writing: generated.Options) -> Found:
        parts: tuple[str, ...] = (alone,)
        if self._calls is not None and writing.split:
            with self._timed("split"):
                try:
                    parts = split(alone, self._calls)
                except EndpointError as error:
                    self._notes.append(f"The question was searched for as a whole: {error}")
        with self._timed("retrieve"):
            asked, tools = self._asked, self._tools
            return merged(
                [
                    search(
                        tools,
                        part,
                        papers=papers,
                        filters=asked.filters,
                        fusion=asked.fusion,
                        also=self._also,
                    )
                    for part in parts
                ],
                papers,
            )

    # -- read and write

    def _written(
        self, request: Request, quoting: extractive.Options, writing: generated.Options
    ) -> Generator[Event, None, generated.Written]:
        with self._timed("answer" if self._calls is None else "read"):
            judged = extractive.judge(request, self._tools.scorer)
        if self._calls is not None and request.held:
            writer = generated.Writer(
                self._calls, self._tools.checkers, writing, strict=self._asked.strict
            )
            try:
                return (yield from generated.write(request, judged, writer))
            except EndpointError as error:
                self._notes.append(f"Sentences are quoted, because {error}")
                yield Withdrawn()
        reply = extractive.compose(*_fewer(request, judged, quoting.papers), quoting)
        for claim in reply.claims:
            yield Told(claim)
        return generated.Written(reply)

    # -- the answer

    def _answer(
        self,
        request: Request,
        written: generated.Written,
        quoting: extractive.Options,
        writing: generated.Options,
    ) -> Answer:
        calls, reply = self._calls, written.reply
        by_model = calls is not None and written.context is not None
        return Answer(
            question=request.question,
            standalone_question=request.standalone,
            claims=reply.claims,
            declined=reply.declined,
            message=reply.message,
            suggestions=reply.suggestions,
            hits=request.hits,
            mode=generated.MODE if by_model else extractive.MODE,
            confidence=reply.confidence,
            notes=(*reply.notes, *self._notes),
            model=calls.llm.name if calls and by_model else None,
            prompts=calls.prompts if calls else (),
            usage=calls.usage if calls else Usage(),
            counts=written.counts,
            settings=self._settings(request, written, writing if calls else quoting),
            collection=identity(self._tools.collection),
            timings={**self._timings, **written.timings},
        )

    def _settings(
        self,
        request: Request,
        written: generated.Written,
        options: extractive.Options | generated.Options,
    ) -> dict[str, Any]:
        encoder, asked = self._tools.crossencoder, self._asked
        values = asdict(asked.filters or Filters())
        settings: dict[str, Any] = {
            "kind": request.kind,
            "options": asdict(options),
            "filters": {name: value for name, value in values.items() if value is not None},
            "crossencoder": None if encoder is None else f"{encoder.name} {encoder.checksum[:12]}",
        }
        if self._calls is not None:
            settings |= {"llm": self._calls.llm.name, "strict": asked.strict}
        if self._also:
            settings["also"] = list(self._also)
        if request.told:
            settings["told"] = sorted(map(list, request.told))
        if asked.fusion is not None:
            settings["fusion"] = asdict(asked.fusion)
        if written.context is not None:
            settings["context"] = dict(written.context)
        return settings

    def _kept(self, answer: Answer) -> Answer:
        """The answer with its id in the history; one that cannot be kept says so."""
        if self._ended.is_set():
            raise EndedError
        if self._tools.history is None:
            return answer
        try:
            id_ = self._tools.history.record(answer, conversation=self._asked.conversation)
        except CollectionError as error:
            return replace(answer, notes=(*answer.notes, f"This answer is not kept: {error}"))
        return replace(answer, id=id_)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        if self._ended.is_set():
            raise EndedError
        started = time.perf_counter()
        try:
            yield
        finally:
            self._timings[name] = time.perf_counter() - started


def _spoken_of(asked: Asked) -> Sequence[str]:
    """The papers that were mentioned last in the conversation: a follow-up may be about them."""
    return list(asked.numbers)[-_REMEMBERED:] if asked.history else ()


def _told(question: str, history: Sequence[Turn], held: Sequence[StoredPaper]) -> frozenset[Said]:
    """The sentences that earlier answers quoted; none of them for a question asked again."""
    if any(" ".join(before.split()) == question for before, _ in history):
        return frozenset()
    text = " ".join(answer for _, answer in history)
    return frozenset(
        (item.paper.id, index)
        for item in held
        for index, sentence in enumerate(item.texts)
        if display(sentence) in text
    )


def _fewer(
    request: Request, judged: Sequence[Judged], papers: int
) -> tuple[Request, Sequence[Judged]]:
    """The request as it would be with fewer papers."""
    found = best(Found(request.hits, request.held), papers)
    return replace(request, hits=found.hits, held=found.held), judged[: len(found.held)]


def identity(collection: Collection) -> dict[str, str | int]:
    """What a collection is: fingerprint, embedder and its checksum, papers, version."""
    meta = collection.catalog.meta()
    names = ("fingerprint", "embedder", "embedder_checksum")
    kept: dict[str, str | int] = {name: meta[name] for name in names if name in meta}
    return {**kept, "papers": collection.catalog.counts()["papers"], "version": VERSION}
