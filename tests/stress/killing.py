"""Kill a command at random moments and look at what is left, over and over."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.stress.adding import Adding
from tests.stress.backing_up import BackingUp
from tests.stress.exporting import Exporting
from tests.stress.fetching import Fetching
from tests.stress.importing import Importing
from tests.stress.process import NEVER, Moment, Nursery, Outcome
from tests.stress.rebuilding import Rebuilding
from tests.stress.removing import Removing
from tests.stress.restoring import Restoring
from tests.stress.scenario import Scenario

SCENARIOS: Mapping[str, Callable[[], Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Adding, BackingUp, Restoring, Importing, Exporting, Rebuilding, Removing, Fetching,
    )
}  # fmt: skip
# Kills fall a little behind the end too, when the time that was measured was a quick one.
_BEHIND = 1.1


@dataclass(slots=True)
class Tally:
    """What became of one scenario: kills by how they were placed, runs that came to their end."""

    name: str
    in_time: int = 0
    at_operation: int = 0
    ended: int = 0
    lost: str = ""

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return self.in_time + self.at_operation

    def count(self, moment: Moment, outcome: Outcome) -> None:
        """Count a round."""
        if outcome.ended:
            self.ended += 1
        elif moment.operation:
            self.at_operation += 1
        else:
            self.in_time += 1

    def __str__(self) -> str:
        lost = f"LOST: {self.lost}" if self.lost else "nothing lost"
        return (
            f"{self.name:<18} {self.kills:>5} {self.in_time:>7} {self.at_operation:>9} "
            f"{self.ended:>10}  {lost}"
        )


HEAD = f"{'command':<18} {'kills':>5} {'in time':>7} {'at a file':>9} {'to the end':>10}"


def rounds_of(
    nursery: Nursery, scenario: Scenario, place: Path, rounds: int, chance: random.Random
) -> Tally:
    """Kill and look so often that ``rounds`` processes were killed, then let one come to its end.

    ``place`` stays where something was lost.
    """
    tally = Tally(scenario.name)
    place.mkdir(parents=True)
    try:
        scenario.prepare(place)
        first = _round(nursery, scenario, place, NEVER, tally)
        for moment in _moments(first, chance):
            if tally.kills == rounds:
                break
            _round(nursery, scenario, place, moment, tally)
        _round(nursery, scenario, place, NEVER, tally)
    except Exception as error:
        tally.lost = f"{type(error).__name__}: {error} (see {place})"
    else:
        shutil.rmtree(place)
    finally:
        scenario.close()
    return tally


def _round(
    nursery: Nursery, scenario: Scenario, place: Path, moment: Moment, tally: Tally
) -> Outcome:
    scenario.change(place)
    outcome = nursery.run(scenario.name, place, moment)
    tally.count(moment, outcome)
    scenario.look(place, outcome.said, ended=outcome.ended)
    if outcome.ended:
        scenario.renew(place)
    return outcome


def _moments(first: Outcome, chance: random.Random) -> Iterator[Moment]:
    """By turns a random time and a random operation of those that the first process needed."""
    while True:
        yield Moment(after_s=chance.uniform(0.0, _BEHIND * first.seconds))
        yield Moment(operation=chance.randint(1, max(1, len(first.operations))))


def kill(rounds: int, seed: int, names: Sequence[str] = ()) -> Iterator[Tally]:
    """Kill ``rounds`` processes in all, of every scenario the same share; yields what came of each.

    What is left where something was lost stays in the directory that is named.
    """
    chance = random.Random(seed)
    chosen = names or tuple(SCENARIOS)
    directory = Path(tempfile.mkdtemp(prefix="footnoted-stress-"))
    lost = False
    with Nursery() as nursery:
        for position, name in enumerate(chosen):
            share = rounds // len(chosen) + (position < rounds % len(chosen))
            place = directory / name.replace(" ", "-")
            tally = rounds_of(nursery, SCENARIOS[name](), place, share, chance)
            lost = lost or bool(tally.lost)
            yield tally
    if not lost:
        shutil.rmtree(directory)
