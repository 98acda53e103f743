"""From a live source into a collection: each page is safe before the next is asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rag.adding import AddReport, OnEstimate, OnProgress, Stage, embed_waiting
from rag.errors import FetchError, RefusedError
from rag.fetch.marks import META, Mark, mark_of, with_mark
from rag.schema import BadRecord, Record
from rag.store.writing import Outcome

if TYPE_CHECKING:
    from rag.fetch.http import PoliteClient
    from rag.fetch.pages import Page, Source
    from rag.models.embedder import Embedder
    from rag.store.collection import Collection

WAIT_FOR_LOCK_S = 120.0
"""A fetch takes minutes anyway: it waits for another writer that long."""

OnResume = Callable[[int], None]
"""Called once when a fetch goes on where an earlier one stopped, with the papers taken by then."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Tally:
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    skipped: list[BadRecord] = field(default_factory=list)

    def report(self, passages: int, seconds: float) -> AddReport:
        return AddReport(
            added=self.outcomes[Outcome.ADDED],
            updated=self.outcomes[Outcome.UPDATED],
            merged=self.outcomes[Outcome.MERGED],
            unchanged=self.outcomes[Outcome.UNCHANGED],
            skipped=tuple(self.skipped),
            passages=passages,
            seconds=seconds,
        )


def fetch_papers(
    collection: Collection,
    embedder: Embedder,
    source: Source,
    client: PoliteClient,
    *,
    max_papers: int | None,
    on_progress: OnProgress,
    on_estimate: OnEstimate,
    on_resume: OnResume | None = None,
    now: Callable[[], datetime] = _now,
) -> AddReport:
    """Take the papers of a source into a collection and embed what is new.

    The collection is locked while a page is written, not while one is waited for. An earlier
    fetch of the same that was cut off goes on where it stopped. When the source fails, what came
    before is embedded all the same.

    Args:
        collection: the collection.
        embedder: makes the vectors.
        source: the source, and what it is asked for.
        client: asks it.
        max_papers: take at most so many, counting those of the earlier fetch; None: all.
        on_progress: is told of every page.
        on_estimate: is told how long embedding will take where that is long.
        on_resume: is told if an earlier fetch goes on.
        now: tells the time.

    Raises:
        FetchError: the source did not answer as it should; says what was taken in before.
        LockedError: another process went on writing to the collection.
    """
    started = time.perf_counter()
    key = source.key if max_papers is None else f"{source.key} max={max_papers}"
    mark = mark_of(collection.catalog.meta(), key, now())
    if mark.taken and on_resume:
        on_resume(mark.taken)
    tally, failure = _Tally(), None
    try:
        room = None if max_papers is None else max_papers - mark.taken
        for page in source.pages(client, mark.position, room):
            kept = _cut(page, mark, max_papers)
            mark = Mark(page.position, mark.taken + len(kept))
            with collection.writing(embedder, WAIT_FOR_LOCK_S) as writing:
                tally.skipped += [item for item in kept if isinstance(item, BadRecord)]
                records = [item for item in kept if isinstance(item, Record)]
                tally.outcomes.update(writing.catalog.put(records))
                fetches = with_mark(collection.catalog.meta(), key, mark, now())
                writing.catalog.set_meta(**{META: fetches})
            on_progress(Stage.READING, mark.taken, _total(page.total, max_papers))
    except FetchError as error:
        failure = error
    with collection.writing(embedder, WAIT_FOR_LOCK_S) as writing:
        if failure is None:
            fetches = with_mark(collection.catalog.meta(), key, None, now())
            writing.catalog.set_meta(**{META: fetches})
        passages = embed_waiting(collection, writing, embedder, on_progress, on_estimate)
    report = tally.report(passages, time.perf_counter() - started)
    if failure is not None:
        raise _with_progress(failure, report, mark) from failure
    return report


def _cut(page: Page, mark: Mark, max_papers: int | None) -> tuple[Record | BadRecord, ...]:
    return page.items if max_papers is None else page.items[: max_papers - mark.taken]


def _total(total: int | None, max_papers: int | None) -> int | None:
    known = [number for number in (total, max_papers) if number is not None]
    return min(known) if total is not None else None


def _with_progress(failure: FetchError, report: AddReport, mark: Mark) -> FetchError:
    """The failure with what came before it, and what to do."""
    if not mark.taken:
        refused = isinstance(failure, RefusedError)
        return failure if refused else FetchError(f"{failure}; run the same command later")
    return FetchError(
        f"{failure}. Before that: {report}; run the same command later, it goes on after "
        f"{mark.taken:,} papers, where it stopped"
    )
