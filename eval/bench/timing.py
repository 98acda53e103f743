"""Times, percentiles and memory, the way every bench takes and prints them."""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

_P = ParamSpec("_P")
_T = TypeVar("_T")
_STATUS = Path("/proc/self/status")


def seconds_of(call: Callable[[], object]) -> float:
    """Wall-clock seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def percentiles_ms(seconds: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile, in milliseconds."""
    p50, p95 = np.percentile(np.array(seconds) * 1e3, [50, 95]).tolist()
    return p50, p95


def percentiles(seconds: Sequence[float]) -> str:
    """``p50 … p95 … (n=…)`` in milliseconds."""
    p50, p95 = percentiles_ms(seconds)
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms (n={len(seconds)})"


def peak_memory_mb() -> float:
    """The most memory this process has held at once, in MB (10**6 bytes).

    On Linux it is counted from the start of the program. `resource.getrusage` also counts what
    the process held that started it.
    """
    return _memory_mb("VmHWM")


def memory_mb() -> float:
    """The memory this process holds now, in MB (10**6 bytes); elsewhere than on Linux the most."""
    return _memory_mb("VmRSS")


def _memory_mb(field: str) -> float:
    if _STATUS.exists():
        found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def load() -> float:
    """How many processes wanted to run in the last minute, on average: other work disturbs."""
    return os.getloadavg()[0]


def in_own_process(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What ``work`` returns in a new process, so that memory and caches are its own.

    ``work`` is a function of a module; its arguments and its result can be pickled. What it
    raises is raised here.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()
