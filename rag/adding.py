"""Adding papers to a collection: files → catalog → passages → vectors.

Records go into the catalog first, fast, and are searchable by words from then on; then the papers
that wait for vectors are embedded, batch by batch. Whatever interrupts it, what was reported as
done stays done, and the next run goes on from there.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag.errors import FileError
from rag.ingest.reading import read_papers
from rag.schema import BadRecord, Passage, Place, Record
from rag.store.collection import identity
from rag.store.writing import Outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.models.embedder import Embedder
    from rag.store.catalog import StoredPaper
    from rag.store.collection import Collection, Writing
    from rag.store.writing import CatalogWriter

RECORDS_PER_COMMIT = 500
PAPERS_PER_COMMIT = 64
# Chroma holds Python's lock while it writes, so embedding stands still meanwhile; 500 vectors at
# a time take it half as long each as 80. Until then searches find them in the catalog.
PAPERS_PER_FOLLOW = 8 * PAPERS_PER_COMMIT
# From this many waiting papers on, it is said beforehand how long embedding will take.
LONG = 500
_TIMED_PAPERS = 8


class Stage(StrEnum):
    """What an `add` or a rebuild is doing; papers are counted, passages when indexing."""

    READING = "reading"
    EMBEDDING = "embedding"
    INDEXING = "indexing"


class OnProgress(Protocol):
    """Called as work goes on: ``total`` is None while it is unknown. Must not raise."""

    def __call__(self, stage: Stage, done: int, total: int | None) -> None:
        """Tell that ``done`` of ``total`` papers are through this stage."""


OnEstimate = Callable[[int, float], None]
"""Called once before a long embedding, with the number of papers and the seconds expected."""


@dataclass(frozen=True, slots=True)
class AddReport:
    """What an `add` did: papers by outcome, records skipped with reasons, passages, seconds.

    ``passages`` were embedded; ``taken_over`` says of how many papers the vectors came along.
    """

    added: int = 0
    updated: int = 0
    merged: int = 0
    unchanged: int = 0
    skipped: tuple[BadRecord, ...] = ()
    passages: int = 0
    seconds: float = 0.0
    taken_over: int = 0

    @property
    def records(self) -> int:
        """How many records were read, the skipped ones not counted."""
        return self.added + self.updated + self.merged + self.unchanged

    def __str__(self) -> str:
        parts = [
            f"{count:,} {name}"
            for name, count in (
                ("added", self.added),
                ("updated", self.updated),
                ("merged with a held paper", self.merged),
                ("unchanged", self.unchanged),
                ("skipped", len(self.skipped)),
            )
            if count
        ]
        return f"{', '.join(parts) or 'nothing to add'} ({self.seconds:.1f} s)"


def check_readable(paths: Sequence[Path]) -> None:
    """See whether there is something to add, before a collection is made for it.

    Raises:
        FileError: a path does not exist, or the only one is in no known format.
    """
    streams = [read_papers(path) for path in paths]
    if len(streams) == 1:
        next(streams[0], None)


def add_papers(
    collection: Collection,
    embedder: Embedder,
    paths: Sequence[Path],
    on_progress: OnProgress,
    on_estimate: OnEstimate,
) -> AddReport:
    """Read papers from files and folders into a collection and embed what is new.

    Of several paths, one that cannot be read is skipped and reported.

    Raises:
        FileError: a path does not exist, or the only one is in no known format.
        LockedError: another process is writing.
    """
    started = time.perf_counter()
    streams = [read_papers(path) for path in paths]  # a path that does not exist raises here
    items = streams[0] if len(streams) == 1 else _each(streams)
    with collection.writing(embedder) as writing:
        outcomes, skipped = _take_in(writing.catalog, items, on_progress)
        passages = embed_waiting(collection, writing, embedder, on_progress, on_estimate)
    return report_of(outcomes, skipped, started, passages=passages)


def rehearse_papers(
    collection: Collection, embedder: Embedder, paths: Sequence[Path], on_progress: OnProgress
) -> AddReport:
    """What `add_papers` would report of these files and folders; nothing is changed or embedded.

    It goes through the same steps in a transaction that is not committed, so others can search
    meanwhile, but not write.

    Raises:
        FileError: a path does not exist, or the only one is in no known format.
        LockedError: another process is writing.
    """
    started = time.perf_counter()
    streams = [read_papers(path) for path in paths]
    items = streams[0] if len(streams) == 1 else _each(streams)
    with collection.rehearsing(embedder) as catalog:
        outcomes, skipped = _take_in(catalog, items, on_progress)
    return report_of(outcomes, skipped, started)


def report_of(
    outcomes: Mapping[Outcome, int],
    skipped: Iterable[BadRecord],
    started: float,
    *,
    passages: int = 0,
    taken_over: int = 0,
) -> AddReport:
    """The report of what began at ``started`` (of `time.perf_counter`) and ends now."""
    return AddReport(
        added=outcomes.get(Outcome.ADDED, 0),
        updated=outcomes.get(Outcome.UPDATED, 0),
        merged=outcomes.get(Outcome.MERGED, 0),
        unchanged=outcomes.get(Outcome.UNCHANGED, 0),
        skipped=tuple(skipped),
        passages=passages,
        seconds=time.perf_counter() - started,
        taken_over=taken_over,
    )


def _each(streams: Iterable[Iterator[Record | BadRecord]]) -> Iterator[Record | BadRecord]:
    for stream in streams:
        try:
            yield from stream
        except FileError as error:
            yield BadRecord(Place(""), str(error))


def _take_in(
    catalog: CatalogWriter, items: Iterable[Record | BadRecord], on_progress: OnProgress
) -> tuple[Counter[Outcome], list[BadRecord]]:
    outcomes: Counter[Outcome] = Counter()
    skipped: list[BadRecord] = []
    stream = iter(items)
    while batch := list(itertools.islice(stream, RECORDS_PER_COMMIT)):
        skipped += [item for item in batch if isinstance(item, BadRecord)]
        outcomes.update(catalog.put([item for item in batch if isinstance(item, Record)]))
        on_progress(Stage.READING, outcomes.total() + len(skipped), None)
    return outcomes, skipped


def embed_waiting(
    collection: Collection,
    writing: Writing,
    embedder: Embedder,
    on_progress: OnProgress,
    on_estimate: OnEstimate,
) -> int:
    """Give every paper that waits its passages and vectors; returns how many passages.

    Raises:
        EmbedderMismatchError: the embedder's vectors have another dimension than those held.
    """
    total = collection.catalog.counts()["unembedded"]
    if not total:
        return 0
    # The same name may stand for another model by now; then nothing may be marked as its work.
    collection.check_dimension(embedder.dimension)
    writing.catalog.set_meta(**identity(embedder))
    if total >= LONG:
        on_estimate(total, _expected_seconds(writing, embedder) * total)
    written = done = 0
    on_progress(Stage.EMBEDDING, 0, total)
    embedded = _embedded(writing, embedder)
    while batch := list(itertools.islice(embedded, PAPERS_PER_COMMIT)):
        written += writing.catalog.put_passages(batch)
        done += len(batch)
        if done % PAPERS_PER_FOLLOW == 0:
            writing.follow()
        on_progress(Stage.EMBEDDING, done, total)
    return written


def _expected_seconds(writing: Writing, embedder: Embedder) -> float:
    """Seconds a paper, from embedding a few of those that wait."""
    from rag.ingest.passages import PassageParser, cut_passages

    parser = PassageParser(max_tokens=embedder.max_tokens, count=embedder.count_tokens)
    few = writing.catalog.unembedded(0, _TIMED_PAPERS)
    cut = cut_passages(parser, [(held.paper, held.spans) for held in few])
    texts = [text for passages in cut for _, text in passages]
    embedder.embed(texts[:1])  # loading the model is not part of it
    started = time.perf_counter()
    embedder.embed(texts)
    return (time.perf_counter() - started) / len(few)


def _embedded(
    writing: Writing, embedder: Embedder
) -> Iterator[tuple[int, list[Passage], NDArray[np.float32]]]:
    """Every waiting paper's number, passages and vectors, in order."""
    import numpy as np

    from rag.ingest.passages import PassageParser, cut_passages

    parser = PassageParser(max_tokens=embedder.max_tokens, count=embedder.count_tokens)
    cut = (
        (held.number, passages)
        for page in _waiting(writing)
        for held, passages in zip(
            page, cut_passages(parser, [(held.paper, held.spans) for held in page]), strict=True
        )
    )
    papers, for_texts = itertools.tee(cut)
    vectors = embedder.embed_stream(text for _, pairs in for_texts for _, text in pairs)
    for number, pairs in papers:
        rows = list(itertools.islice(vectors, len(pairs)))
        yield number, [passage for passage, _ in pairs], np.stack(rows)


def _waiting(writing: Writing) -> Iterator[list[StoredPaper]]:
    after = 0
    while page := writing.catalog.unembedded(after, PAPERS_PER_COMMIT):
        yield page
        after = page[-1].number
