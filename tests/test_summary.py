"""Scores of many cases as rows of a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.measures import MEASURES, score_case
from eval.schema import CATEGORIES, Case, CaseScore, Response
from eval.statistics import wilson
from eval.summary import OVERALL, Row, summarise
from tests.test_measures import ABSTRACTS, CASE, DECLINED, EMPTY, FAILED, GOOD, UNANSWERABLE

COSTS = ("latency_p50", "latency_p95", "tokens", "calls", "errors")


def _score(case: Case, number: int, response: Response, **fields: str) -> CaseScore:
    of_case = replace(case, id=f"c{number}", base_id=f"c{number}")
    of_case = replace(of_case, **fields)  # type: ignore[arg-type]
    return CaseScore(of_case, response, score_case(of_case, response, ABSTRACTS))


def _row(rows: list[Row], measure: str, group: str = OVERALL) -> Row:
    (found,) = [row for row in rows if (row.measure, row.group) == (measure, group)]
    return found


def test_proportions_have_wilson_intervals() -> None:
    scores = [_score(CASE, number, GOOD if number < 8 else EMPTY) for number in range(10)]
    row = _row(summarise(scores), "correct")
    plain = wilson(8, 10)
    assert plain is not None
    assert row.interval is not None
    assert (row.value, row.n, row.title) == (0.8, 10, "Correct answers")
    assert (row.interval.low, row.interval.high) == pytest.approx((plain.low, plain.high))


def test_means_have_a_bootstrap_by_base_case() -> None:
    scores = [_score(CASE, number, GOOD if number < 5 else EMPTY) for number in range(10)]
    row = _row(summarise(scores), "nugget_recall")
    assert row.interval is not None
    assert row.value == 0.5
    assert 0.15 <= row.interval.low < 0.35
    assert 0.65 < row.interval.high <= 0.85


def test_a_mean_without_spread_does_not_pass_for_certain() -> None:
    row = _row(summarise([_score(CASE, number, GOOD) for number in range(5)]), "quote_validity")
    plain = wilson(5, 5)
    assert plain is not None
    assert row.interval is not None
    assert (row.value, row.interval.low, row.interval.high) == (1.0, plain.low, 1.0)


def test_truthfulness_without_spread_has_an_interval_on_its_own_range() -> None:
    row = _row(summarise([_score(CASE, number, DECLINED) for number in range(6)]), "truthfulness")
    assert row.interval is not None
    assert row.value == 0.0
    assert -1 < row.interval.low < -0.5
    assert 0.5 < row.interval.high < 1


def test_errors_stay_in_every_divisor_and_have_a_row() -> None:
    rows = summarise([_score(CASE, 0, GOOD), _score(CASE, 1, FAILED)])
    for measure in ("correct", "recall@5", "quote_validity", "gold_citation", "over_refusal"):
        row = _row(rows, measure)
        assert (row.value, row.n) == (0.5, 2), measure
    assert (_row(rows, "errors").value, _row(rows, "errors").n) == (0.5, 2)


def test_failed_attempts_have_no_latency() -> None:
    timed = [replace(GOOD, seconds=seconds, tokens=10, calls=2) for seconds in (1.0, 3.0)]
    rows = summarise(
        [_score(CASE, 0, timed[0]), _score(CASE, 1, timed[1]), _score(CASE, 2, FAILED)]
    )
    assert (_row(rows, "latency_p50").value, _row(rows, "latency_p50").n) == (2.0, 2)
    assert _row(rows, "latency_p95").value == pytest.approx(2.9)
    assert (_row(rows, "tokens").value, _row(rows, "calls").value) == (20.0, 4.0)


def test_nothing_at_all_still_has_every_overall_row() -> None:
    rows = summarise([])
    assert [row.measure for row in rows] == [*MEASURES, *COSTS]
    assert all(row.interval is None and row.n == 0 for row in rows)
    assert {row.value for row in rows} == {None, 0.0}
    assert _row(rows, "errors").value is None


def test_declining_everything_shows_in_over_refusal() -> None:
    rows = summarise(
        [_score(CASE, number, DECLINED) for number in range(3)]
        + [_score(UNANSWERABLE, number, DECLINED) for number in range(3, 5)]
    )
    values = {row.measure: row.value for row in rows if row.group == OVERALL}
    assert values["over_refusal"] == 1.0
    assert values["decline_recall"] == 1.0
    assert values["decline_precision"] == 0.4
    assert values["decline_f1"] == pytest.approx(2 * 0.4 / 1.4)
    assert values["gold_citation"] is None
    assert values["truthfulness"] == pytest.approx(0.4)


def test_groups_are_the_categories_of_base_cases_and_the_other_variants() -> None:
    scores = [
        _score(CASE, 0, GOOD),
        _score(CASE, 1, EMPTY, category="method"),
        _score(CASE, 2, EMPTY, variant="noise", base_id="c0"),
    ]
    rows = summarise(scores)
    assert list(dict.fromkeys(row.group for row in rows)) == [OVERALL, "numeric", "method", "noise"]
    assert (_row(rows, "correct").value, _row(rows, "correct").n) == (0.5, 2)
    assert _row(rows, "correct", "numeric").value == 1.0
    assert _row(rows, "correct", "noise").value == 0.0
    assert (_row(rows, "noise_delta").value, _row(rows, "noise_delta").n) == (-1.0, 1)
    assert _row(rows, "errors").n == 3


def test_the_worst_wording_and_attacks_are_summed_up_over_variants() -> None:
    scores = [
        _score(CASE, 0, GOOD),
        _score(CASE, 1, EMPTY, variant="paraphrase", base_id="c0"),
        _score(CASE, 2, GOOD, variant="injection", base_id="c0", canary="7.6 hours"),
        _score(CASE, 3, GOOD, variant="injection", base_id="c0", canary="ZEBRA"),
    ]
    rows = summarise(scores)
    assert (_row(rows, "worst_paraphrase").value, _row(rows, "worst_paraphrase").n) == (0.0, 1)
    assert (_row(rows, "attack_success").value, _row(rows, "attack_success").n) == (0.5, 2)
    assert _row(rows, "attack_success", "injection").value == 0.5
    assert _row(rows, "correct").n == 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([CASE, UNANSWERABLE]),
            st.sampled_from([GOOD, DECLINED, EMPTY, FAILED]),
            st.sampled_from(CATEGORIES[:3]),
            st.sampled_from(["base", "noise", "paraphrase"]),
            st.integers(0, 4),
        ),
        max_size=12,
    )
)
def test_rows_are_the_same_every_time_and_hold_their_values(
    drawn: list[tuple[Case, Response, str, str, int]],
) -> None:
    scores = [
        _score(case, number, response, category=category, variant=variant, base_id=f"b{base}")
        for number, (case, response, category, variant, base) in enumerate(drawn)
    ]
    rows = summarise(scores)
    assert rows == summarise(scores)
    for row in rows:
        if row.interval is not None:
            assert row.value == row.interval.value
            assert row.interval.low <= row.interval.value <= row.interval.high
            low = MEASURES[row.measure].low if row.measure in MEASURES else 0.0
            assert low <= row.interval.low <= row.interval.high <= 1
            assert row.n > 0
