"""The suite must tell good from bad: each control looks bad where it should, the oracle nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.answerers import ANSWERERS
from eval.caseload import load_cases
from eval.gates import rows_by_split
from eval.running import Corpus, Plan, execute
from rag.assistant import Assistant

Figures = dict[str, float]


@pytest.fixture(scope="module")
def figures(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figures]:
    """The overall figures of every answerer on the development cases."""
    cases = load_cases(split="dev")
    with Assistant.open(sample_home / "sample", create=False) as assistant:
        corpus = Corpus(assistant, {p.id: p.abstract for p in assistant.papers()})
        found = {}
        for name, answerer in ANSWERERS.items():
            plan = Plan(name, answerer, cases, {"sample": corpus})
            directory = tmp_path_factory.mktemp("runs") / name
            run = execute(plan, directory, name, lambda *_: None)
            rows = rows_by_split(run.scores)["all"]
            found[name] = {
                row.measure: row.value
                for row in rows
                if row.group == "overall" and row.value is not None
            }
    return found


def test_the_oracle_looks_bad_nowhere(figures: dict[str, Figures]) -> None:
    oracle = figures["oracle"]
    for measure in (
        "recall@5",
        "quote_validity",
        "gold_paper",
        "gold_citation",
        "evidence_recall",
        "correct",
        "nugget_recall_vital",
        "supported_claims",
        "decline_recall",
        "decline_precision",
        "decline_f1",
        "truthfulness",
    ):
        assert oracle[measure] == pytest.approx(1.0), measure
    assert oracle["over_refusal"] == 0
    assert oracle["contradicted"] == 0


def test_declining_always_is_no_way_out(figures: dict[str, Figures]) -> None:
    coward = figures["always-decline"]
    assert coward["decline_recall"] == 1
    assert coward["over_refusal"] == 1
    assert coward["nugget_recall_vital"] == 0
    assert coward["decline_precision"] < 0.4
    assert coward["decline_f1"] < 0.5
    assert coward["truthfulness"] < 0.3
    assert "gold_citation" not in coward, "abstention neither raises nor lowers citation scores"


def test_quoting_whole_abstracts_finds_facts_but_cites_badly(figures: dict[str, Figures]) -> None:
    verbose, product = figures["whole-abstract"], figures["assistant"]
    assert verbose["nugget_recall_vital"] > 3 * figures["random-sentences"]["nugget_recall_vital"]
    assert verbose["gold_citation"] < 0.7 * product["gold_citation"]
    assert verbose["decline_recall"] == 0


def test_random_sentences_are_worse_than_the_product_everywhere(
    figures: dict[str, Figures],
) -> None:
    chance, product = figures["random-sentences"], figures["assistant"]
    for measure in ("gold_citation", "evidence_recall", "nugget_recall_vital", "gold_paper"):
        assert chance[measure] < 0.7 * product[measure], measure
    assert chance["quote_validity"] == 1, "random quotes are real quotes all the same"


def test_no_control_but_the_oracle_is_as_truthful_as_it(figures: dict[str, Figures]) -> None:
    for name, values in figures.items():
        if name not in ("oracle", "assistant"):
            assert values["truthfulness"] < 0.5, name
