"""``python -m tests.stress [ROUNDS]``: kill, and look at what is left; ``make stress`` does more.

    python -m tests.stress [ROUNDS] [--only COMMAND …] [--seed N]   kill -9, ROUNDS (200) in all
    python -m tests.stress load [--minutes M]                      readers and writers at once
    python -m tests.stress faults [--times N]                      full disks, damaged files, …

Exits with 1 when something was lost.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.stress.index_faults import look
from tests.stress.killing import HEAD, SCENARIOS, kill
from tests.stress.process import nurse

ROUNDS = 200


def main(arguments: list[str]) -> int:
    """Run what the arguments name; returns the exit code."""
    if arguments == ["nursery"]:
        nurse(lambda name: SCENARIOS[name]())
        return 0
    if arguments[:1] == ["look"]:
        look([Path(place) for place in arguments[1:]])
        return 0
    if arguments[:1] == ["load"]:
        from tests.stress.load import main as load

        return load(arguments[1:])
    if arguments[:1] == ["faults"]:
        from tests.stress.faults import main as faults

        return faults(arguments[1:])
    return _kill(arguments)


def _kill(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", choices=tuple(SCENARIOS), default=())
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args(arguments)
    started, lost, kills = time.monotonic(), 0, 0
    print(f"seed {given.seed}\n{HEAD}")
    for tally in kill(given.rounds, given.seed, given.only):
        print(tally, flush=True)
        lost, kills = lost + bool(tally.lost), kills + tally.kills
    print(f"{kills} kills in {time.monotonic() - started:.0f} s, in {lost} commands something lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
