from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eval.gates import load_gates
from rag.ingest.identity import paper_id
from tests.makers import ROOT
from tests.test_cli import OFFLINE, fine, footnoted

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (footnoted (?!eval).*)$", README, re.MULTILINE)
EVAL_COMMANDS = re.findall(r"^\$ (footnoted eval .*)$", README, re.MULTILINE)


def test_the_python_example_runs_as_printed(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{OFFLINE}:{ROOT}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[1] Are Emergent Abilities of Large Language Models a Mirage?" in done.stdout
    assert "not_in_collection\nWhat is GeneGPT? How well does it do?" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_runs(command: str, sample_home: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_home, tmp_path / "home")
    [*arguments] = shlex.split(command, comments=True)[1:]
    arguments = [str(ROOT / a) if a.startswith("data/") else a for a in arguments]
    written = [tmp_path / a for a in arguments if a.endswith(".bib")]  # not beside the code
    arguments = [str(tmp_path / a) if a.endswith(".bib") else a for a in arguments]
    if "ANSWER_ID" in arguments:
        asked = footnoted(tmp_path / "home", "ask", "What is GeneGPT?", "--json")
        arguments[arguments.index("ANSWER_ID")] = json.loads(asked.stdout)["id"]
    fine(footnoted(tmp_path / "home", *arguments))
    assert all(file.stat().st_size for file in written)


def test_every_eval_command_of_the_readme_runs(tmp_path: Path) -> None:
    def run(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "ui", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": f"{OFFLINE}:{ROOT}", "FOOTNOTED_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)

    abstract = "Bees dance to tell where flowers are."
    (tmp_path / "bees.jsonl").write_text(json.dumps({"title": "Bees", "abstract": abstract}))
    run("add", "--collection", "my-papers", "bees.jsonl")
    case = {
        "id": "mine",
        "split": "dev",
        "category": "unanswerable_far",
        "question": "Who won the football world cup in 1998?",
        "answerable": False,
        "unanswerable_reason": "not_in_collection",
        "papers_checked": [paper_id("Bees", abstract)],
    }
    (tmp_path / "cases.jsonl").write_text(json.dumps(case))
    gate = '[[gate]]\nmeasure = "decline_recall"\nsplit = "all"\nmin = 1.0\n'
    (tmp_path / "gates.toml").write_text(gate)
    for name in ("a", "b"):
        run("eval", "run", "--category", "numeric", "--split", "dev", "--id", name)
    assert len(EVAL_COMMANDS) == 6
    for command in EVAL_COMMANDS:
        run(*shlex.split(command, comments=True)[1:])


def test_the_gate_of_the_readme_is_one(tmp_path: Path) -> None:
    [gate] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "gates.toml").write_text(gate)
    assert [g.measure for g in load_gates(tmp_path / "gates.toml")] == ["nugget_recall_vital"]


def test_the_readme_names_only_make_targets_that_there_are() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:\$|`)\s*make (\w+)", (ROOT / name).read_text("utf-8")))
        assert named
        assert named <= targets


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text("utf-8")):
            assert (ROOT / target).exists(), f"{name} links to {target}"
