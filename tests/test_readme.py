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
from tests.examples import is_as_printed, place
from tests.makers import ROOT
from tests.test_cli import OFFLINE, fine

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    block
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    if re.search(r"^\$ footnoted (?!eval)", block, re.MULTILINE)
]
EVAL_COMMANDS = re.findall(r"^\$ (footnoted eval .*)$", README, re.MULTILINE)


def test_the_python_example_runs_as_printed(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with place(tmp_path) as here:
        said = fine(here.process("-c", code))
    assert "[1] Are Emergent Abilities of Large Language Models a Mirage?" in said
    assert "not_in_collection\nWhat is GeneGPT? How well does it do?" in said
    assert "\n3 added (" in said
    assert "\n@misc{" in said


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split()[2])
def test_every_command_of_the_readme_prints_what_is_printed_there(
    block: str, sample_home: Path, tmp_path: Path
) -> None:
    steps = re.findall(r"^\$ (.*)\n((?:[^$\n].*\n)*)", block, re.MULTILINE)
    if steps[0][0] != "footnoted add data/daily_papers":
        answers = shutil.ignore_patterns("history.sqlite3*")  # that other tests asked for
        shutil.copytree(sample_home, tmp_path / "home", ignore=answers)
    with place(tmp_path) as here:
        for command, output in steps:
            said = here.run(command).splitlines()
            for number, printed in enumerate(output.splitlines()):
                assert is_as_printed(printed, said[number]), (command, said[number])
    for file in tmp_path.glob("*.*"):
        assert file.stat().st_size


def test_the_readme_shows_what_people_need() -> None:
    shown = {command for block in BLOCKS for command in re.findall(r"\$ footnoted (\S+)", block)}
    needed = {"add", "ask", "search", "fetch", "export", "backup", "restore", "import"}
    assert needed | {"collections", "doctor"} <= shown


@pytest.mark.parametrize(
    ("printed", "said", "same"),
    [
        ("306 added (5.2 s)", "306 added (11.0 s)", True),
        ("306 added (5.2 s)", "305 added (5.2 s)", False),
        ("… written to …/a.zip (0.1 MB)", "3 papers written to /x/a.zip (0.1 MB)", True),
        ("a.b", "a-b", False),
    ],
)
def test_what_is_printed_is_compared(printed: str, said: str, same: bool) -> None:
    assert is_as_printed(printed, said) is same


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
