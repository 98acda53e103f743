"""``restore --force``: the collection before or the one after stands there, and no answer is lost.

Between two renames nothing stands there; then the one before is whole where it was set aside, and
the next restore begins with putting it back.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from rag.backup.restoring import restore
from rag.backup.saving import back_up
from rag.store.history import History
from rag.store.replacing import set_aside
from tests.stress.scenario import (
    Held,
    Said,
    Say,
    Scenario,
    assistant,
    fill,
    searched,
    well,
    whole,
)

PAPERS = 300


class Restoring(Scenario):
    """A backup without answers replaces a collection that has changed and has some."""

    name: ClassVar[str] = "restore --force"

    def __init__(self) -> None:
        self.number = PAPERS
        self.answers: set[str] = set()
        self.in_backup = self.before = Held("", 0, 0)

    def prepare(self, place: Path) -> None:
        fill(place / "papers", range(PAPERS))
        back_up(place / "papers", place / "file.zip", history=False)
        self.in_backup = whole(place / "papers")

    def work(self, place: Path, say: Say) -> None:
        restore(place / "file.zip", place / "papers", force=True)

    def change(self, place: Path) -> None:
        if set_aside(place / "papers") is not None:
            return  # what is there to be changed comes back first
        fill(place / "papers", [self.number])
        self.number += 1
        with assistant(place / "papers") as opened:
            answer = opened.ask("What is grokking?")
        assert answer.id is not None
        self.answers.add(answer.id)
        self.before = whole(place / "papers")

    def look(self, place: Path, said: Said, *, ended: bool) -> None:
        directory = place / "papers"
        aside = set_aside(directory)
        stands = aside or directory
        assert whole(stands) in ({self.in_backup} if ended else {self.in_backup, self.before})
        assert _answers(stands) == self.answers
        for other in place.glob("papers.replaced-*"):
            if other != aside:
                assert whole(other).papers >= PAPERS
                shutil.rmtree(other)
        if aside is not None:
            assert whole(aside) == self.before
            return
        searched(directory, [0, PAPERS - 1])
        if ended:
            well(directory)
            assert not list(place.glob(".*")), "something is left beside the collection"


def _answers(directory: Path) -> set[str]:
    history = History(directory)
    try:
        return {summary.id for summary in history.answers(limit=100_000)}
    finally:
        history.close()
