"""What runs the examples of README and of every ``--help``, as they are printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.makers import ROOT
from tests.papers_server import made, papers_server
from tests.test_cli import OFFLINE, fine


class Place:
    """A folder in which examples are run one after another, with the sample data in it.

    Collections live in ``home`` there; live sources are asked at a server on this machine.
    """

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self._environ = environ
        (folder / "data").symlink_to(ROOT / "data")

    def run(self, example: str) -> str:
        """What ``footnoted …`` prints; it must end well.

        ``ANSWER_ID`` is that of an answer that is asked for first.
        """
        [_, *arguments] = shlex.split(example, comments=True)
        if "ANSWER_ID" in arguments:
            asked = fine(self.process("-m", "ui", "ask", "What is GeneGPT?", "--json"))
            arguments[arguments.index("ANSWER_ID")] = json.loads(asked)["id"]
        return fine(self.process("-m", "ui", *arguments))

    def process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the folder, in a process that cannot leave the machine."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "HOME": str(self.folder),
                "FOOTNOTED_HOME": str(self.folder / "home"),
                "FOOTNOTED_COLLECTION": "sample",
                "PYTHONPATH": f"{OFFLINE}:{ROOT}",
                **self._environ,
            },
            input="",
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """A place in this folder, and a server in the place of the live sources."""
    with papers_server(made(3)) as server:
        server.days = {f"2025-03-{day}": made(1, first=day) for day in range(14, 21)}
        yield Place(
            folder,
            FOOTNOTED_ARXIV_URL=server.arxiv,
            FOOTNOTED_DAILY_PAPERS_URL=server.daily,
        )


def is_as_printed(printed: str, said: str) -> bool:
    """Whether a line is as the document has it: ``…`` is anything, and times differ."""
    pattern = re.escape(re.sub(r"\d+\.\d s", "…", printed)).replace("…", ".*")
    return re.fullmatch(pattern, said) is not None
