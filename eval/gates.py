"""Gates: what a run must reach to pass. A gate over nothing fails; unknown is not good enough."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from eval.schema import CATEGORIES, CaseScore
from eval.summary import OVERALL, Row, summarise
from rag.errors import InputError

GATES = Path(__file__).parent / "gates.toml"
"""The gates that `eval run` uses unless it is told otherwise."""
SPLITS = ("all", "dev", "test")
_ENDS = ("value", "low", "high")


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on one measure: ``at`` (the value or an end of its interval) in ``min``..``max``."""

    measure: str
    split: str
    at: str
    min: float | None = None
    max: float | None = None
    category: str | None = None

    def __str__(self) -> str:
        where = f"{self.split}, {self.category}" if self.category else self.split
        bounds = [f"at least {self.min:g}"] if self.min is not None else []
        bounds += [f"at most {self.max:g}"] if self.max is not None else []
        end = "" if self.at == "value" else f", {self.at} end of its interval,"
        return f"{self.measure} ({where}){end} {' and '.join(bounds)}"


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether a run passed a gate, the number that was looked at, and why it passed or failed."""

    gate: Gate
    passed: bool
    found: float | None
    why: str


def load_gates(path: Path = GATES) -> tuple[Gate, ...]:
    """The gates of a TOML file, in its order.

    Raises:
        InputError: The file cannot be read, or a gate has an unknown field or value.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"gates cannot be read from {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    entries = data.get("gate", [])
    if set(data) - {"gate"} or not isinstance(entries, list):
        raise InputError(f"{path} may hold only [[gate]] tables, got {sorted(data)}")
    return tuple(_gate(entry, f"{path}, gate {i}") for i, entry in enumerate(entries, start=1))


def _gate(entry: Mapping[str, Any], where: str) -> Gate:
    known = {field.name for field in fields(Gate)}
    if unknown := set(entry) - known:
        raise InputError(f"{where}: unknown field {min(unknown)!r}; there are {sorted(known)}")
    if not isinstance(entry.get("measure"), str):
        raise InputError(f"{where}: measure must be the name of one, got {entry.get('measure')!r}")
    _one_of(where, "split", entry.get("split"), SPLITS)
    _one_of(where, "at", entry.get("at", "value"), _ENDS)
    if "category" in entry:
        _one_of(where, "category", entry["category"], CATEGORIES)
    for name in {"min", "max"} & set(entry):
        value = entry[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
            raise InputError(f"{where}: {name} must be a number, got {value!r}")
    if "min" not in entry and "max" not in entry:
        raise InputError(f"{where}: give min, max or both; without them nothing can fail")
    return Gate(**{"at": "value", **entry})


def _one_of(where: str, name: str, value: object, allowed: Iterable[str]) -> None:
    names = list(allowed)
    if value not in names:
        raise InputError(f"{where}: {name} {value!r} is unknown; there are {', '.join(names)}")


def rows_by_split(scores: Sequence[CaseScore]) -> dict[str, list[Row]]:
    """The summaries that gates look at: of all cases, and of each split."""
    return {
        split: summarise([score for score in scores if split in ("all", score.case.split)])
        for split in SPLITS
    }


def check_gates(rows: Mapping[str, Sequence[Row]], gates: Iterable[Gate]) -> list[GateResult]:
    """What became of each gate, in order; ``rows`` are those of `rows_by_split`.

    Raises:
        InputError: A gate asks for a measure or a split that was not summarised.
    """
    return [_check(rows, gate) for gate in gates]


def _check(rows: Mapping[str, Sequence[Row]], gate: Gate) -> GateResult:
    _one_of(f"gate {gate}", "split", gate.split, rows)
    known = dict.fromkeys(row.measure for row in rows[gate.split] if row.group == OVERALL)
    _one_of(f"gate {gate}", "measure", gate.measure, known)
    group = gate.category or OVERALL
    found = None
    for row in rows[gate.split]:
        if (row.measure, row.group) == (gate.measure, group):
            found = row.value if gate.at == "value" else getattr(row.interval, gate.at, None)
    if found is None:
        return GateResult(gate, False, None, "no case gives it a value")
    if gate.min is not None and found < gate.min:
        return GateResult(gate, False, found, f"{found:.4g} is below {gate.min:g}")
    if gate.max is not None and found > gate.max:
        return GateResult(gate, False, found, f"{found:.4g} is above {gate.max:g}")
    return GateResult(gate, True, found, f"{found:.4g}")
