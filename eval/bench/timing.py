"""Percentiles and memory, the way every bench prints them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence

import numpy as np


def seconds_of(call: Callable[[], object]) -> float:
    """Wall-clock seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def percentiles(seconds: Sequence[float]) -> str:
    """``p50 … p95 … (n=…)`` in milliseconds."""
    p50, p95 = np.percentile(np.array(seconds) * 1e3, [50, 95])
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms (n={len(seconds)})"


def peak_memory_mb() -> float:
    """The most memory this process has held at once, in MB (10**6 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
