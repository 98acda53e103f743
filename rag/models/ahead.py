"""Work done ahead of whoever takes its results: on a few threads, in order, and never far ahead."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Generic, TypeVar

from rag.models.chat.wire import Wire

CLOSED = "closed"
"""Why a wire was cut whose result nobody waits for any more."""

# A call that cannot be cut is not waited for: its thread ends with it, or with the program.
_LEAVE_S = 2.0

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    work: Callable[[_Item, Wire], _Result],
    items: Iterable[_Item],
    *,
    threads: int,
    wake: Callable[[], object],
) -> Generator[_Result, None, None]:
    """Do some work for each item, so many at a time, while the consumer does something else.

    ``items`` is read on the consumer's thread, at most ``threads + 1`` ahead of the result that it
    holds. Once it ends, fails or is closed, what is under way is cut, and what has yet to begin
    finds its wire cut.

    Args:
        work: makes a result of an item, on any of the threads. Its wire is cut when the result is
            not needed any more, perhaps before it begins; it should end soon then.
        items: what to work on.
        threads: how many items are worked on at a time.
        wake: called after wires were cut, for work that waits for something else.

    Yields:
        The results, in the order of ``items``.

    Raises:
        Exception: the first failure, of an item or of reading the items, after all results before.
    """
    line, source = _Line(work, threads), iter(items)
    try:
        line.fill(source)
        while line.jobs:
            result = line.jobs[0].future.result()
            line.jobs.popleft()
            line.fill(source)
            yield result
        if line.unread is not None:
            raise line.unread
    finally:
        line.close(wake)


@dataclass(frozen=True, slots=True)
class _Job(Generic[_Item, _Result]):
    item: _Item
    wire: Wire = field(default_factory=Wire)
    future: Future[_Result] = field(default_factory=Future)


class _Line(Generic[_Item, _Result]):
    """Jobs in order, and the threads that take them from the front.

    ``unread`` is the error that ended the reading of items before their end.
    """

    def __init__(self, work: Callable[[_Item, Wire], _Result], threads: int) -> None:
        self.jobs: deque[_Job[_Item, _Result]] = deque()
        self.unread: Exception | None = None
        self._work = work
        self._threads = threads
        self._queue: SimpleQueue[_Job[_Item, _Result] | None] = SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._has_failed = False

    def fill(self, source: Iterator[_Item]) -> None:
        """Add jobs until enough wait, there are no more, or something has failed."""
        while len(self.jobs) <= self._threads and self.unread is None and not self._has_failed:
            try:
                item = next(source)
            except StopIteration:
                return
            except Exception as error:  # raised when all before it were given
                self.unread = error
                return
            self._add(item)

    def _add(self, item: _Item) -> None:
        if len(self._workers) < self._threads:
            worker = threading.Thread(target=self._run, name="embedding", daemon=True)
            worker.start()
            self._workers.append(worker)
        job: _Job[_Item, _Result] = _Job(item)
        self.jobs.append(job)
        self._queue.put(job)

    def close(self, wake: Callable[[], object]) -> None:
        """Cut what is under way, begin nothing more, and wait for the threads to end."""
        for job in self.jobs:
            job.wire.cut(CLOSED)
        wake()
        for _ in self._workers:
            self._queue.put(None)
        deadline = time.monotonic() + _LEAVE_S
        for worker in self._workers:
            if worker is not threading.current_thread():  # the garbage may be collected on it
                worker.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                job.future.set_result(self._work(job.item, job.wire))
            except BaseException as error:  # raised where the result is taken
                self._has_failed = True
                job.future.set_exception(error)
