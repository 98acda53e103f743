"""How much a client may ask for: so many a minute, so many at once."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from rag.errors import RagError

MAX_CLIENTS = 10_000


class TooManyError(RagError):
    """A client asks for too much; ``wait_s`` seconds later it may try again."""

    def __init__(self, message: str, wait_s: int) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(slots=True)
class _Client:
    left: float
    seen: float
    running: int = 0


class Limits:
    """A bucket for each client: ``rate`` tokens a minute, no more than ``rate`` saved up.

    Safe to use from several threads. The clients that were seen last are remembered, at most
    `MAX_CLIENTS`.

    Args:
        rate: tokens a minute.
        at_once: how many things of one client may run together.
        clock: seconds, growing.
    """

    def __init__(
        self, rate: float, at_once: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._at_once = at_once
        self._clock = clock
        self._lock = Lock()
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    def spend(self, client: str, tokens: float = 1.0) -> None:
        """Take tokens from a client's bucket.

        Raises:
            TooManyError: not so many are left.
        """
        with self._lock:
            self._take(self._client(client), tokens)

    def check(self, client: str, tokens: float = 1.0) -> None:
        """See that a client has tokens left, and take none.

        Raises:
            TooManyError: not so many are left.
        """
        with self._lock:
            self._enough(self._client(client), tokens)

    @contextmanager
    def running(self, client: str, tokens: float = 1.0) -> Iterator[None]:
        """Take tokens, and count as running until left.

        Raises:
            TooManyError: not so many are left, or too much is running already.
        """
        with self._lock:
            known = self._client(client)
            if known.running >= self._at_once:
                raise TooManyError(
                    f"{known.running} of your questions are being answered, at most "
                    f"{self._at_once} may be at once; wait for one to end",
                    1,
                )
            self._take(known, tokens)
            known.running += 1
        try:
            yield
        finally:
            with self._lock:
                known.running -= 1

    def _client(self, name: str) -> _Client:
        now = self._clock()
        known = self._clients.pop(name, None) or _Client(self._rate, now)
        known.left = min(self._rate, known.left + (now - known.seen) * self._rate / 60)
        known.seen = now
        self._clients[name] = known
        while len(self._clients) > MAX_CLIENTS:
            self._clients.popitem(last=False)
        return known

    def _take(self, known: _Client, tokens: float) -> None:
        self._enough(known, tokens)
        known.left -= tokens

    def _enough(self, known: _Client, tokens: float) -> None:
        if known.left < tokens:
            wait_s = max(1, math.ceil((tokens - known.left) * 60 / self._rate))
            raise TooManyError(
                f"too much was asked in the last minute, {self._rate:g} a minute are answered; "
                f"try again in {wait_s} s",
                wait_s,
            )
