"""Every fault by name, and all of them over and over: ``python -m tests.stress faults``."""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.stress import backup_faults, catalog_faults, disk_faults, index_faults
from tests.stress.commands import COMMANDS, template
from tests.stress.disks import CannotMountError

Check = Callable[[Path, Path, random.Random], str]
"""Disturbs a copy of a template in an empty directory; returns the message that came of it.

The message is empty where the fault changed nothing. Raises `AssertionError` where something was
lost or was not told.
"""


def _faults() -> Iterator[tuple[str, Check]]:
    for command in COMMANDS:
        yield f"full disk: {command}", partial(disk_faults.full_disk, command)
    for command in COMMANDS:
        yield f"read-only: {command}", partial(disk_faults.read_only_disk, command)
    for command in disk_faults.READING:
        yield f"read-only, file elsewhere: {command}", partial(disk_faults.elsewhere, command)
    for command in COMMANDS:
        yield f"no permission: {command}", partial(disk_faults.not_permitted, command)
    yield (
        "no permission to look",
        lambda held, place, _: disk_faults.place_not_permitted(held, place),
    )
    for damage in catalog_faults.LOG_DAMAGES:
        yield f"catalog {damage}", partial(catalog_faults.damaged_log, damage)
    for fill in catalog_faults.FILLS:
        yield f"catalog page of {fill}", partial(_some_page, fill)
    for tenth in range(10):
        yield f"backup, {tenth} tenths of it", partial(backup_faults.half_written, tenth)
    yield "backup with a changed byte", backup_faults.changed_byte


def _some_page(fill: str, held: Path, place: Path, chance: random.Random) -> str:
    page = chance.randrange(catalog_faults.pages(held))
    return catalog_faults.damaged_page(fill, page, held, place, chance)


FAULTS: Mapping[str, Check] = dict(_faults())


@dataclass(slots=True)
class Tally:
    """What came of a fault: how often it was tried, how often it was told, the last message."""

    name: str
    tried: int = 0
    told: int = 0
    message: str = ""
    wrong: str = ""

    def __str__(self) -> str:
        outcome = f"WRONG: {self.wrong}" if self.wrong else self.message
        return f"{self.name:<45} {self.tried:>5} {self.told:>5}  {outcome}"


HEAD = f"{'fault':<45} {'tried':>5} {'told':>5}  message"


def tried(name: str, held: Path, place: Path, times: int, chance: random.Random) -> Tally:
    """Try one fault so often; what was wrong stays at the place."""
    tally = Tally(name)
    for number in range(times):
        here = place / f"{name} {number}".replace("/", " ")
        here.mkdir(parents=True)
        try:
            message = FAULTS[name](held, here, chance)
        except CannotMountError as error:
            tally.message = f"not tried: {error}"
            break
        except Exception as error:
            tally.wrong = f"{type(error).__name__}: {error} (see {here})"
            break
        tally.tried, tally.told = tally.tried + 1, tally.told + bool(message)
        tally.message = message or tally.message
        shutil.rmtree(here)
    return tally


def index_tallies(place: Path, chance: random.Random) -> Iterator[Tally]:
    """Damage every file of an index in every way, and look at what search and rebuild do."""
    held = index_faults.big(place / "big")
    damaged = index_faults.damaged(held, place, chance, tuple(index_faults.DAMAGES))
    for copy, found in zip(damaged, index_faults.looked_into(damaged), strict=True):
        said = found.get("warnings", ["a crash, made again at the next search"])
        tally = Tally(f"chroma: {copy.name}", 1, bool(said), (said or [""])[0])
        if found["again"] != len(index_faults.SOUGHT) or not found["rebuilt"]:
            tally.wrong = f"{found} (see {copy})"
        else:
            shutil.rmtree(copy)
        yield tally


def main(arguments: list[str]) -> int:
    """Try every fault; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress faults", description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args(arguments)
    chance, place = random.Random(given.seed), Path(tempfile.mkdtemp(prefix="footnoted-faults-"))
    held = template(place / "template")
    total = wrong = 0
    print(f"seed {given.seed}\n{HEAD}")
    tallies = (tried(name, held, place, given.times, chance) for name in FAULTS)
    for tally in itertools.chain(tallies, index_tallies(place, chance)):
        print(tally, flush=True)
        total, wrong = total + tally.tried, wrong + bool(tally.wrong)
    print(f"{total} faults, {wrong} of them did not end as they should")
    if not wrong:
        shutil.rmtree(place)
    return 1 if wrong else 0
