"""The examples at the end of every ``--help`` are commands that work."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.examples import place
from ui.cli import parser


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command with its own help; ``eval`` is another program."""
    [choices] = (
        action.choices
        for action in parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return {name: command for name, command in choices.items() if name != "eval"}


def examples(command: argparse.ArgumentParser) -> list[str]:
    """The examples at the end of a command's help."""
    _, told, listed = command.format_help().partition("\nexample:\n")
    assert told, command.prog
    return [line.strip() for line in listed.splitlines()]


@pytest.mark.parametrize("name", commands())
def test_every_example_is_one_of_its_command(name: str) -> None:
    found = examples(commands()[name])
    assert found
    for example in found:
        [program, *arguments] = shlex.split(example)
        assert program == "footnoted"
        assert parser().parse_args(arguments).command == name


def test_the_examples_of_getting_papers_in_and_out_work(sample_home: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_home, tmp_path / "home")
    with place(tmp_path) as here:
        said = {
            example: here.run(example)
            for name in ("fetch", "export", "import", "backup", "restore", "collections")
            for example in examples(commands()[name])
        }
    assert all(said[example] or "--output" in example for example in said)
    assert len(said) == 9
    arxiv, daily = (line for line in said if line.startswith("footnoted fetch"))
    assert said[arxiv].startswith("3 added (")
    assert re.match(r"7 added \(", said[daily])
    assert {path.name for path in tmp_path.glob("*.*")} == {
        "reading-2025-03-14.zip", "reading.zip", "refs.bib",
    }  # fmt: skip
