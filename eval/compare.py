"""Two runs over the same cases, side by side: what changed, and could it be chance?

Differences are ``b - a``, case by case. Runs that were not scored alike are refused: a number
from another case set or another tier says nothing about this one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import pstdev

from eval.measures import MEASURES
from eval.report.text import aligned, markdown_table, on_one_line, visible
from eval.schema import CaseScore, Run
from eval.statistics import (
    Interval,
    mcnemar_exact,
    paired_bootstrap,
    smallest_detectable_difference,
)
from rag.errors import InputError

_HEADINGS = ("measure", "a", "b", "b - a", "95% interval", "p", "n", "detectable")


@dataclass(frozen=True, slots=True)
class Flip:
    """A case whose 0/1 measure changed; the question is there to be shown."""

    case: str
    question: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure over the cases that have it in both runs.

    ``change`` is the mean of ``b - a`` with its interval, clustered by base case. ``p`` is
    McNemar's, exact, for measures that are 0 or 1 in every case, else None; it takes cases as
    independent, so where derived cases are among them, the interval is what counts.
    ``gained`` are the cases that went from 0 to 1 and ``lost`` those from 1 to 0.
    ``detectable`` is the least difference that this many base cases show with 80% power.
    ``unpaired`` cases have the measure in only one of the runs: they are counted, not compared.
    """

    measure: str
    a: float
    b: float
    change: Interval
    p: float | None
    gained: tuple[Flip, ...]
    lost: tuple[Flip, ...]
    detectable: float | None
    unpaired: int

    @property
    def title(self) -> str:
        """The measure's title, or its name if it has none."""
        return MEASURES[self.measure].title if self.measure in MEASURES else self.measure

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``differs``, or empty where it could be chance.

        It could be where the interval holds 0, or has no width: then the spread is unknown.
        """
        if self.change.low <= 0 <= self.change.high or self.change.low == self.change.high:
            return ""
        if self.measure not in MEASURES:
            return "differs"
        return "better" if (self.change.value > 0) == self._up else "worse"

    @property
    def _up(self) -> bool:
        return self.measure not in MEASURES or MEASURES[self.measure].higher_is_better


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run ``b`` against run ``a``: every measure that both have, in the measures' own order."""

    a: str
    b: str
    cases: int
    differences: tuple[Difference, ...]
    settings: tuple[str, ...]

    def text(self) -> str:
        """For a terminal: a table, then the flipped cases of every 0/1 measure."""
        lines = [
            visible(self._heading()),
            *map(visible, self.settings),
            "",
            aligned([_HEADINGS, *self._rows()]),
        ]
        for one in self.differences:
            for sign, flips in (("+", one.gained), ("-", one.lost)):
                lines.extend(f"{sign} {one.title}: {_shown(flip)}" for flip in flips)
        return "\n".join([*lines, "", self._caution()]) + "\n"

    def markdown(self) -> str:
        """The same for a file."""
        lines = [f"# {on_one_line(self._heading())}", ""]
        lines += [f"- {on_one_line(setting)}" for setting in self.settings]
        lines += ["", markdown_table(_HEADINGS, self._rows()), ""]
        for one in self.differences:
            if one.gained or one.lost:
                lines += [f"## {one.title}", ""]
                lines += [f"- gained: {on_one_line(_shown(flip))}" for flip in one.gained]
                lines += [f"- lost: {on_one_line(_shown(flip))}" for flip in one.lost]
                lines += [""]
        return "\n".join([*lines, self._caution()]) + "\n"

    def _heading(self) -> str:
        return f"{self.b} against {self.a}: {self.cases} cases"

    def _rows(self) -> list[tuple[str, ...]]:
        return [_row(one) for one in self.differences]

    def _caution(self) -> str:
        return (
            "Intervals are for one measure at a time: of "
            f"{len(self.differences)} measures about {len(self.differences) * 0.05:.1f} "
            "would differ by chance alone."
        )


def compare(a: Run, b: Run) -> Comparison:
    """What changed from run ``a`` to run ``b``, paired by case id.

    Raises:
        InputError: The runs are over other cases, or a measure was scored by other tiers.
    """
    _refuse_unlike(a, b)
    after = {score.case.id: score for score in b.scores}
    pairs = [(score, after[score.case.id]) for score in a.scores]
    held = {name for pair in pairs for score in pair for name in score.values}
    order = [name for name in MEASURES if name in held]
    order += sorted(held.difference(MEASURES))
    differences = (_difference(name, pairs) for name in order)
    return Comparison(
        a.id,
        b.id,
        len(pairs),
        tuple(one for one in differences if one is not None),
        tuple(_changed("answerer", {"": a.answerer}, {"": b.answerer}))
        + tuple(_changed("settings", a.settings, b.settings))
        + tuple(_changed("versions", a.versions, b.versions))
        + tuple(_changed("hashes", a.hashes, b.hashes)),
    )


def _refuse_unlike(a: Run, b: Run) -> None:
    first, second = a.hashes.get("cases"), b.hashes.get("cases")
    if first != second:
        raise InputError(
            f"{a.id} and {b.id} are over different cases (hash {first} and {second}): "
            "run both over the same case set"
        )
    cases_a = {score.case.id: score.case for score in a.scores}
    cases_b = {score.case.id: score.case for score in b.scores}
    unlike = [i for i in {**cases_a, **cases_b} if cases_a.get(i) != cases_b.get(i)]
    if unlike:
        raise InputError(
            f"{a.id} has {len(cases_a)} cases and {b.id} has {len(cases_b)}; {len(unlike)} are not "
            f"the same in both, the first is {unlike[0]!r}: finish both runs over the same cases"
        )
    tiers_a, tiers_b = _tiers(a), _tiers(b)
    for measure in tiers_a.keys() & tiers_b.keys():
        if tiers_a[measure] != tiers_b[measure]:
            raise InputError(
                f"{measure} was scored by {', '.join(sorted(tiers_a[measure]))} in {a.id} and by "
                f"{', '.join(sorted(tiers_b[measure]))} in {b.id}: score both with the same tiers"
            )


def _tiers(run: Run) -> dict[str, set[str]]:
    tiers: dict[str, set[str]] = {}
    for score in run.scores:
        for measure, tier in score.tiers.items():
            tiers.setdefault(measure, set()).add(tier)
    return dict(sorted(tiers.items()))


def _difference(measure: str, pairs: Sequence[tuple[CaseScore, CaseScore]]) -> Difference | None:
    both: list[tuple[CaseScore, float, float]] = []
    unpaired = 0
    for one, other in pairs:
        x, y = one.values.get(measure), other.values.get(measure)
        if x is not None and y is not None:
            both.append((one, x, y))
        elif (x is None) != (y is None):
            unpaired += 1
    clusters = [score.case.base_id for score, _, _ in both]
    before, after = [x for _, x, _ in both], [y for _, _, y in both]
    change = paired_bootstrap(after, before, clusters)
    if change is None:
        return None
    binary = _is_binary(measure, {*before, *after})
    gained = _flips(both, 0.0, 1.0) if binary else ()
    lost = _flips(both, 1.0, 0.0) if binary else ()
    return Difference(
        measure,
        sum(before) / len(both),
        sum(after) / len(both),
        change,
        mcnemar_exact(len(lost), len(gained)) if binary else None,
        gained,
        lost,
        _detectable([y - x for _, x, y in both], clusters, binary=binary),
        unpaired,
    )


def _is_binary(measure: str, values: set[float]) -> bool:
    if measure in MEASURES:
        return MEASURES[measure].kind == "proportion"
    return values <= {0.0, 1.0}


def _flips(both: Iterable[tuple[CaseScore, float, float]], x: float, y: float) -> tuple[Flip, ...]:
    return tuple(
        Flip(score.case.id, score.case.question) for score, a, b in both if (a, b) == (x, y)
    )


def _detectable(
    differences: Sequence[float], clusters: Sequence[str], *, binary: bool
) -> float | None:
    """Over base cases, each with the mean of its own: those are independent of one another."""
    grouped: dict[str, list[float]] = {}
    for cluster, difference in zip(clusters, differences, strict=True):
        grouped.setdefault(cluster, []).append(difference)
    means = [sum(values) / len(values) for values in grouped.values()]
    if binary:
        spread = math.sqrt(sum(mean**2 for mean in means) / len(means))
        return smallest_detectable_difference(len(means), spread, "proportion")
    return smallest_detectable_difference(len(means), pstdev(means))


def _changed(what: str, a: Mapping[str, object], b: Mapping[str, object]) -> Iterable[str]:
    for name in sorted({*a, *b}):
        if a.get(name) != b.get(name):
            yield f"{f'{what} {name}'.strip()}: {a.get(name)!r} -> {b.get(name)!r}"


def _row(one: Difference) -> tuple[str, ...]:
    change = one.change
    verdict = f" {one.verdict}" if one.verdict else ""
    return (
        one.title,
        f"{one.a:.3f}",
        f"{one.b:.3f}",
        f"{change.value:+.3f}{verdict}",
        "no spread" if change.low == change.high else f"{change.low:+.3f} to {change.high:+.3f}",
        "" if one.p is None else f"{one.p:.3f}",
        f"{change.n}" + (f" ({one.unpaired} unpaired)" if one.unpaired else ""),
        "unknown" if one.detectable is None else f"{one.detectable:.3f}",
    )


def _shown(flip: Flip) -> str:
    return visible(f"{flip.case} {flip.question}")
