"""Writers under load: they add, change and remove papers, back up and rebuild, and say so."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.errors import LockedError
from rag.store.collection import Collection
from tests.stress import scenario
from tests.stress.ledger import CHANGING, HELD, REMOVED, Ledger, record

PAPERS = 300
"""Papers of each writer."""

AT_ONCE = 8
# Every so many turns a writer makes the indexes anew, or a backup.
_REBUILD, _BACK_UP = 60, 35
_PAUSE_S = 0.02


@dataclass
class Written:
    """What a writer did: steps by kind, and errors."""

    steps: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


def write(place: Path, first: int, until: float, chance: random.Random) -> Written:
    """Change the papers from number ``first`` on, until the time is over."""
    written, ledger, versions = Written(), Ledger(place / "ledger"), Counter[int]()
    with scenario.assistant(place / "papers") as assistant:
        for turn in range(1, 10**9):
            if time.monotonic() > until:
                return written
            numbers = chance.sample(range(first, first + PAPERS), AT_ONCE)
            try:
                step = _turn(assistant, ledger, numbers, versions, turn, place / f"{first}.jsonl")
            except LockedError:
                step = "told that another is writing"
            except Exception as error:
                written.errors.append(f"{type(error).__name__}: {error}")
                return written
            written.steps[step] += 1
            time.sleep(_PAUSE_S)
    raise AssertionError


def _turn(
    assistant: Assistant,
    ledger: Ledger,
    numbers: list[int],
    versions: Counter[int],
    turn: int,
    file: Path,
) -> str:
    if turn % _REBUILD == 0:
        assistant.rebuild()
        return "rebuilt"
    if turn % _BACK_UP == 0:
        assistant.backup(file.with_suffix(".zip"))
        return "backed up"
    ledger.follow()
    held = [n for n in numbers if n in ledger.last and ledger.last[n].state == HELD]
    if turn % 3 == 0 and held:
        number = held[0]
        version = versions[number]
        ledger.write(number, version, CHANGING)
        assistant.remove(record(number, version)["doi"])
        ledger.write(number, version, REMOVED)
        return "removed"
    for number in numbers:
        ledger.write(number, versions[number], CHANGING)
        versions[number] += 1
    file.write_text("".join(json.dumps(record(n, versions[n])) + "\n" for n in numbers), "utf-8")
    assistant.add(file)
    for number in numbers:
        ledger.write(number, versions[number], HELD)
    return f"added or changed {AT_ONCE}"


def push_in(place: Path, until: float) -> int:
    """Try to write without patience; returns how often that was told to wait."""
    told = 0
    collection = Collection(place / "papers", create=False)
    while time.monotonic() < until:
        try:
            with collection.writing(StandInEmbedder(), 0.01):
                pass
        except LockedError:
            told += 1
        time.sleep(0.1)
    collection.close()
    return told
