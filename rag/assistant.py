"""The composition root: an `Assistant` over one collection."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rag.adding import AddReport, OnEstimate, OnProgress, Stage, add_papers, embed_waiting
from rag.answering import extractive
from rag.answering.extractive import Options, Request
from rag.answering.question import Turn, checked, kind_of, standalone
from rag.answering.scoring import SentenceScorer, SimilarityScorer
from rag.errors import UnknownPaperError
from rag.health import Finding, examine
from rag.models.embedder import open_embedder
from rag.retrieval import Fusion, retrieve
from rag.schema import Answer, Filters, Hit, Paper, Sentence
from rag.settings import Settings
from rag.store.catalog import StoredPaper
from rag.store.collection import Collection
from rag.version import VERSION

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.retrievers import BaseRetriever

    from rag.models.embedder import Embedder

__all__ = ["AddReport", "Assistant", "Conversation"]


class Assistant:
    """Answers questions over one collection of abstracts, every sentence with its footnote.

    Example:
        >>> from rag import Assistant
        >>> assistant = Assistant.open("my-papers")                   # doctest: +SKIP
        >>> assistant.add("data/daily_papers")                        # doctest: +SKIP
        >>> print(assistant.ask("Are emergent abilities real?"))      # doctest: +SKIP

    Safe to use from several threads. Nothing is loaded before it is needed.
    """

    def __init__(
        self,
        collection: Collection,
        embedder: Embedder,
        scorer: SentenceScorer | None = None,
    ) -> None:
        self._collection = collection
        self._embedder = embedder
        self._scorer = scorer or SimilarityScorer(embedder, collection.catalog)

    @classmethod
    def open(
        cls,
        directory: str | Path | None = None,
        *,
        embedder: str | Embedder | BaseEmbedding | None = None,
        create: bool = True,
        check: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Open the collection in a directory, making an empty one if there is none.

        Args:
            directory: where it lives; by default the ``default`` collection of the user.
            embedder: ``bundled``, ``openai:MODEL[@BASE_URL]``, an `Embedder`, or any LlamaIndex
                embedding; by default what ``FOOTNOTED_EMBEDDER`` says, else ``bundled``.
            create: whether to make a collection where there is none.
            check: whether to refuse a collection that was made with another embedder; False to
                look into one all the same, or to embed it anew.
            environ: what to read settings from; by default the environment.

        Raises:
            CollectionError: the directory cannot be used.
            EmbedderMismatchError: the collection was made with another embedder.
            SettingError: the embedder is not known.
        """
        settings = Settings.from_env(os.environ if environ is None else environ)
        path = settings.directory() if directory is None else Path(os.path.expanduser(directory))  # noqa: PTH111 (leaves ~nobody alone)
        chosen = open_embedder(embedder or settings.embedder, api_key=settings.api_key)
        collection = Collection(path, create=create)
        if check:
            collection.check_embedder(chosen)
        return cls(collection, chosen)

    @property
    def directory(self) -> Path:
        """Where the collection lives."""
        return self._collection.directory

    def close(self) -> None:
        """Let go of all files."""
        self._collection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- papers in and out

    def add(
        self,
        *paths: str | Path,
        on_progress: OnProgress | None = None,
        on_estimate: OnEstimate | None = None,
    ) -> AddReport:
        """Add the papers of files and folders; what is held already is not embedded again.

        ``on_progress`` is told of every batch, ``on_estimate`` how long it will take where that
        is long (see `rag.adding`).

        Raises:
            FileError: a path does not exist or is in no known format.
            LockedError: another process is writing to the collection.
        """
        return add_papers(
            self._collection,
            self._embedder,
            [Path(path) for path in paths],
            on_progress or _silent,
            on_estimate or _unsaid,
        )

    def papers(self, filters: Filters | None = None) -> Iterator[Paper]:
        """Every paper that the filters let through, in order of arrival."""
        return (stored.paper for stored in self._collection.catalog.all_papers(filters))

    def paper(self, name: str) -> Paper:
        """The paper with this id, DOI, arXiv id or exact title.

        Raises:
            UnknownPaperError: there is none.
        """
        return self._find(name).paper

    def sentences(self, name: str) -> tuple[Sentence, ...]:
        """The sentences of the paper with this id, DOI, arXiv id or exact title, in order.

        Raises:
            UnknownPaperError: there is none.
        """
        return self._find(name).sentences

    def _find(self, name: str) -> StoredPaper:
        found = self._collection.catalog.find(name)
        if found is None:
            raise UnknownPaperError(
                f"no paper of {self.directory} has the id, DOI, arXiv id or title {name!r}; "
                "'footnoted papers' lists what it holds"
            )
        return found

    def remove(self, name: str) -> Paper:
        """Remove the paper with this id, DOI, arXiv id or exact title; returns what it was.

        Raises:
            UnknownPaperError: there is none.
            LockedError: another process is writing to the collection.
        """
        self._find(name)  # do not wait for the lock in vain
        with self._collection.writing(self._embedder) as writing:
            found = self._find(name)
            writing.catalog.remove(found.number)
        return found.paper

    def counts(self) -> dict[str, int]:
        """How many ``papers``, ``passages`` and ``unembedded`` papers the collection holds."""
        return self._collection.catalog.counts()

    def rebuild(self, *, embed: bool = False, on_progress: OnProgress | None = None) -> None:
        """Make the search indexes again; with ``embed``, make every vector again too.

        Raises:
            LockedError: another process is writing to the collection.
        """
        report = on_progress or _silent
        self._collection.rebuild(
            self._embedder, embed=embed, on_tick=lambda n, of: report(Stage.INDEXING, n, of)
        )
        with self._collection.writing(self._embedder) as writing:
            embed_waiting(self._collection, writing, self._embedder, report, _unsaid)

    # -- questions

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        per_paper: int = 1,
        filters: Filters | None = None,
        fusion: Fusion | None = None,
    ) -> tuple[Hit, ...]:
        """The passages that fit a query best, best first, at most ``per_paper`` of one paper.

        ``fusion`` weighs meaning against words, where the default does not suit.

        Raises:
            QuestionError: the query is empty, holds no word, or is too long.
        """
        return retrieve(
            self._collection,
            self._embedder,
            checked(query),
            limit=limit,
            per_paper=per_paper,
            filters=filters,
            fusion=fusion,
        )

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        filters: Filters | None = None,
        fusion: Fusion | None = None,
        numbers: Mapping[str, int] | None = None,
    ) -> Answer:
        """Answer a question from the abstracts, or decline with a reason.

        Args:
            question: in words, in any style.
            history: earlier questions with their answers as text, oldest first.
            filters: which papers to look at.
            fusion: how meaning is weighed against words, where the default does not suit.
            numbers: footnote numbers that papers (by id) already have in this conversation.

        Raises:
            QuestionError: the question is empty, holds no word, or is too long.
        """
        started = time.perf_counter()
        asked = checked(question)
        alone = standalone(asked, history)
        kind = kind_of(asked)
        options = Options.for_kind(kind)
        hits = retrieve(
            self._collection,
            self._embedder,
            alone,
            limit=2 * options.papers,
            filters=filters,
            fusion=fusion,
        )
        held = self._held(hits, options.papers)
        retrieved = time.perf_counter()
        request = Request(asked, alone, kind, hits, held, history, numbers or {})
        reply = extractive.reply(request, self._scorer, options)
        return Answer(
            question=asked,
            standalone_question=alone,
            claims=reply.claims,
            declined=reply.declined,
            message=reply.message,
            suggestions=reply.suggestions,
            hits=hits,
            mode=extractive.MODE,
            confidence=reply.confidence,
            notes=reply.notes,
            settings={"kind": kind, "options": asdict(options), "filters": _set(filters)},
            collection=self.identity(),
            timings={
                "retrieve": retrieved - started,
                "answer": time.perf_counter() - retrieved,
            },
        )

    def _held(self, hits: Sequence[Hit], papers: int) -> tuple[StoredPaper, ...]:
        catalog = self._collection.catalog
        found = (catalog.find(id_) for id_ in dict.fromkeys(hit.paper.id for hit in hits))
        return tuple(held for held in found if held is not None)[:papers]

    def identity(self) -> dict[str, str | int]:
        """What the collection is: fingerprint, embedder and its checksum, papers, version."""
        meta = self._collection.catalog.meta()
        names = ("fingerprint", "embedder", "embedder_checksum")
        kept = {name: meta[name] for name in names if name in meta}
        return {**kept, "papers": self.counts()["papers"], "version": VERSION}

    def chat(self, filters: Filters | None = None) -> Conversation:
        """A conversation with memory: follow-ups are understood, footnote numbers stay."""
        return Conversation(self, filters)

    # -- upkeep

    def examine(self) -> Iterator[Finding]:
        """Check the collection from the disk up; changes nothing."""
        return examine(self._collection, self._embedder)

    # -- LlamaIndex

    def as_retriever(
        self, *, limit: int = 10, per_paper: int = 2, filters: Filters | None = None
    ) -> BaseRetriever:
        """The collection as a LlamaIndex retriever (see `rag.llamaindex`)."""
        from rag.llamaindex import FootnotedRetriever

        return FootnotedRetriever(self, limit=limit, per_paper=per_paper, filters=filters)


class Conversation:
    """Questions that may build on each other; papers keep their footnote numbers."""

    def __init__(self, assistant: Assistant, filters: Filters | None = None) -> None:
        self._assistant = assistant
        self._filters = filters
        self._turns: list[Turn] = []
        self._numbers: dict[str, int] = {}

    def ask(self, question: str) -> Answer:
        """Answer a question in the light of the earlier ones.

        Raises:
            QuestionError: the question is empty, holds no word, or is too long.
        """
        answer = self._assistant.ask(
            question, history=self._turns, filters=self._filters, numbers=self._numbers
        )
        self._turns.append((answer.question, answer.text))
        self._numbers |= {c.paper.id: c.number for c in answer.citations}
        return answer


def _silent(stage: Stage, done: int, total: int | None) -> None:
    """Show no progress."""


def _unsaid(papers: int, seconds: float) -> None:
    """Say nothing beforehand."""


def _set(filters: Filters | None) -> dict[str, str | int]:
    values = asdict(filters or Filters())
    return {name: value for name, value in values.items() if value is not None}
