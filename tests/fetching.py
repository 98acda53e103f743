"""What the tests of live sources share: a clock that nobody waits for, and clients that use it."""

from __future__ import annotations

from rag.fetch.http import Pace, PoliteClient, Timing
from rag.models.chat.retrying import RetryBudget, TimeLimits

QUICK = TimeLimits(connect_s=1.0, stall_s=0.2, total_s=180.0)


class Clock:
    """Stands in for time: sleeping moves it on, and is remembered."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.time_s = 1000.0
        self.step_s = step_s
        self.slept: list[float] = []

    def now(self) -> float:
        self.time_s += self.step_s
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time_s += seconds

    @property
    def timing(self) -> Timing:
        return Timing(self.now, self.sleep, lambda: 0.5)


def client_of(
    url: str, clock: Clock, *, interval_s: float = 0.0, tries: int = 5, max_bytes: int = 10**6
) -> PoliteClient:
    """A client that keeps to a clock of its own, and does not wait long for a silent server."""
    return PoliteClient(
        url,
        "arXiv",
        pace=Pace(interval_s, clock.timing),
        limits=QUICK,
        retries=RetryBudget(tries=tries, within_s=300.0, base_s=3.0, cap_s=60.0),
        timing=clock.timing,
        max_bytes=max_bytes,
    )
