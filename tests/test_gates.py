from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eval.gates import Gate, check_gates, load_gates, rows_by_split
from eval.schema import CaseScore
from rag.errors import InputError
from tests.run_makers import a_case, right, scored, unanswerable


def scores() -> list[CaseScore]:
    """Two test cases, one of them with nothing retrieved, and a dev case that is right."""
    lost = a_case("lost", category="numeric")
    return [
        scored(a_case("found")),
        scored(lost, replace(right(lost), retrieved=())),
        scored(a_case("seen", split="dev")),
    ]


@pytest.mark.parametrize(
    ("gate", "passed", "why"),
    [
        (Gate("recall@5", "test", "value", min=0.5), True, "0.5"),
        (Gate("recall@5", "test", "value", min=0.51), False, "0.5 is below 0.51"),
        (Gate("recall@5", "dev", "value", min=1.0), True, "1"),
        (Gate("recall@5", "test", "value", min=0.1, category="numeric"), False, "0 is below 0.1"),
        (Gate("unknown_keys", "all", "value", max=0.0), True, "0"),
        (Gate("recall@5", "all", "value", max=0.5), False, "0.6667 is above 0.5"),
        (Gate("recall@5", "dev", "low", min=1.0), False, "0.2065 is below 1"),
        (Gate("errors", "all", "value", max=0.0), True, "0"),
        (Gate("decline_recall", "all", "value", min=0.0), False, "no case gives it a value"),
        (
            Gate("recall@5", "dev", "value", min=0.0, category="method"),
            False,
            "no case gives it a value",
        ),
        (Gate("tokens", "all", "low", max=9.0), False, "no case gives it a value"),
    ],
)
def test_a_gate_says_what_was_found_and_why(gate: Gate, passed: bool, why: str) -> None:
    (result,) = check_gates(rows_by_split(scores()), [gate])
    assert (result.passed, result.why) == (passed, why)


def test_a_gate_on_an_unknown_measure_is_an_error_not_a_pass() -> None:
    with pytest.raises(InputError, match="measure 'recal' is unknown; there are recall@5, "):
        check_gates(rows_by_split(scores()), [Gate("recal", "all", "value", min=0.0)])
    with pytest.raises(InputError, match="split 'dev' is unknown"):
        check_gates({"all": []}, [Gate("mrr", "dev", "value", min=0.0)])


def test_the_bundled_gates_are_about_measures_that_exist() -> None:
    gates = load_gates()
    assert {"quote_validity", "unknown_keys"} <= {gate.measure for gate in gates}
    results = check_gates(rows_by_split([*scores(), scored(unanswerable())]), gates)
    assert len(results) == len(gates)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[gate]", "is not TOML"),
        ("[[gates]]\nmeasure = 'mrr'", r"may hold only \[\[gate\]\]"),
        ("gate = 1", r"may hold only \[\[gate\]\]"),
        ("[[gate]]\nsplit = 'all'\nmin = 1", "gate 1: measure must be the name of one, got None"),
        ("[[gate]]\nmeasure = 'mrr'\nsplit = 'all'\nmax = true", "max must be a number, got True"),
        ("[[gate]]\nmeasure = 'mrr'\nsplit = 'all'", "give min, max or both"),
        ("[[gate]]\nmeasure = 'mrr'\nsplit = 'train'\nmin = 1", "split 'train' is unknown"),
        ("[[gate]]\nmeasure = 'mrr'\nsplit = 'all'\nat = 'mid'\nmin = 1", "at 'mid' is unknown"),
        ("[[gate]]\nmeasure = 'mrr'\nsplit = 'all'\nminimum = 1", "unknown field 'minimum'"),
        ("[[gate]]\nmeasure = 'mrr'\nsplit = 'all'\ncategory = 'x'\nmin = 1", "category 'x'"),
        ("[[gate]]\nmeasure = 'mrr'\nsplit = 'all'\nmin = nan", "min must be a number, got nan"),
    ],
)
def test_a_gate_that_says_nothing_clear_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        load_gates(path)


def test_gates_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gates cannot be read from"):
        load_gates(tmp_path / "none.toml")


def test_a_gate_reads_as_a_sentence() -> None:
    gate = Gate("mrr", "test", "low", min=0.5, max=0.9, category="numeric")
    assert str(gate) == "mrr (test, numeric), low end of its interval, at least 0.5 and at most 0.9"
