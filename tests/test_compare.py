from __future__ import annotations

from dataclasses import replace

import pytest

from eval.compare import Difference, compare
from eval.schema import CaseScore, Run
from rag.errors import InputError
from tests.run_makers import a_case, a_run, mixed_run, scored

BEFORE = (0, 0, 0, 0, 0, 0, 0, 1, 1, 1)
AFTER = (1, 1, 1, 1, 1, 1, 1, 0, 1, 1)


def run_of(values: tuple[float | None, ...], id_: str, measure: str = "correct") -> Run:
    """A run whose cases c0, c1 … have these values of one measure, and no other."""
    scores = [
        replace(scored(a_case(f"c{i}", question=f"Question {i}?")), values={measure: value})
        for i, value in enumerate(values)
    ]
    return a_run(*scores, id_=id_)


def only(a: Run, b: Run) -> Difference:
    (difference,) = compare(a, b).differences
    return difference


def test_flips_both_ways_and_their_p_are_those_counted_by_hand() -> None:
    one = only(run_of(BEFORE, "a"), run_of(AFTER, "b"))
    assert [flip.case for flip in one.gained] == [f"c{i}" for i in range(7)]
    assert [flip.case for flip in one.lost] == ["c7"]
    assert (one.a, one.b, one.change.value) == pytest.approx((0.3, 0.9, 0.6))
    assert one.p == pytest.approx(2 * (1 + 8) / 2**8)  # P(X <= 1), X binomial of 8 and 1/2
    assert one.verdict == "better"
    # (1.96 + 0.842) * sqrt(8 of 10 differ) / sqrt(10)
    assert one.detectable == pytest.approx(2.8016 * 0.8**0.5 / 10**0.5, rel=1e-3)


def test_less_of_what_should_be_low_is_better() -> None:
    one = only(run_of(AFTER, "a", "over_refusal"), run_of(BEFORE, "b", "over_refusal"))
    assert one.change.value == pytest.approx(-0.6)
    assert one.verdict == "better"


def test_a_measure_between_0_and_1_has_no_flips_and_no_p() -> None:
    one = only(run_of((0.2, 0.4, 1.0), "a", "mrr"), run_of((0.3, 0.5, 1.0), "b", "mrr"))
    assert (one.p, one.gained, one.lost) == (None, (), ())
    assert one.change.value == pytest.approx(0.2 / 3)


def test_a_change_without_spread_is_not_called_certain() -> None:
    comparison = compare(run_of((0, 0, 0), "a"), run_of((1, 1, 1), "b"))
    (one,) = comparison.differences
    assert (one.change.value, one.p, one.verdict) == (1.0, 0.25, "")
    assert "no spread" in comparison.text()


def test_cases_without_a_value_on_one_side_are_counted_not_compared() -> None:
    one = only(run_of((1, None, 0, None), "a"), run_of((1, 1, 1, None), "b"))
    assert (one.change.n, one.unpaired) == (2, 1)
    assert [flip.case for flip in one.gained] == ["c2"]


def test_derived_cases_are_drawn_together_with_their_base_case() -> None:
    def clustered(run: Run) -> Run:
        scores = [
            replace(score, case=replace(score.case, base_id=f"b{i % 2}"))
            for i, score in enumerate(run.scores)
        ]
        return replace(run, scores=tuple(scores))

    before, after = run_of((0,) * 8, "a"), run_of((1, 0) * 4, "b")
    apart, together = only(before, after), only(clustered(before), clustered(after))
    assert apart.change.value == together.change.value == 0.5
    assert (together.change.low, together.change.high) == (0.0, 1.0)
    assert apart.change.low > 0


def test_a_run_against_itself_differs_nowhere() -> None:
    run = mixed_run(24)
    comparison = compare(run, run)
    assert comparison.cases == 24
    assert comparison.differences
    assert all(one.change.value == 0 and not one.verdict for one in comparison.differences)
    assert all(one.p in (None, 1.0) for one in comparison.differences)


def tiered(run: Run, tier: str) -> Run:
    scores = [replace(score, tiers={"correct": tier}) for score in run.scores]
    return replace(run, scores=tuple(scores))


def test_runs_over_other_cases_are_refused() -> None:
    a, b = run_of(BEFORE, "a"), run_of(AFTER, "b")
    with pytest.raises(InputError, match=r"different cases \(hash abc and xyz\)"):
        compare(a, replace(b, hashes={"cases": "xyz"}))
    with pytest.raises(InputError, match="a has 10 cases and b has 9; 1 are not the same"):
        compare(a, replace(b, scores=b.scores[:-1]))
    changed = replace(b.scores[0], case=replace(b.scores[0].case, question="Another?"))
    with pytest.raises(InputError, match="the first is 'c0'"):
        compare(a, replace(b, scores=(changed, *b.scores[1:])))


def test_runs_scored_by_other_tiers_are_refused() -> None:
    a, b = run_of(BEFORE, "a"), run_of(AFTER, "b")
    with pytest.raises(InputError, match="correct was scored by T2 in a and by T3 in b"):
        compare(tiered(a, "T2"), tiered(b, "T3"))
    assert compare(tiered(a, "T2"), tiered(b, "T2")).differences


def test_text_and_markdown_show_the_flips_and_what_else_changed() -> None:
    b = replace(run_of(AFTER, "b"), settings={"top_k": 9, "nested": {"rerank": True}})
    comparison = compare(run_of(BEFORE, "a"), b)
    text, markdown = comparison.text(), comparison.markdown()
    assert "b against a: 10 cases" in text
    assert "settings top_k: 8 -> 9" in text
    assert "+ Correct answers: c0 Question 0?" in text
    assert "- Correct answers: c7 Question 7?" in text
    assert "| Correct answers | 0.300 | 0.900 | +0.600 better |" in markdown
    assert "- lost: c7 Question 7?" in markdown


def test_a_question_cannot_drive_the_terminal_nor_be_markup() -> None:
    def hostile(run: Run) -> Run:
        question = "\x1b[2Jgone\n# <b>big</b> [x](http://evil.example)"
        scores: list[CaseScore] = [
            replace(score, case=replace(score.case, question=question)) for score in run.scores
        ]
        return replace(run, scores=tuple(scores))

    comparison = compare(hostile(run_of(BEFORE, "a")), hostile(run_of(AFTER, "b")))
    assert "\x1b" not in comparison.text() + comparison.markdown()
    assert "<b>" not in comparison.markdown().replace("\\<b", "")
    assert "[x]" not in comparison.markdown()
