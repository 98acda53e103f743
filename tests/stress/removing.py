"""``remove``: what was reported as removed is gone, all else is there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import ClassVar

from eval.standin import StandInEmbedder
from rag.store.collection import Collection
from tests.stress.scenario import Said, Say, Scenario, assistant, fill, well, whole

PAPERS = 300
AT_ONCE = 15


class Removing(Scenario):
    """Papers are removed one after another."""

    name: ClassVar[str] = "remove"

    def __init__(self) -> None:
        self.held: set[str] = set()

    def prepare(self, place: Path) -> None:
        fill(place / "papers", range(PAPERS))
        self.held = _ids(place / "papers")

    def work(self, place: Path, say: Say) -> None:
        with assistant(place / "papers") as opened:
            for paper in list(opened.papers())[:AT_ONCE]:
                opened.remove(paper.id)
                say(removed=paper.id)

    def change(self, place: Path) -> None:
        if len(self.held) < PAPERS // 2:
            fill(place / "papers", range(PAPERS))
            self.held = _ids(place / "papers")

    def look(self, place: Path, said: Said, *, ended: bool) -> None:
        whole(place / "papers")
        removed = {values["removed"] for values in said if "removed" in values}
        left = _ids(place / "papers")
        assert left <= self.held - removed, "a paper that was removed is there"
        assert len(self.held - removed - left) <= 1, "more is gone than was removed"
        _not_found(place / "papers", left)
        self.held = left
        if ended:
            assert len(removed) == AT_ONCE
            well(place / "papers")


def _ids(directory: Path) -> set[str]:
    with closing(Collection(directory, create=False)) as collection:
        return {held.paper.id for held in collection.catalog.all_papers()}


def _not_found(directory: Path, left: set[str]) -> None:
    with closing(Collection(directory, create=False)) as collection:
        vector = StandInEmbedder().embed_query("Paper number 1 is about neutrinos")
        numbers = collection.nearest(vector, 50)
        found = {held.paper.id for held in collection.catalog.papers(numbers).values()}
    assert found, "nothing is found any more"
    assert found <= left
