"""``import``: what was reported is there with its vectors, and the next one goes on."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from eval.standin import StandInEmbedder
from rag.adding import Stage
from rag.backup.importing import import_collection
from rag.backup.sharing import export_collection
from rag.store.collection import Collection
from rag.store.database import FILE_NAME
from tests.stress.adding import reported, reporting
from tests.stress.scenario import Held, Said, Say, Scenario, fill, searched, well, whole

PAPERS = 600


class Importing(Scenario):
    """A collection that was exported becomes one again."""

    name: ClassVar[str] = "import"

    def __init__(self) -> None:
        self.exported = Held("", 0, 0)

    def prepare(self, place: Path) -> None:
        fill(place / "source", range(PAPERS))
        export_collection(place / "source", place / "file.zip")
        self.exported = whole(place / "source")

    def work(self, place: Path, say: Say) -> None:
        embedder = StandInEmbedder()
        with closing(Collection(place / "papers", create=True)) as collection:
            file = place / "file.zip"
            import_collection(collection, embedder, file, reporting(say), lambda *_: None)

    def look(self, place: Path, said: Said, *, ended: bool) -> None:
        directory, taken = place / "papers", reported(said, Stage.READING)
        if not (directory / FILE_NAME).exists():
            assert not taken
            return
        held = whole(directory)
        # The vectors of a batch follow its papers: those of one batch at most are not there yet.
        assert held.papers - held.unembedded >= taken, (held, taken)
        searched(directory, [0, taken - 1] if taken else [])
        if ended:
            assert held == self.exported
            well(directory)

    def renew(self, place: Path) -> None:
        shutil.rmtree(place / "papers")
