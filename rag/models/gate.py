"""How many requests an endpoint gets at a time, and when none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rag.models.chat.wire import Wire


class Gate:
    """Lets so many requests through at a time; when told to slow down, none for a while, then one.

    After that, one more at a time for every ``2 * limit`` that came back. A request that was
    refused because of others thus meets none of them when it is sent again, although they were
    read ahead with it. Used from any thread.

    Args:
        limit: how many requests may be under way at a time.
        clock: seconds from some fixed point.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = self._room = limit
        self._clock = clock
        self._under_way = self._back = 0
        self._held_until = clock()
        self._changed = threading.Condition()

    def enter(self, wire: Wire, *, at_once: bool = False) -> bool:
        """Wait for the turn of a request, which is over with `leave`.

        Args:
            wire: the request's; once it is cut (see `wake`), the request may not be sent.
            at_once: whether to wait only while none may be sent, not for others to come back.

        Returns:
            Whether the request may be sent.
        """
        with self._changed:
            while wire.why is None:
                held_s = self._held_s()
                if held_s <= 0 and (at_once or self._under_way < self._room):
                    self._under_way += 1
                    return True
                self._changed.wait(held_s if held_s > 0 else None)
            return False

    def leave(self) -> None:
        """A request that was let through has come back."""
        with self._changed:
            self._under_way -= 1
            self._back += 1
            if self._room < self._limit and self._back > 2 * self._limit:
                self._room, self._back = self._room + 1, 0
            self._changed.notify_all()

    def slow(self, pause_s: float) -> None:
        """Let none through for so many seconds, and then one at a time."""
        with self._changed:
            self._room, self._back = 1, 0
            self._held_until = max(self._held_until, self._clock() + pause_s)

    def wake(self) -> None:
        """Have those who wait see whether their wire is cut."""
        with self._changed:
            self._changed.notify_all()

    def _held_s(self) -> float:
        return self._held_until - self._clock()
