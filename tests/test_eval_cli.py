from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eval.caseload import load_cases
from eval.store import load_run, without_times
from tests.makers import ROOT
from tests.test_cli import OFFLINE

# One case of each category: the smoke set.
SMOKE = tuple({case.category: case.id for case in load_cases(split="dev")}.values())


def evaluate(runs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ui", "eval", *arguments],
        env={**os.environ, "PYTHONPATH": f"{OFFLINE}:{ROOT}", "FOOTNOTED_HOME": str(runs / "home")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def smoke(runs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    chosen = [word for id_ in SMOKE for word in ("--case", id_)]
    done = evaluate(runs, "run", "--runs", str(runs), *chosen, *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the smoke set, under the same settings."""
    runs = tmp_path_factory.mktemp("runs")
    for name in ("a", "b"):
        done = smoke(runs, "--id", name)
        assert done.returncode == 0, done.stderr
    return runs


def test_the_smoke_set_has_every_category_and_passes(runs: Path) -> None:
    assert len(SMOKE) == 12
    run = load_run(runs / "a")
    assert len(run.scores) == 12
    assert {score.values["quote_validity"] for score in run.scores} <= {1.0, None}
    assert all(score.response.unknown_keys == 0 for score in run.scores)
    assert all(score.response.error is None for score in run.scores)


def test_two_runs_are_the_same_but_for_times_and_name(runs: Path) -> None:
    a, b = (without_times(load_run(runs / name)) for name in ("a", "b"))
    assert a.scores == b.scores
    assert (a.hashes, a.versions, a.settings) == (b.hashes, b.versions, b.settings)


def test_every_report_is_written(runs: Path) -> None:
    names = {path.name for path in (runs / "a").iterdir()}
    assert names == {"run.json", "cases.jsonl", "report.md", "report.html", "junit.xml"}


def test_comparing_a_run_with_its_twin_finds_nothing(runs: Path) -> None:
    done = evaluate(runs, "compare", str(runs / "a"), str(runs / "b"))
    assert done.returncode == 0, done.stderr
    assert "recall@5" in done.stdout


def test_runs_of_other_cases_are_not_compared(runs: Path) -> None:
    other = evaluate(
        runs, "run", "--runs", str(runs), "--id", "c", "--category", "numeric", "--split", "dev"
    )
    assert other.returncode == 0, other.stderr
    done = evaluate(runs, "compare", str(runs / "a"), str(runs / "c"))
    assert done.returncode == 2
    assert "cases" in done.stderr


def test_an_interrupted_run_goes_on(runs: Path) -> None:
    smoke(runs, "--id", "cut")
    file = runs / "cut" / "cases.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:5]) + lines[5][:40])
    assert smoke(runs, "--id", "cut", "--jobs", "2").returncode == 0
    a, cut = (without_times(load_run(runs / name)) for name in ("a", "cut"))
    assert a.scores == cut.scores


def test_only_what_failed_runs_again(runs: Path) -> None:
    smoke(runs, "--id", "before")
    done = evaluate(runs, "run", "--runs", str(runs), "--id", "again", "--failing")
    assert done.returncode == 0, done.stderr
    again = {score.case.id for score in load_run(runs / "again").scores}
    assert again
    assert again < set(SMOKE)


def test_cases_can_be_repeated(runs: Path) -> None:
    done = evaluate(
        runs, "run", "--runs", str(runs), "--id", "twice", "--case", SMOKE[0], "--repeat", "2"
    )
    assert done.returncode == 0, done.stderr
    ids = {score.case.id for score in load_run(runs / "twice").scores}
    assert ids == {SMOKE[0], f"{SMOKE[0]}#2"}


def test_a_failed_gate_exits_with_100(runs: Path) -> None:
    gates = runs / "gates.toml"
    gates.write_text('[[gate]]\nmeasure = "recall@5"\nsplit = "all"\nmin = 1.01\n')
    done = smoke(runs, "--id", "gated", "--gates", str(gates))
    assert done.returncode == 100
    assert "Gate failed" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--case", "no-such-case"],
        ["run", "--answerer", "nobody"],
        ["run", "--cases", "no-such-file.jsonl", "--collection", "./nothing"],
        ["compare", "no-run", "no-run"],
        ["validate", "--cases", "no-such-file.jsonl"],
        ["bench", "no-such-bench"],
    ],
)
def test_bad_data_ends_in_words_and_a_code(runs: Path, arguments: list[str]) -> None:
    done = evaluate(runs, *arguments)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert done.stderr + done.stdout


def test_the_bundled_cases_are_valid(runs: Path) -> None:
    done = evaluate(runs, "validate")
    assert done.returncode == 0, done.stdout


def test_own_cases_run_against_an_own_collection(runs: Path) -> None:
    papers = runs / "mine.jsonl"
    abstract = "Bees dance to tell where flowers are. They turn 300 times an hour."
    papers.write_text(json.dumps({"title": "Bees", "abstract": abstract}))
    from rag import Assistant

    with Assistant.open(runs / "mine") as assistant:
        assistant.add(papers)
        [paper] = assistant.papers()
    import hashlib

    case = {
        "id": "mine-1",
        "split": "dev",
        "category": "numeric",
        "question": "How often do bees turn?",
        "answerable": True,
        "gold_papers": [paper.id],
        "evidence": [
            {"paper": paper.id, "quote": abstract[38:], "start": 38, "end": len(abstract)}
        ],
        "nuggets": [{"any": ["300"], "vital": True}],
        "abstracts": {paper.id: hashlib.sha256(abstract.encode()).hexdigest()},
    }
    (runs / "mine-cases.jsonl").write_text(json.dumps(case))
    named = ["--cases", str(runs / "mine-cases.jsonl"), "--collection", str(runs / "mine")]
    assert evaluate(runs, "validate", *named).returncode == 0
    done = evaluate(runs, "run", "--runs", str(runs), "--id", "own", *named)
    assert done.returncode == 0, done.stderr
    [score] = load_run(runs / "own").scores
    assert score.values["correct"] == 1
