"""The composition root: an `Assistant` over one collection."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rag.adding import (
    AddReport,
    OnEstimate,
    OnProgress,
    Stage,
    add_papers,
    embed_waiting,
    rehearse_papers,
)
from rag.answering.question import Turn
from rag.asking import Answering, Asked, identity
from rag.errors import UnknownPaperError
from rag.events import Event, Finished
from rag.health import Finding, examine
from rag.models.crossencoder import CrossEncoder, open_crossencoder
from rag.models.embedder import open_embedder
from rag.models.llm import EndpointModel, open_llm
from rag.replaying import Replay, replay
from rag.retrieval import Fusion
from rag.schema import Answer, Filters, Hit, Paper, Sentence
from rag.searching import Tools, search
from rag.settings import Settings, chroma_server
from rag.store.catalog import StoredPaper
from rag.store.collection import Collection
from rag.store.history import History
from rag.store.places import IndexHome

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM
    from llama_index.core.retrievers import BaseRetriever

    from rag.backup.restoring import Restored
    from rag.backup.saving import Saved
    from rag.fetch.pages import Source
    from rag.fetch.taking import OnResume
    from rag.models.embedder import Embedder
    from rag.models.llm import LanguageModel

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
        crossencoder: CrossEncoder | None = None,
        llm: LanguageModel | None = None,
        history: History | None = None,
    ) -> None:
        self._collection = collection
        self._embedder = embedder
        self._tools = Tools(collection, embedder, crossencoder, llm, history)

    @classmethod
    def open(
        cls,
        directory: str | Path | None = None,
        *,
        embedder: str | Embedder | BaseEmbedding | None = None,
        crossencoder: str | CrossEncoder = "bundled",
        llm: str | LanguageModel | LLM | None = None,
        base_url: str | None = None,
        history: bool = True,
        create: bool = True,
        check: bool = True,
        chroma: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Open the collection in a directory, making an empty one if there is none.

        Args:
            directory: where it lives; by default the ``default`` collection of the user.
            embedder: ``bundled``, ``openai:MODEL[@BASE_URL]``, an `Embedder`, or any LlamaIndex
                embedding; by default what ``FOOTNOTED_EMBEDDER`` says, else ``bundled``.
            crossencoder: reads questions and claims together with abstracts: ``bundled``, a
                `CrossEncoder`, or ``none`` to go by likeness alone.
            llm: writes answers: the name of a model at an OpenAI-compatible endpoint (with
                ``@BASE_URL`` after it, or ``base_url``), a `LanguageModel`, any LlamaIndex LLM, or
                ``none``; by default what ``FOOTNOTED_MODEL`` names, else none: then sentences are
                quoted.
            base_url: the endpoint; by default ``OPENAI_BASE_URL``, else OpenAI's own.
            history: whether answers are kept in the collection's ``history.sqlite3``.
            create: whether to make a collection where there is none.
            check: whether to refuse a collection that was made with another embedder; False to
                look into one all the same, or to embed it anew.
            chroma: where the index is: the address of a Chroma server, or ``local`` for the
                collection's own directory. By default where it is already, and for a collection
                without one what ``FOOTNOTED_CHROMA`` says, else ``local``. `rebuild` moves it.
            environ: what to read settings from; by default the environment.

        Raises:
            CollectionError: the directory cannot be used.
            EmbedderMismatchError: the collection was made with another embedder.
            SettingError: the embedder, cross-encoder or language model is not known, or its
                endpoint needs a key and has none; the index is elsewhere than ``chroma`` says.
        """
        settings = Settings.from_env(os.environ if environ is None else environ)
        path = settings.directory() if directory is None else Path(os.path.expanduser(directory))  # noqa: PTH111 (leaves ~nobody alone)
        model = open_llm(
            None if llm == "none" else llm or settings.model,
            base_url=base_url or settings.base_url,
            api_key=settings.api_key,
            window=settings.window,
        )
        chosen = open_embedder(
            embedder or settings.embedder,
            api_key=settings.embedder_key,
            requests=settings.embedder_requests,
            shared_key=settings.api_key,
            shared_with=(
                model.base_url
                if isinstance(model, EndpointModel)
                else base_url or settings.base_url
            ),
        )
        server = settings.chroma if chroma is None else chroma_server(chroma)
        home = IndexHome(server, settings.chroma_token)
        collection = Collection(path, create=create, home=home)
        if check:
            collection.check_embedder(chosen)
        if chroma is not None:
            collection.check_home()
        kept = History(collection.directory) if history else None
        return cls(collection, chosen, open_crossencoder(crossencoder), model, kept)

    def by_likeness(self) -> Self:
        """The same collection without a cross-encoder, to compare with; answers are not kept."""
        return type(self)(self._collection, self._embedder)

    def written_by(self, llm: LanguageModel | None) -> Self:
        """The same collection with another language model, or none; answers are not kept."""
        return type(self)(self._collection, self._embedder, self._tools.crossencoder, llm)

    @property
    def model(self) -> str | None:
        """The language model that writes answers; None where sentences are quoted."""
        return None if self._tools.llm is None else self._tools.llm.name

    @property
    def crossencoder(self) -> CrossEncoder | None:
        """What reads questions and claims together with abstracts; None: nothing does."""
        return self._tools.crossencoder

    @property
    def history(self) -> History | None:
        """The answers kept so far; None where they are not kept."""
        return self._tools.history

    @property
    def directory(self) -> Path:
        """Where the collection lives."""
        return self._collection.directory

    def close(self) -> None:
        """Let go of all files and connections."""
        self._collection.close()
        if self._tools.llm is not None:
            self._tools.llm.close()
        if self._tools.history is not None:
            self._tools.history.close()

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
        dry_run: bool = False,
    ) -> AddReport:
        """Add the papers of files and folders; what is held already is not embedded again.

        ``on_progress`` is told of every batch, ``on_estimate`` how long it will take where that
        is long (see `rag.adding`). With ``dry_run`` nothing is changed: the report says what
        would become of every record.

        Raises:
            FileError: a path does not exist or is in no known format.
            LockedError: another process is writing to the collection.
        """
        files, report = [Path(path) for path in paths], on_progress or _silent
        if dry_run:
            return rehearse_papers(self._collection, self._embedder, files, report)
        return add_papers(self._collection, self._embedder, files, report, on_estimate or _unsaid)

    def fetch(
        self,
        source: Source,
        *,
        max_papers: int | None = None,
        on_progress: OnProgress | None = None,
        on_estimate: OnEstimate | None = None,
        on_resume: OnResume | None = None,
    ) -> AddReport:
        """Add the papers of a live source: an `ArxivQuery`, or `DailyPapers` (see `rag.fetch`).

        At most ``max_papers`` are taken. A fetch that was cut off goes on where it stopped;
        ``on_resume`` is told of that, the other two as by `add`.

        Raises:
            FetchError: the source did not answer as it should; what came before it stays.
            LockedError: another process is writing to the collection.
            SettingError: the address of the source is not one.
        """
        from rag.fetch.taking import fetch_papers

        with source.client(Settings.from_env(os.environ)) as client:
            return fetch_papers(
                self._collection,
                self._embedder,
                source,
                client,
                max_papers=max_papers,
                on_progress=on_progress or _silent,
                on_estimate=on_estimate or _unsaid,
                on_resume=on_resume,
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

    def rebuild(
        self,
        *,
        embed: bool = False,
        chroma: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Make the search indexes again; with ``embed``, make every vector again too.

        With ``chroma``, a Chroma server's address or ``local``, the index moves there.

        Raises:
            LockedError: another process is writing to the collection.
            SettingError: ``chroma`` is neither.
            StorageError: the server cannot be used.
        """
        report = on_progress or _silent
        home = self._collection.home
        self._collection.rebuild(
            self._embedder,
            embed=embed,
            home=None if chroma is None else replace(home, server=chroma_server(chroma)),
            on_tick=lambda n, of: report(Stage.INDEXING, n, of),
        )
        with self._collection.writing(self._embedder) as writing:
            embed_waiting(self._collection, writing, self._embedder, report, _unsaid)

    # -- as one file

    def backup(self, file: str | Path, *, history: bool = True) -> Saved:
        """Write the collection, with the answers that were kept, to one file.

        Others may read and write meanwhile; the file has the state of one moment.

        Raises:
            CollectionError: the catalog is damaged, or the disk refuses.
        """
        from rag.backup.saving import back_up

        return back_up(self.directory, Path(file), history=history)

    @staticmethod
    def restore(
        file: str | Path,
        directory: str | Path,
        *,
        force: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Restored:
        """Make the collection of a backup in a directory that is new or empty.

        With ``force`` it replaces the collection that is there, which is kept beside it under
        another name.

        Raises:
            FileError: the file is no backup, or is damaged; then nothing is replaced.
            CollectionError: something stands there already, is in use, or the disk refuses.
        """
        from rag.backup.restoring import restore

        report = on_progress or _silent
        return restore(
            Path(file),
            Path(directory),
            force=force,
            on_tick=lambda n, of: report(Stage.INDEXING, n, of),
        )

    def export_collection(self, file: str | Path, filters: Filters | None = None) -> Saved:
        """Write the papers that the filters let through to one file, with their vectors.

        For `import_collection` elsewhere. What was asked and answered is no part of it.

        Raises:
            CollectionError: the collection cannot be read, or the disk refuses.
        """
        from rag.backup.sharing import export_collection

        return export_collection(self.directory, Path(file), filters)

    def import_collection(
        self,
        file: str | Path,
        *,
        embed: bool = False,
        on_progress: OnProgress | None = None,
        on_estimate: OnEstimate | None = None,
    ) -> AddReport:
        """Merge in what `export_collection` wrote; its vectors are taken over, not made again.

        With ``embed`` they are made again, as a collection of another embedder needs it.

        Raises:
            FileError: the file is no exported collection, or is damaged; nothing is taken in.
            EmbedderMismatchError: another embedder made its vectors.
            LockedError: another process is writing to the collection.
        """
        from rag.backup.importing import import_collection

        return import_collection(
            self._collection,
            self._embedder,
            Path(file),
            on_progress or _silent,
            on_estimate or _unsaid,
            embed=embed,
        )

    # -- questions

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        per_paper: int = 1,
        filters: Filters | None = None,
        fusion: Fusion | None = None,
        reread: bool = False,
    ) -> tuple[Hit, ...]:
        """The passages that fit a query best, best first, at most ``per_paper`` of one paper.

        ``fusion`` weighs meaning against words, where the default does not suit. With ``reread``
        the cross-encoder reads the best papers and re-ranks them, as it does for a question; that
        takes some tenths of a second.

        Raises:
            QuestionError: the query is empty, holds no word, or is too long.
        """
        found = search(
            self._tools,
            query,
            papers=limit,
            per_paper=per_paper,
            filters=filters,
            fusion=fusion,
            reread=reread,
        )
        return found.hits[:limit]

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        filters: Filters | None = None,
        fusion: Fusion | None = None,
        numbers: Mapping[str, int] | None = None,
        papers: int | None = None,
        strict: bool = False,
        split: bool | None = None,
        quoting: bool = False,
    ) -> Answer:
        """Answer a question from the abstracts, or decline with a reason.

        Args:
            question: in words, in any style.
            history: earlier questions with their answers as text, oldest first.
            filters: which papers to look at.
            fusion: how meaning is weighed against words, where the default does not suit.
            numbers: footnote numbers that papers (by id) already have in this conversation, in
                order of last mention: a follow-up considers the papers mentioned last.
            papers: how many to read, where the default for the kind of question does not suit.
            strict: leave out what a language model wrote and the abstracts do not support,
                instead of showing it as unsupported.
            split: whether a language model takes the question apart to search for its parts, at
                the cost of one more call; by default not.
            quoting: quote sentences, even where there is a language model.

        Raises:
            QuestionError: the question is empty, holds no word, or is too long.
        """
        events = self.stream(
            question,
            history=history,
            filters=filters,
            fusion=fusion,
            numbers=numbers,
            papers=papers,
            strict=strict,
            split=split,
            quoting=quoting,
        )
        for event in events:
            if isinstance(event, Finished):
                return event.answer
        raise AssertionError("answering ends with Finished")

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        filters: Filters | None = None,
        fusion: Fusion | None = None,
        numbers: Mapping[str, int] | None = None,
        papers: int | None = None,
        strict: bool = False,
        split: bool | None = None,
        quoting: bool = False,
        conversation: str | None = None,
    ) -> Answering:
        """What happens while a question is answered (see `rag.events`), the answer last.

        The arguments are those of `ask`, and ``conversation``, the id of the one in the history
        that the answer belongs to. ``close()`` of the iterator, from any thread, stops the answer
        and the request that is under way.

        Raises:
            QuestionError: (with the first event) the question is empty, holds no word, or is too
                long.
        """
        asked = Asked(
            question,
            history,
            filters,
            fusion,
            numbers or {},
            papers=papers,
            strict=strict,
            split=split,
            quoting=quoting,
            conversation=conversation,
        )
        return Answering(self._tools, asked)

    def replay(self, answer: Answer) -> Replay:
        """Answer a question again as it was answered before, and say what is different.

        The new answer is not kept.

        Raises:
            QuestionError: the question cannot be asked any more.
        """
        return replay(self._tools, answer)

    def identity(self) -> dict[str, str | int]:
        """What the collection is: fingerprint, embedder and its checksum, papers, version."""
        return identity(self._collection)

    def chat(self, filters: Filters | None = None, *, strict: bool = False) -> Conversation:
        """A conversation with memory: follow-ups are understood, footnote numbers stay."""
        return Conversation(self, filters, strict=strict)

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

    def as_query_engine(
        self, *, filters: Filters | None = None, strict: bool = False
    ) -> BaseQueryEngine:
        """The assistant as a LlamaIndex query engine (see `rag.llamaindex`)."""
        from rag.llamaindex import FootnotedQueryEngine

        return FootnotedQueryEngine(self, filters=filters, strict=strict)


class Conversation:
    """Questions that may build on each other; papers keep their footnote numbers."""

    def __init__(
        self, assistant: Assistant, filters: Filters | None = None, *, strict: bool = False
    ) -> None:
        self._assistant = assistant
        self._filters = filters
        self._strict = strict
        self._turns: list[Turn] = []
        self._numbers: dict[str, int] = {}

    def ask(self, question: str) -> Answer:
        """Answer a question in the light of the earlier ones.

        Raises:
            QuestionError: the question is empty, holds no word, or is too long.
        """
        for event in self.stream(question):
            if isinstance(event, Finished):
                return event.answer
        raise AssertionError("answering ends with Finished")

    def stream(self, question: str) -> Iterator[Event]:
        """As `ask`, as events; the question counts as asked when the last of them is taken.

        Raises:
            QuestionError: (with the first event) the question is empty, holds no word, or is too
                long.
        """
        events = self._assistant.stream(
            question,
            history=self._turns,
            filters=self._filters,
            numbers=self._numbers,
            strict=self._strict,
        )
        with closing(events):
            for event in events:
                if isinstance(event, Finished):
                    self._remember(event.answer)
                yield event

    def _remember(self, answer: Answer) -> None:
        self._turns.append((answer.question, answer.text))
        for citation in answer.citations:  # in order of last mention
            self._numbers.pop(citation.paper.id, None)
            self._numbers[citation.paper.id] = citation.number


def _silent(stage: Stage, done: int, total: int | None) -> None:
    """Show no progress."""


def _unsaid(papers: int, seconds: float) -> None:
    """Say nothing beforehand."""
