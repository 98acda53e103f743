"""A process that is killed with SIGKILL: at a random moment, or before one of its file operations.

It is forked from a nursery, a process that has imported everything and done nothing, and says in
JSON lines what it has done. Operations are counted by Python's own audit events, so a kill can be
put between any two of them: between two renames, for example.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.makers import ROOT
from tests.stress.scenario import Said, Scenario

OPERATIONS = frozenset(
    {
        "open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod",
        "shutil.rmtree", "sqlite3.connect", "sqlite3.connect/handle",
    }
)  # fmt: skip
# What takes seconds to import; nothing of it may start a thread.
_SLOW = ("chromadb", "llama_index.core.node_parser", "httpx", "filelock", "rag.ingest.passages")


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill: so many seconds after the beginning, or before that operation (from 1)."""

    after_s: float | None = None
    operation: int = 0


NEVER = Moment()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a process said, whether it came to its end, and how long that took."""

    said: Said
    ended: bool
    seconds: float

    @property
    def operations(self) -> list[str]:
        """The file operations of the process, in order, if it came to its end."""
        return list(self.said[-1]["operations"]) if self.ended else []


class Nursery:
    """Where the processes come from, one at a time."""

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stress", "nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, cwd=ROOT,
        )  # fmt: skip
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()
        self._errors.close()

    def run(self, scenario: str, place: Path, moment: Moment = NEVER) -> Outcome:
        """Let a process do a scenario's work and kill it at the moment.

        Raises:
            RuntimeError: it failed by itself.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([scenario, str(place), moment.operation]) + "\n")
        self._process.stdin.flush()
        pid = int(self._next()["pid"])
        said: list[dict[str, Any]] = []
        started = finished = time.monotonic()
        killer = threading.Timer(moment.after_s or 0.0, os.kill, (pid, signal.SIGKILL))
        while "status" not in (line := self._next()):
            finished = time.monotonic()
            if "begin" in line:
                started = finished
                if moment.after_s is not None:
                    killer.start()
            said.append(line)
        killer.cancel()
        ended = bool(said) and "end" in said[-1]
        if not ended and line["status"] != signal.SIGKILL:
            self._errors.seek(0)
            raise RuntimeError(f"status {line['status']}: {self._errors.read()[-3000:]}")
        return Outcome(said, ended, finished - started)

    def _next(self) -> dict[str, Any]:
        """The next whole line; a half one was being said when its process was killed."""
        assert self._process.stdout is not None
        while text := self._process.stdout.readline():
            try:
                line: dict[str, Any] = json.loads(text)
            except ValueError:
                continue
            return line
        self._errors.seek(0)
        raise RuntimeError(f"the nursery is gone: {self._errors.read()[-3000:]}")


def nurse(scenario_of: Callable[[str], Scenario]) -> None:
    """Fork a process for every line that comes in, and say its number and how it ended."""
    for name in _SLOW:
        importlib.import_module(name)
    for line in sys.stdin:
        name, place, operation = json.loads(line)
        ready, go = os.pipe()
        if (child := os.fork()) == 0:
            os.read(ready, 1)
            _be_killed(scenario_of(name), Path(place), operation)
        print(json.dumps({"pid": child}), flush=True)
        os.write(go, b".")
        _, status = os.waitpid(child, 0)
        os.close(ready)
        os.close(go)
        print(f"\n{json.dumps({'status': status})}", flush=True)


def _be_killed(scenario: Scenario, place: Path, operation: int) -> None:
    """Do the work, in the process that is killed; it ends with it."""
    try:
        _work(scenario, place, operation)
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        code = 1
    os._exit(code)


def _work(scenario: Scenario, place: Path, operation: int) -> None:
    counted: list[str] = []

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event in OPERATIONS and str(place) in " ".join(map(str, arguments[:2])):
            counted.append(event)
            if len(counted) == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    def say(**values: object) -> None:
        print(json.dumps(values), flush=True)

    say(begin=True)
    sys.addaudithook(count)
    scenario.work(place, say)
    say(end=True, operations=counted)
