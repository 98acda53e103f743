"""``rebuild``, every other time with ``--embed``: no paper is lost, search works all the time."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tests.stress.scenario import Held, Said, Say, Scenario, assistant, fill, searched, well, whole

PAPERS = 400


class Rebuilding(Scenario):
    """The indexes of a collection are made again."""

    name: ClassVar[str] = "rebuild"

    def __init__(self) -> None:
        self.embeds = False
        self.held = Held("", 0, 0)

    def prepare(self, place: Path) -> None:
        fill(place / "papers", range(PAPERS))
        self.held = whole(place / "papers")

    def work(self, place: Path, say: Say) -> None:
        with assistant(place / "papers") as opened:
            opened.rebuild(embed=(place / "embed").exists())

    def change(self, place: Path) -> None:
        self.embeds = not self.embeds
        if self.embeds:
            (place / "embed").touch()
        else:
            (place / "embed").unlink(missing_ok=True)

    def look(self, place: Path, said: Said, *, ended: bool) -> None:
        held = whole(place / "papers")
        assert (held.fingerprint, held.papers) == (self.held.fingerprint, PAPERS)
        searched(place / "papers", [0, PAPERS // 2, PAPERS - 1])
        if ended:
            assert held == self.held
            well(place / "papers")
