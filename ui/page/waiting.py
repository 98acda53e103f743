"""Waiting for a place: in order of arrival, for a while, and only until one is stopped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock

from ui.page.limits import TooManyError

_LOOK_EVERY_S = 0.1  # whether the one who waits was stopped
_RETRY_S = 5
_MOST_BEHIND = 8

Stopped = Callable[[], bool]


class Places:
    """So many may be inside at once, so many more may wait; first come, first served.

    Args:
        places: how many may be inside.
        most_waiting: how many may wait for a place.
        full: what those are told who find none.
    """

    def __init__(self, places: int, most_waiting: int, full: str) -> None:
        self._changed = Condition()
        self._free = places
        self._most_waiting = most_waiting
        self._full = full
        self._waiting: deque[object] = deque()

    @contextmanager
    def taken(self, wait_s: float, stopped: Stopped) -> Iterator[None]:
        """Hold a place until left; who is stopped while waiting goes on without one.

        Raises:
            TooManyError: too many wait already, or there was no place within ``wait_s``.
        """
        with self._changed:
            held = self._take(time.monotonic() + wait_s, stopped)
        try:
            yield
        finally:
            if held:
                with self._changed:
                    self._free += 1
                    self._changed.notify_all()

    def _take(self, end: float, stopped: Stopped) -> bool:
        """Whether there is a place now."""
        if not (self._free and not self._waiting) and len(self._waiting) >= self._most_waiting:
            raise TooManyError(self._full, _RETRY_S)
        me = object()
        self._waiting.append(me)
        try:
            while not (self._free and self._waiting[0] is me):
                if stopped():
                    return False
                if time.monotonic() >= end:
                    raise TooManyError(self._full, _RETRY_S)
                self._changed.wait(_LOOK_EVERY_S)
            self._free -= 1
            return True
        finally:
            self._waiting.remove(me)
            self._changed.notify_all()


class OneByOne:
    """Of everything that has the same name, one at a time.

    Args:
        full: what those are told who wait in vain.
    """

    def __init__(self, full: str) -> None:
        self._full = full
        self._lock = Lock()
        self._known: dict[object, tuple[Places, int]] = {}

    @contextmanager
    def turn(self, name: object, wait_s: float, stopped: Stopped) -> Iterator[None]:
        """Be the only one of that name until left; who is stopped while waiting is not.

        Raises:
            TooManyError: too many wait already, or in vain for ``wait_s``.
        """
        with self._lock:
            places, users = self._known.get(name) or (Places(1, _MOST_BEHIND, self._full), 0)
            self._known[name] = places, users + 1
        try:
            with places.taken(wait_s, stopped):
                yield
        finally:
            with self._lock:
                users = self._known[name][1] - 1
                self._known[name] = places, users
                if not users:
                    del self._known[name]
