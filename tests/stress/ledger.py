"""What the writers of a load did, for its readers to know what must be found: a line a step.

A paper is being changed from the moment before its writer begins until it was acknowledged; what
is shown of it meanwhile may be the one or the other.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHANGING, HELD, REMOVED = "changing", "held", "removed"

_WHOSE = re.compile(r"Item(\d+)x stands here in version (\d+)\. ")


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of a paper, and when (of the clock that all processes share)."""

    number: int
    version: int
    state: str
    at: float


def title(number: int) -> str:
    """The title of a paper: a word that no other has."""
    return f"Load of item{number}x"


def abstract(number: int, version: int) -> str:
    """The abstract of a version of a paper: sentences of lengths that the other ones have not."""
    sentences = [
        f"It measures {'very ' * ((version + row) % 4)}well at {row * 1000 + version} points."
        for row in range(4 + version % 3)
    ]
    return f"Item{number}x stands here in version {version}. {' '.join(sentences)}"


def record(number: int, version: int) -> dict[str, Any]:
    """A version of a paper as a line of a file has it."""
    return {
        "title": title(number),
        "abstract": abstract(number, version),
        "doi": f"10.1000/load{number}",
    }


def version_of(text: str) -> tuple[int, int]:
    """The number and version of an abstract.

    Raises:
        ValueError: it is none of ours, or a mix of two.
    """
    found = _WHOSE.match(text)
    if found is None or text != abstract(int(found[1]), int(found[2])):
        raise ValueError(f"no abstract that was ever written: {text[:200]!r}")
    return int(found[1]), int(found[2])


class Ledger:
    """The file, to be written to and to be followed."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._path = path
        self._read = 0
        self.last: dict[int, Entry] = {}

    def write(self, number: int, version: int, state: str) -> None:
        """Note a step; many processes may."""
        line = json.dumps([number, version, state, time.monotonic()]) + "\n"
        out = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(out, line.encode())
        finally:
            os.close(out)

    def follow(self) -> None:
        """Read on: afterwards `last` has the last step of every paper."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            entry = Entry(*json.loads(line))
            self.last[entry.number] = entry
