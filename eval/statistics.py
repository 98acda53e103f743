"""Intervals, tests and agreement: small pure functions, None over nothing.

Levels are 95% throughout. Cases that were derived from one base case are not independent, so
resampling draws whole clusters (base cases); treating them as independent makes intervals too
narrow (Miller 2024, "Adding Error Bars to Evals").
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEED = 20_261_121
RESAMPLES = 10_000
LEVEL = 0.95
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_FEWEST_DISCORDANT = 6
"""With 5 pairs that differ, all one way, McNemar's exact p is 0.0625; with 6 it is 0.031."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95% interval, ``low <= high``, over ``n`` observations."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: float, n: int) -> Interval | None:
    """Score interval of a proportion, from 0 to 1 (Wilson 1927); None if ``n`` is 0.

    Centre ``(p + z²/2n) / (1 + z²/n)``, half width
    ``z·sqrt(p(1-p)/n + z²/4n²) / (1 + z²/n)``. Never of zero width: 20 of 20 gives 0.84 to 1.

    Raises:
        ValueError: If ``successes`` is not from 0 to ``n``.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be from 0 to n={n}, got {successes}")
    return None if n == 0 else _wilson(successes / n, n, n)


def clustered_wilson(values: ArrayLike, clusters: Sequence[Hashable]) -> Interval | None:
    """Wilson's interval with the effective sample size; None over nothing.

    ``values`` are from 0 to 1 and of shape (n,). The effective size is ``n / deff`` (Korn &
    Graubard 1998); deff, Kish's design effect, is the variance of the mean over clusters divided
    by that over independent values, at least 1. Without clusters it is `wilson`. Where values
    have no spread, deff is unknown and each cluster counts once. For values between 0 and 1 the
    interval is too wide rather than too narrow: no such variable varies more than a proportion.
    """
    sums, sizes = _by_cluster(values, clusters)
    n, groups = int(sizes.sum()), len(sizes)
    if not n:
        return None
    each = np.asarray(values, np.float64)
    mean = float(min(max(each.mean(), 0.0), 1.0))
    independent = float(((each - mean) ** 2).sum()) / (n * max(n - 1, 1))
    if groups < 2 or independent < 1e-15:
        return _wilson(mean, groups, n)
    clustered = groups / (groups - 1) * float(((sums - sizes * mean) ** 2).sum()) / n**2
    return _wilson(mean, max(1.0, n / max(1.0, clustered / independent)), n)


def _wilson(p: float, size: float, n: int) -> Interval:
    scale = 1 + _Z**2 / size
    centre = (p + _Z**2 / (2 * size)) / scale
    half = _Z * math.sqrt(p * (1 - p) / size + _Z**2 / (4 * size**2)) / scale
    return Interval(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)), n)


def clustered_bootstrap_mean(
    values: ArrayLike, clusters: Sequence[Hashable], seed: int = SEED, resamples: int = RESAMPLES
) -> Interval | None:
    """Percentile bootstrap of the mean, whole clusters drawn (Davison & Hinkley 1997, 3.8).

    ``values`` has shape (n,), ``clusters`` names the base case of each. None over nothing.
    Values without spread, or of one cluster, give an interval of zero width: that means that the
    spread is unknown, not that the mean is known (see `clustered_wilson`). Below about 20
    clusters percentile intervals are somewhat too narrow.
    """
    return clustered_bootstrap_ratio(values, np.ones(len(clusters)), clusters, seed, resamples)


def clustered_bootstrap_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: Sequence[Hashable],
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Percentile bootstrap of ``sum(numerators) / sum(denominators)``, whole clusters drawn.

    Each argument has length n. F1 is such a ratio: ``2·TP / (2·TP + FP + FN)``. Resamples whose
    denominator is 0 are left out; None if the sample's own is.
    """
    over, sizes = _by_cluster(numerators, clusters)
    under, _ = _by_cluster(denominators, clusters)
    if not under.sum() > 0:
        return None
    random = np.random.default_rng(seed)
    counts = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), resamples)
    drawn = counts @ under
    ratios = (counts @ over)[drawn > 0] / drawn[drawn > 0]
    value = float(over.sum() / under.sum())
    low, high = np.percentile(ratios, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Interval(value, min(float(low), value), max(float(high), value), int(sizes.sum()))


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Percentile bootstrap of the mean of ``a - b`` over the same cases; None over nothing.

    Both have shape (n,); without ``clusters`` every case stands alone. An interval that does not
    hold 0 is a difference at the 5% level (Efron & Tibshirani 1993, chapter 13).

    Raises:
        ValueError: If ``a`` and ``b`` differ in length.
    """
    differences = _same_length(a, b)[0] - _same_length(a, b)[1]
    groups = range(len(differences)) if clusters is None else clusters
    return clustered_bootstrap_mean(differences, groups, seed, resamples)


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact p of McNemar's test (1947), from 0 to 1.

    ``b`` cases were right only before, ``c`` only after: ``2·P(X <= min(b, c))`` for X binomial
    of ``b + c`` and ½, at most 1. Nothing flipped: 1.

    Raises:
        ValueError: If a count is negative.
    """
    if min(b, c) < 0:
        raise ValueError(f"counts must not be negative, got b={b}, c={c}")
    tail = sum(math.comb(b + c, i) for i in range(min(b, c) + 1))
    return float(min(1.0, 2 * tail / 2 ** (b + c)))


def smallest_detectable_difference(
    n: int,
    spread: float,
    kind: Literal["proportion", "mean"] = "mean",
    power: float = 0.8,
) -> float | None:
    """The least true difference of paired means that ``n`` pairs show with ``power``, at 5%.

    ``(z(0.975) + z(power)) · spread / sqrt(n)``, the normal approximation (Connor 1987 for
    proportions; Card et al. 2020 on why to report it). ``n`` counts independent pairs: clusters,
    where there are any. ``spread`` is the standard deviation of the differences; for proportions
    the root of the share of pairs that differ, and the result is at least ``6/n``, below which
    McNemar's exact test cannot reach 5%. Slightly too small below 20 pairs (normal for t). None
    without pairs or spread, or where no difference of proportions is large enough.
    """
    if n <= 0 or not spread > 0:
        return None
    least = (_Z + NormalDist().inv_cdf(power)) * spread / math.sqrt(n)
    if kind == "mean":
        return least
    least = max(least, _FEWEST_DISCORDANT / n)
    return least if least <= 1 else None


def rogan_gladen(rate: float, sensitivity: float, specificity: float) -> float | None:
    """The true rate behind one that a judge with known errors saw (Rogan & Gladen 1978).

    ``(rate + specificity - 1) / (sensitivity + specificity - 1)``, cut to 0..1. None where the
    judge is no better than chance (the divisor is not above 0). The errors of the judge must have
    been measured on cases like these.
    """
    divisor = sensitivity + specificity - 1
    if divisor <= 1e-12:
        return None
    return min(1.0, max(0.0, (rate + specificity - 1) / divisor))


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float | None:
    """Agreement of two raters beyond chance, from -1 to 1 (Cohen 1960).

    ``(observed - expected) / (1 - expected)``. None over nothing, and where both gave one and the
    same label throughout (chance alone agrees then).

    Raises:
        ValueError: If ``a`` and ``b`` differ in length.
    """
    if len(a) != len(b):
        raise ValueError(f"both need the same length, got {len(a)} and {len(b)}")
    n, first, second = len(a), Counter(a), Counter(b)
    chance = sum(first[label] * second[label] for label in first)
    if n == 0 or chance == n * n:
        return None
    agreed = sum(x == y for x, y in zip(a, b, strict=True))
    return (agreed * n - chance) / (n * n - chance)


def expected_calibration_error(
    confidences: ArrayLike, outcomes: ArrayLike, bins: int = 10
) -> float | None:
    """Mean distance between confidence and frequency over bins of equal mass, from 0 to 1.

    ``sum(|B|/n · |mean(confidence) - mean(outcome)|)`` (Naeini et al. 2015; equal mass after
    Nixon et al. 2019). Both have shape (n,); outcomes are 0 or 1. Equal confidences share a bin,
    so the order of cases does not matter. Biased upwards when bins are small. None over nothing.
    """
    sure, right = _same_length(confidences, outcomes)
    if not len(sure):
        return None
    below = np.searchsorted(np.sort(sure), sure, side="left")
    bin_ = below * bins // len(sure)
    gaps = np.bincount(bin_, weights=sure - right)
    return float(np.abs(gaps).sum() / len(sure))


def auc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Area under the ROC curve, from 0 to 1: the chance that a positive outscores a negative.

    Ties count half (Mann & Whitney 1947; Hanley & McNeil 1982). Both have shape (n,); labels are
    0 or 1. None without positives or without negatives.
    """
    values, positive = _same_length(scores, labels)
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    wins = (ranks[positive > 0] + 1).sum() / 2
    ones = int((positive > 0).sum())
    zeros = len(values) - ones
    return float((wins - ones * (ones + 1) / 2) / (ones * zeros)) if ones and zeros else None


def percentile(values: ArrayLike, q: float) -> float | None:
    """The ``q``-th percentile (0 to 100), linear between neighbours; None over nothing."""
    array = np.asarray(values, np.float64)
    return float(np.percentile(array, q)) if array.size else None


def _by_cluster(values: ArrayLike, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """Sum and size of every cluster, both of shape (clusters,), in order of first mention."""
    array = np.asarray(values, np.float64)
    if array.shape != (len(clusters),):
        raise ValueError(f"values need shape ({len(clusters)},) as clusters, got {array.shape}")
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    index = np.array([numbers[cluster] for cluster in clusters], np.intp)
    sizes = np.bincount(index).astype(np.float64)
    return np.bincount(index, weights=array).astype(np.float64), sizes


def _same_length(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"both need one shape (n,), got {first.shape} and {second.shape}")
    return first, second
