"""``add``: what was reported as read or embedded is there, and the next one goes on."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from eval.standin import StandInEmbedder
from rag.adding import Stage, add_papers
from rag.store.collection import Collection
from tests.stress.scenario import Said, Say, Scenario, searched, well, whole, write_papers


def reported(said: Said, stage: Stage) -> int:
    """The last that was reported of a stage; 0 if nothing was."""
    done = [values["done"] for values in said if values.get("stage") == stage]
    return done[-1] if done else 0


def reporting(say: Say) -> Say:
    """A listener for progress that says it."""
    return lambda stage, done, total: say(stage=stage, done=done)


class Adding(Scenario):
    """Papers of a file go into a collection."""

    name: ClassVar[str] = "add"

    def __init__(self, papers: int = 1_500) -> None:
        self.papers = papers
        self.embedded = 0

    def prepare(self, place: Path) -> None:
        write_papers(place / "papers.jsonl", range(self.papers))

    def work(self, place: Path, say: Say) -> None:
        with closing(Collection(place / "papers", create=True)) as collection:
            files = [place / "papers.jsonl"]
            add_papers(collection, StandInEmbedder(), files, reporting(say), lambda *_: None)

    def look(self, place: Path, said: Said, *, ended: bool) -> None:
        directory = place / "papers"
        if not directory.exists():
            assert not reported(said, Stage.READING)
            return
        if not (directory / "catalog.sqlite3").exists():
            assert not reported(said, Stage.READING)
            return
        held, read = whole(directory), reported(said, Stage.READING)
        embedded = held.papers - held.unembedded
        assert held.papers >= read, (held, read)
        assert embedded >= self.embedded + reported(said, Stage.EMBEDDING), (held, self.embedded)
        self.embedded = embedded
        searched(directory, [0, read - 1] if read else [])
        if ended:
            assert (held.papers, held.unembedded) == (self.papers, 0)
            well(directory)

    def renew(self, place: Path) -> None:
        shutil.rmtree(place / "papers")
        self.embedded = 0
