"""A question being answered in a thread of its own, so that it can be stopped and timed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Protocol

from rag.errors import RagError
from rag.events import Event, Finished

EVERY_S = 0.05


class Stream(Protocol):
    """Events that can be broken off."""

    def __iter__(self) -> Iterator[Event]:
        """The events."""

    def close(self) -> None:
        """Break off; from any thread."""


class TookTooLongError(RagError):
    """An answer was not there in the time that it may take."""


class Live:
    """Runs a stream of events; whoever shows it takes them in batches.

    Args:
        events: begins the stream; called in the new thread.
        limit_s: after how many seconds it is given up.
    """

    def __init__(self, events: Callable[[], Stream], limit_s: float) -> None:
        self._events = events
        self._limit_s = limit_s
        self._queue: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, name="answering", daemon=True)

    def stop(self) -> None:
        """End it: nothing more is given, and what is under way is broken off."""
        self._stopped.set()
        self._end()

    def _end(self) -> None:
        self._over.set()
        self._queue.put(None)
        if self._stream is not None:
            with suppress(ValueError):  # a plain generator ends at its next step
                self._stream.close()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before it was finished."""
        return self._stopped.is_set()

    def batches(self) -> Generator[list[Event], None, None]:
        """What happened, in batches at most `EVERY_S` apart; ends with `Finished` or when stopped.

        Raises:
            TookTooLongError: the time limit passed; the work ends at its next step.
            RagError: what answering raises.
        """
        if self.stopped:
            return
        self._thread.start()
        end = time.monotonic() + self._limit_s
        try:
            while batch := self._batch(end):
                yield batch
                if isinstance(batch[-1], Finished):
                    return
        finally:
            self._end()

    def _batch(self, end: float) -> list[Event]:
        """Everything that came since the last batch; waits for the first. Empty at the end."""
        late = time.monotonic() >= end
        most = self._queue.qsize() if late else None
        try:
            item = self._queue.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise self._took_too_long() from None
        if isinstance(item, BaseException):
            raise item
        batch: list[Event] = []
        send_at = time.monotonic() + EVERY_S
        while item is not None and not isinstance(item, BaseException):
            batch.append(item)
            left_s = send_at - time.monotonic()
            if isinstance(item, Finished) or (left_s <= 0 if most is None else len(batch) >= most):
                break
            try:
                item = self._queue.get(timeout=max(0.0, left_s))
            except queue.Empty:
                break
        else:
            self._queue.put(item)  # the end or an error is told after what came before it
        if late and batch and not isinstance(batch[-1], Finished) and not self.stopped:
            raise self._took_too_long()
        return [] if self.stopped else batch

    def _took_too_long(self) -> TookTooLongError:
        return TookTooLongError(
            f"no answer within {self._limit_s:g} s; try again, or ask something smaller"
        )

    def _run(self) -> None:
        try:
            self._stream = self._events()
            for event in self._stream:
                if self._over.is_set():
                    break
                self._queue.put(event)
            self._stream.close()
            self._queue.put(None)
        except BaseException as error:  # raised where the events are taken
            self._queue.put(error)
