"""Figures that benches keep: JSON lines, one for each step that was measured; the last counts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE_NAME = "figures.jsonl"

Figures = Mapping[str, Any]
"""What a step gave, by name, with its unit in the name."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of figures, each of a step at a size (papers)."""

    path: Path

    def add(self, step: str, papers: int, figures: Figures) -> None:
        """Append what a step gave, with the date."""
        when = datetime.now(UTC).isoformat(timespec="seconds")
        row = {"step": step, "papers": papers, "when": when, **figures}
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    def last(self, step: str) -> dict[int, Figures]:
        """The last figures of a step, by size, the smallest first."""
        found = {row["papers"]: row for row in self._rows() if row["step"] == step}
        return dict(sorted(found.items()))

    def _rows(self) -> Iterator[Figures]:
        if self.path.exists():
            with self.path.open(encoding="utf-8") as lines:
                yield from (json.loads(line) for line in lines)


def told(figures: Figures) -> str:
    """Figures in a line, lists left out."""
    return ", ".join(
        f"{name} {rounded(value)}" for name, value in figures.items() if not isinstance(value, list)
    )


def rounded(value: float) -> str:
    """A number as people read it: three digits, or all before the point."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
