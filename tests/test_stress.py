"""A little of ``make stress``: kills at random moments, and readers and writers at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stress.killing import SCENARIOS, rounds_of
from tests.stress.load import load
from tests.stress.process import Nursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


@pytest.mark.parametrize("name", ["add", "import", "rebuild", "fetch"])
def test_a_writer_killed_at_random_moments_loses_nothing(
    nursery: Nursery, tmp_path: Path, name: str
) -> None:
    tally = rounds_of(nursery, SCENARIOS[name](), tmp_path / "place", 1, random.Random(7))
    assert not tally.lost, tally.lost
    assert tally.kills == 1


def test_readers_and_writers_at_once_see_nothing_half_or_stale() -> None:
    figures = load(seconds=6.0, seed=7)
    assert not figures.problems, str(figures)
    assert figures.searches > 10
    assert figures.acknowledged > 0
