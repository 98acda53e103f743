"""What every tab has running, so that it can be stopped from its first moment on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ui.page.live import Live

LEAVE_S = 2.0  # how long to wait for the end of what is left


class Run:
    """A question of a tab on its way, which may still be waiting to be answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._stopped = False
        self._left = False
        self._ended = threading.Event()

    def begin(self, live: Live) -> None:
        """Say what is to be stopped."""
        with self._lock:
            self._live = live
            stopped = self._stopped
        if stopped:
            live.stop()

    def stop(self) -> None:
        """End it."""
        with self._lock:
            self._stopped = True
            live = self._live
        if live is not None:
            live.stop()

    def leave(self) -> None:
        """End it, and let nothing more of it be shown; returns when that is so."""
        self._left = True
        self.stop()
        self._ended.wait(LEAVE_S)

    def end(self) -> None:
        """Say that nothing more of it will be shown."""
        self._ended.set()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped

    @property
    def left(self) -> bool:
        """Whether the tab shows something else by now."""
        return self._left


class Runs:
    """What is running, by tab."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[tuple[str, Run]] = []

    @contextmanager
    def begun(self, session: str) -> Iterator[Run]:
        """A run of a tab, until left."""
        entry = session, Run()
        with self._lock:
            self._running.append(entry)
        try:
            yield entry[1]
        finally:
            entry[1].end()
            with self._lock:
                self._running.remove(entry)

    def stop(self, session: str) -> None:
        """End what a tab has running."""
        for run in self._of(session):
            run.stop()

    def leave(self, session: str) -> None:
        """End what a tab has running, and let nothing more of it be shown."""
        for run in self._of(session):
            run.leave()

    def _of(self, session: str) -> list[Run]:
        with self._lock:
            return [run for other, run in self._running if other == session]
