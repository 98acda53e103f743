"""How long to wait for an answer, and when to ask again: the one place that decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds to wait for a connection, between two signs of life, and for the whole answer.

    A server that has yet to load its model, or that reads the prompt on a CPU, is silent for long
    before it begins: ``stall_s`` holds then too. ``grace_s`` is for what may follow an answer
    that is complete: the token counts, and the end of the connection.
    """

    connect_s: float = 10.0
    stall_s: float = 120.0
    total_s: float = 600.0
    grace_s: float = 2.0


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How often, and until when, a request that failed for a passing reason is repeated.

    Pauses have full jitter: anything between 0 and ``base_s``, then twice that, at most
    ``cap_s`` (Brooker, "Exponential backoff and jitter", AWS 2015). No try begins later than
    ``within_s`` after the first.
    """

    tries: int = 3
    within_s: float = 60.0
    base_s: float = 1.0
    cap_s: float = 10.0

    def pause_s(
        self, tried: int, elapsed_s: float, retry_after_s: float | None, chance: float
    ) -> float | None:
        """Seconds to wait before the next try; None: there is none.

        Args:
            tried: tries so far, from 1.
            elapsed_s: since the first began.
            retry_after_s: what the endpoint asks for; it is waited for in full or not at all.
            chance: from 0 to 1, drawn anew each time.
        """
        if tried >= self.tries:
            return None
        pause_s: float = chance * min(self.cap_s, self.base_s * 2 ** (tried - 1))
        if retry_after_s is not None:
            pause_s = max(pause_s, retry_after_s)
        return pause_s if elapsed_s + pause_s <= self.within_s else None


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3); None if it is unusable."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)
