"""Readers and writers at once over one collection: threads and processes, for minutes.

    python -m tests.stress load [--minutes M]

Two writers, a thread and a process, take turns by the lock: they add, change and remove papers,
back up and rebuild. A third is impatient and has to be told that somebody else is writing. What a
writer has acknowledged must be found by every search that begins afterwards: the bound is 0 s.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.store.collection import Collection
from tests.load import memory_mb
from tests.makers import ROOT
from tests.stress.ledger import CHANGING, HELD, Ledger
from tests.stress.reading import Seen, read
from tests.stress.scenario import assistant, well, whole
from tests.stress.writing import PAPERS, push_in, write

THREADS, PROCESSES = 3, 2
# Memory is compared from the middle of a load on, when caches are there, if it is a long one.
_LONG_S = 60.0
MOST_GROWTH_MB = 40.0


def _read_watched(place: Path, until: float, seed: int) -> Seen:
    """Read, and look at the memory of this process ten times meanwhile."""
    memory, stop = [memory_mb(os.getpid())], threading.Event()
    every_s = max(0.1, (until - time.monotonic()) / 10)

    def watch() -> None:
        while not stop.wait(every_s):
            memory.append(memory_mb(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with assistant(place / "papers") as opened:
        seen = read(opened, Ledger(place / "ledger"), until, random.Random(seed))
    stop.set()
    watcher.join()
    seen.memory_mb = memory
    return seen


def _process(role: str, place: Path, until: float, number: int) -> dict[str, Any]:
    """Play a role in a process of its own; returns what that says at its end."""
    command = [sys.executable, "-m", "tests.stress", "load", role, str(place), str(until)]
    done = subprocess.run(
        [*command, str(number)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        return {"errors": [f"{role} exited with {done.returncode}: {done.stderr[-1000:]}"]}
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@dataclass
class Figures:
    """What came of a load."""

    readers: list[dict[str, Any]]
    writers: list[dict[str, Any]]
    told: int
    problems: list[str]

    @property
    def searches(self) -> int:
        """How many searches there were."""
        return sum(reader.get("searches", 0) for reader in self.readers)

    @property
    def acknowledged(self) -> int:
        """How many of them were for something that had been acknowledged."""
        return sum(reader.get("judged", 0) for reader in self.readers)

    def __str__(self) -> str:
        steps: Counter[str] = Counter()
        for writer in self.writers:
            steps.update(writer.get("steps", {}))
        missed = [r["missed_s"] for r in self.readers if r.get("missed_s") is not None]
        lingered = [r["lingered_s"] for r in self.readers if r.get("lingered_s") is not None]
        memory = "; ".join(
            f"{_middle(reader['memory_mb']):.0f} → {reader['memory_mb'][-1]:.0f}"
            for reader in self.readers
            if reader.get("memory_mb")
        )
        return "\n".join(
            [
                f"{self.searches:,} searches by {THREADS} threads, {PROCESSES} processes",
                f"{self.acknowledged:,} of them for something that had been acknowledged",
                f"writes: {', '.join(f'{count:,} {step}' for step, count in steps.items())}",
                f"an impatient writer was told {self.told:,} times that another is writing",
                f"worst staleness: missed {_seconds(missed)}, lingered {_seconds(lingered)}",
                f"memory of the reading processes in the middle → at the end (MB): {memory}",
                f"errors: {len(self.problems)}",
                *self.problems,
            ]
        )


def _middle(memory: list[float]) -> float:
    return memory[len(memory) // 2]


def _seconds(found: list[float]) -> str:
    return f"{max(found):.3f} s" if found else "never"


def load(seconds: float, seed: int) -> Figures:
    """Let them all work for a while and look at what is left.

    The directory stays where something was wrong.
    """
    place = Path(tempfile.mkdtemp(prefix="footnoted-load-"))
    Collection(place / "papers", create=True).close()
    until = time.monotonic() + seconds
    with assistant(place / "papers") as shared, ThreadPoolExecutor(16) as pool:
        reads: list[Future[Seen]] = [
            pool.submit(read, shared, Ledger(place / "ledger"), until, random.Random(seed + n))
            for n in range(THREADS)
        ]
        apart = [pool.submit(_process, "read", place, until, seed + n) for n in range(PROCESSES)]
        writes = pool.submit(write, place, 0, until, random.Random(seed))
        other = pool.submit(_process, "write", place, until, PAPERS)
        told = pool.submit(push_in, place, until)
        readers = [f.result().as_json() for f in reads] + [f.result() for f in apart]
        writers = [{"steps": writes.result().steps, "errors": writes.result().errors}]
        writers.append(other.result())
    problems = [error for each in (*readers, *writers) for error in each["errors"]]
    problems += _wrong(readers, is_long=seconds >= _LONG_S) + _left(place)
    if problems:
        problems.append(f"what is left stands in {place}")
    else:
        shutil.rmtree(place)
    return Figures(readers, writers, told.result(), problems)


def _wrong(readers: list[dict[str, Any]], *, is_long: bool) -> list[str]:
    """What is wrong with what the readers saw."""
    problems: list[str] = []
    for reader in readers:
        problems += [
            f"{name} {reader[name]:.3f}, where it must never happen"
            for name in ("missed_s", "lingered_s")
            if reader.get(name) is not None
        ]
        memory = reader.get("memory_mb")
        if is_long and memory and memory[-1] - _middle(memory) > MOST_GROWTH_MB:
            problems.append(f"memory grows: {[round(each) for each in memory]} MB")
    return problems


def _left(place: Path) -> list[str]:
    """What is wrong with the collection afterwards."""
    ledger = Ledger(place / "ledger")
    ledger.follow()
    held = {entry.number: entry for entry in ledger.last.values() if entry.state == HELD}
    try:
        counts = whole(place / "papers")
        well(place / "papers")
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    changing = sum(entry.state == CHANGING for entry in ledger.last.values())
    if not len(held) <= counts.papers <= len(held) + changing:
        return [f"{counts.papers} papers are held, {len(held)} were acknowledged"]
    return []


def main(arguments: list[str]) -> int:
    """Run a load, or play a role in one; returns the exit code."""
    if arguments[:1] == ["read"]:
        place, until, number = Path(arguments[1]), float(arguments[2]), int(arguments[3])
        print(json.dumps(_read_watched(place, until, number).as_json()))
        return 0
    if arguments[:1] == ["write"]:
        place, until, number = Path(arguments[1]), float(arguments[2]), int(arguments[3])
        written = write(place, number, until, random.Random(number))
        print(json.dumps({"steps": written.steps, "errors": written.errors}))
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.stress load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}", flush=True)
    figures = load(60.0 * given.minutes, given.seed)
    print(figures)
    return 1 if figures.problems else 0
