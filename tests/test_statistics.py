"""Intervals, tests and agreement: by hand, by property, and beside scipy and statsmodels."""

from __future__ import annotations

import math
import random
import warnings
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.statistics import (
    auc,
    clustered_bootstrap_mean,
    clustered_bootstrap_ratio,
    clustered_wilson,
    cohen_kappa,
    expected_calibration_error,
    mcnemar_exact,
    paired_bootstrap,
    percentile,
    rogan_gladen,
    smallest_detectable_difference,
    wilson,
)

shares = st.floats(0, 1)


def _library(name: str) -> ModuleType:
    """An optional library to compare with; what it warns of when loaded is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: ModuleType = pytest.importorskip(name)
    return module


def test_wilson_of_8_in_10_is_as_computed_by_hand() -> None:
    found = wilson(8, 10)
    assert found is not None
    assert (found.value, found.n) == (0.8, 10)
    assert (found.low, found.high) == pytest.approx((0.49016, 0.94332), abs=1e-5)


def test_wilson_is_never_of_zero_width() -> None:
    all_right, none_right = wilson(20, 20), wilson(0, 20)
    assert all_right is not None
    assert none_right is not None
    assert (all_right.low, all_right.high) == pytest.approx((0.83887, 1.0), abs=1e-5)
    assert (none_right.low, none_right.high) == pytest.approx((0.0, 0.16113), abs=1e-5)


def test_wilson_of_nothing_is_none_and_of_the_impossible_an_error() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="from 0 to n=3, got 4"):
        wilson(4, 3)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_value_and_stays_between_0_and_1(counts: tuple[int, int]) -> None:
    found = wilson(*counts)
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (3, 7), (7, 7), (81, 263), (1, 1)])
def test_wilson_agrees_with_statsmodels_and_scipy(successes: int, n: int) -> None:
    proportion = _library("statsmodels.stats.proportion")
    stats = _library("scipy.stats")
    found = wilson(successes, n)
    assert found is not None
    theirs = proportion.proportion_confint(successes, n, method="wilson")
    assert (found.low, found.high) == pytest.approx(theirs, abs=1e-12)
    other = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=1e-12)


def test_without_clusters_the_clustered_interval_is_wilson() -> None:
    values = [1.0] * 13 + [0.0] * 7
    found, plain = clustered_wilson(values, range(20)), wilson(13, 20)
    assert found is not None
    assert plain is not None
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_cases_that_repeat_their_cluster_count_as_one() -> None:
    values = [1.0] * 6 + [0.0] * 6
    clusters = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    found = clustered_wilson(values, clusters)
    assert found is not None
    # By hand: variance of the mean over clusters 4/3 · 4 · 1.5² / 12² = 1/12, independent
    # 3 / (12·11) = 1/44, so deff = 11/3 and the effective size 36/11.
    z2, p, size = 1.959964**2, 0.5, 36 / 11
    half = math.sqrt(z2 * (p * (1 - p) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)
    assert found.n == 12


def test_values_without_spread_count_each_cluster_once() -> None:
    found, plain = clustered_wilson([1.0] * 9, [0, 0, 0, 1, 1, 1, 2, 2, 2]), wilson(3, 3)
    assert found is not None
    assert plain is not None
    assert (found.low, found.high, found.n) == (plain.low, plain.high, 9)
    assert clustered_wilson([], []) is None


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    values = [0.1, 0.9, 0.4, 0.4, 1.0]
    first = clustered_bootstrap_mean(values, range(5), seed=7)
    assert first == clustered_bootstrap_mean(values, range(5), seed=7)
    assert first != clustered_bootstrap_mean(values, range(5), seed=8)


def test_the_bootstrap_of_two_opposite_clusters_reaches_both() -> None:
    found = clustered_bootstrap_mean([0.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b"])
    assert found is not None
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.0, 1.0, 4)


def test_the_bootstrap_has_none_over_nothing_and_no_width_without_spread() -> None:
    assert clustered_bootstrap_mean([], []) is None
    found = clustered_bootstrap_mean([0.25] * 5, range(5))
    assert found is not None
    assert (found.low, found.high) == (0.25, 0.25)
    with pytest.raises(ValueError, match="shape"):
        clustered_bootstrap_mean([1.0, 2.0], ["a"])


def test_clusters_widen_the_bootstrap() -> None:
    draw = random.Random(1)
    of_base = [draw.random() for _ in range(30)]
    values = [value for value in of_base for _ in range(4)]
    loose = clustered_bootstrap_mean(values, range(120))
    tied = clustered_bootstrap_mean(values, [index // 4 for index in range(120)])
    assert loose is not None
    assert tied is not None
    assert 1.7 < (tied.high - tied.low) / (loose.high - loose.low) < 2.3


def test_the_bootstrap_agrees_with_scipy() -> None:
    stats = _library("scipy.stats")
    values = np.random.default_rng(3).beta(2, 1, 80)
    found = clustered_bootstrap_mean(values, range(80))
    assert found is not None
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=1
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(11)
    held = 0
    for trial in range(300):
        level = draw.random((40, 1)) * 0.5
        values = (level + draw.random((40, 3)) * 0.5).ravel()
        clusters = [index // 3 for index in range(120)]
        found = clustered_bootstrap_mean(values, clusters, seed=trial, resamples=400)
        assert found is not None
        held += found.low <= 0.5 <= found.high
    assert 0.90 <= held / 300 <= 0.99


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(shares, st.integers(0, 5)), min_size=1, max_size=30))
def test_the_bootstrap_stays_within_the_values(rows: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in rows], [cluster for _, cluster in rows]
    found = clustered_bootstrap_mean(values, clusters, resamples=200)
    assert found is not None
    assert min(values) - 1e-9 <= found.low <= found.value <= found.high <= max(values) + 1e-9


def test_a_ratio_without_a_denominator_is_none() -> None:
    assert clustered_bootstrap_ratio([0.0, 0.0], [0.0, 0.0], [0, 1]) is None
    found = clustered_bootstrap_ratio([2.0, 0.0, 0.0], [2.0, 0.0, 1.0], [0, 1, 2])
    assert found is not None
    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.high) == (0.0, 1.0)


def test_the_paired_bootstrap_sees_a_difference_that_is_always_there() -> None:
    a, b = [0.2, 0.5, 0.9, 0.4], [0.1, 0.3, 0.8, 0.2]
    found = paired_bootstrap(a, b)
    assert found is not None
    assert found.value == pytest.approx(0.15)
    assert 0.1 - 1e-9 <= found.low <= found.high <= 0.2 + 1e-9
    back = paired_bootstrap(b, a)
    assert back is not None
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    assert paired_bootstrap([], []) is None
    with pytest.raises(ValueError, match="one shape"):
        paired_bootstrap([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("b", "c", "p"), [(0, 0, 1.0), (0, 5, 0.0625), (0, 6, 0.03125), (1, 7, 18 / 256), (4, 4, 1.0)]
)
def test_mcnemar_is_as_computed_by_hand(b: int, c: int, p: float) -> None:
    assert mcnemar_exact(b, c) == pytest.approx(p)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_a_symmetric_probability(b: int, c: int) -> None:
    assert 0 < mcnemar_exact(b, c) <= 1
    assert mcnemar_exact(b, c) == mcnemar_exact(c, b)


def test_mcnemar_refuses_negative_counts_and_stands_large_ones() -> None:
    with pytest.raises(ValueError, match="b=-1"):
        mcnemar_exact(-1, 2)
    assert mcnemar_exact(2_000, 2_100) == pytest.approx(0.122, abs=0.001)


@pytest.mark.parametrize(("b", "c"), [(3, 12), (10, 11), (0, 9), (40, 22)])
def test_mcnemar_agrees_with_statsmodels_and_scipy(b: int, c: int) -> None:
    tables = _library("statsmodels.stats.contingency_tables")
    stats = _library("scipy.stats")
    theirs = tables.mcnemar([[5, b], [c, 5]], exact=True).pvalue
    assert mcnemar_exact(b, c) == pytest.approx(theirs, abs=1e-12)
    assert mcnemar_exact(b, c) == pytest.approx(stats.binomtest(b, b + c, 0.5).pvalue, abs=1e-12)


def test_the_smallest_detectable_difference_shrinks_with_the_root_of_n() -> None:
    # (1.959964 + 0.841621) · 0.3 / sqrt(100)
    assert smallest_detectable_difference(100, 0.3) == pytest.approx(0.0840476, abs=1e-6)
    assert smallest_detectable_difference(400, 0.3) == pytest.approx(0.0420238, abs=1e-6)


def test_a_difference_of_proportions_needs_six_flips() -> None:
    # One pair in 30 differs: the formula gives 0.0934, but below 6/30 no p reaches 5%.
    spread = math.sqrt(1 / 30)
    assert smallest_detectable_difference(30, spread, "proportion") == pytest.approx(0.2)
    assert smallest_detectable_difference(5, spread, "proportion") is None


def test_nothing_is_detectable_without_pairs_or_spread() -> None:
    assert smallest_detectable_difference(0, 0.3) is None
    assert smallest_detectable_difference(50, 0.0) is None


def test_the_smallest_detectable_difference_agrees_with_the_power_of_a_t_test() -> None:
    power = _library("statsmodels.stats.power")
    for n in (30, 100, 300):
        effect = power.TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
        assert smallest_detectable_difference(n, 1.0) == pytest.approx(effect, rel=0.05)


def test_a_difference_of_that_size_is_found_four_times_in_five() -> None:
    draw = np.random.default_rng(5)
    n, differ = 150, 0.3
    least = smallest_detectable_difference(n, math.sqrt(differ), "proportion")
    assert least is not None
    up, down = (differ + least) / 2, (differ - least) / 2
    trials = draw.multinomial(n, [up, down, 1 - differ], 1000)
    found = sum(mcnemar_exact(int(b), int(c)) < 0.05 for b, c, _ in trials)
    assert 0.72 <= found / 1000 <= 0.88


def test_rogan_gladen_undoes_a_judge_that_errs() -> None:
    seen = 0.7 * 0.9 + 0.3 * (1 - 0.8)
    assert rogan_gladen(seen, 0.9, 0.8) == pytest.approx(0.7)
    assert rogan_gladen(0.42, 1.0, 1.0) == pytest.approx(0.42)


def test_rogan_gladen_is_cut_to_0_and_1_and_none_for_a_judge_of_chance() -> None:
    assert rogan_gladen(0.05, 0.9, 0.8) == 0.0
    assert rogan_gladen(0.99, 0.9, 0.8) == 1.0
    assert rogan_gladen(0.5, 0.5, 0.5) is None
    assert rogan_gladen(0.5, 0.3, 0.7) is None


def test_kappa_is_as_computed_by_hand() -> None:
    a = ["y"] * 25 + ["n"] * 25
    b = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)  # (0.7 - 0.5) / (1 - 0.5)
    assert cohen_kappa([1, 0], [0, 1]) == -1.0


def test_kappa_is_none_where_chance_explains_all() -> None:
    assert cohen_kappa([], []) is None
    assert cohen_kappa([1, 1, 1], [1, 1, 1]) is None
    with pytest.raises(ValueError, match="got 1 and 2"):
        cohen_kappa([1], [1, 2])


def test_kappa_agrees_with_statsmodels() -> None:
    raters = _library("statsmodels.stats.inter_rater")
    draw = random.Random(2)
    a = [draw.randrange(3) for _ in range(90)]
    b = [x if draw.random() < 0.6 else draw.randrange(3) for x in a]
    table = [
        [sum(x == i and y == j for x, y in zip(a, b, strict=True)) for j in range(3)]
        for i in range(3)
    ]
    assert cohen_kappa(a, b) == pytest.approx(raters.cohens_kappa(table).kappa, abs=1e-12)


def test_calibration_error_is_as_computed_by_hand() -> None:
    confidences = [0.1, 0.2, 0.8, 0.9]
    outcomes = [0, 1, 1, 1]
    # Two bins of two: |0.15 - 0.5| and |0.85 - 1|, each half of the mass.
    assert expected_calibration_error(confidences, outcomes, bins=2) == pytest.approx(0.25)


def test_calibration_error_does_not_depend_on_the_order_of_cases() -> None:
    rows = [(0.5, 1), (0.5, 0), (0.5, 1), (0.5, 0), (0.9, 1), (0.9, 1)]
    for _ in range(5):
        random.Random(4).shuffle(rows)
        error = expected_calibration_error([c for c, _ in rows], [o for _, o in rows], bins=3)
        assert error == pytest.approx(0.2 / 6)
    assert expected_calibration_error([], []) is None


@given(st.lists(st.tuples(shares, st.integers(0, 1)), min_size=1), st.integers(1, 20))
def test_calibration_error_is_from_0_to_1(rows: list[tuple[float, int]], bins: int) -> None:
    error = expected_calibration_error([c for c, _ in rows], [o for _, o in rows], bins)
    assert error is not None
    assert -1e-12 <= error <= 1 + 1e-12


def test_auc_counts_ties_half() -> None:
    assert auc([0.9, 0.8, 0.3, 0.1], [1, 1, 0, 0]) == 1.0
    assert auc([0.5, 0.5, 0.5], [1, 0, 1]) == 0.5
    assert auc([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0]) == pytest.approx(3.5 / 4)
    assert auc([0.9, 0.5], [1, 1]) is None
    assert auc([], []) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), max_size=40))
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, int]]) -> None:
    pairs = [(p, n) for p, one in rows if one for n, other in rows if not other]
    found = auc([score for score, _ in rows], [label for _, label in rows])
    if not pairs:
        assert found is None
        return
    wins = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs)
    assert found == pytest.approx(wins / len(pairs))


def test_auc_agrees_with_scipy() -> None:
    stats = _library("scipy.stats")
    draw = np.random.default_rng(9)
    positive, negative = draw.integers(2, 9, 50), draw.integers(0, 7, 70)
    theirs = stats.mannwhitneyu(positive, negative).statistic / (50 * 70)
    found = auc(np.concatenate([positive, negative]), [1] * 50 + [0] * 70)
    assert found == pytest.approx(theirs, abs=1e-12)


def test_a_percentile_lies_between_its_neighbours() -> None:
    assert percentile([4.0, 1.0, 2.0, 3.0], 50) == 2.5
    assert percentile([7.0], 95) == 7.0
    assert percentile([], 50) is None
