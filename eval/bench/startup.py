"""How long a person waits for the command line."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from eval.bench.adding import SAMPLE
from eval.bench.timing import percentiles, seconds_of

_QUESTION = "Are emergent abilities real, or an artefact of the metric?"


def startup(_: argparse.Namespace) -> None:
    """``--help``, ``import rag``, and ``ask`` on the sample collection, each in a new process."""
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "FOOTNOTED_HOME": home}

        def run(*arguments: str) -> float:
            command = [sys.executable, *arguments]
            return seconds_of(
                lambda: subprocess.run(command, env=environ, check=True, capture_output=True)  # noqa: S603
            )

        run("-m", "ui", "add", str(Path(SAMPLE)))
        for name, arguments, times in (
            ("python -c pass (baseline)", ["-c", "pass"], 10),
            ("import rag", ["-c", "import rag"], 10),
            ("footnoted --help", ["-m", "ui", "--help"], 10),
            ("footnoted search", ["-m", "ui", "search", _QUESTION], 5),
            ("footnoted ask", ["-m", "ui", "ask", _QUESTION], 5),
        ):
            print(f"{name}: {percentiles([run(*arguments) for _ in range(times)])}")
