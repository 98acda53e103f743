from __future__ import annotations

from tests.stress import stress


def test_a_writer_killed_at_random_moments_loses_nothing() -> None:
    assert "nothing lost" in stress(rounds=6, papers=300, longest_s=0.6, seed=7)
