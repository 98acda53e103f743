"""``export collection``: the file that stands is whole, the earlier one or the new one."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from eval.standin import StandInEmbedder
from rag.backup.archive import opened
from rag.backup.importing import import_collection
from rag.backup.manifest import SHARED
from rag.backup.sharing import PAPERS, VECTORS, export_collection
from rag.store.collection import Collection
from tests.stress.filing import Filing
from tests.stress.scenario import Held, whole


class Exporting(Filing):
    """A collection is written to a file with its vectors."""

    name: ClassVar[str] = "export collection"

    def write(self, directory: Path, file: Path) -> None:
        export_collection(directory, file)

    def read(self, file: Path) -> str:
        with opened(file, SHARED, [PAPERS, VECTORS]) as archive:
            for member in archive.manifest.members:
                archive.check(member)
            return archive.manifest.fingerprint

    def read_back(self, file: Path, directory: Path) -> Held:
        with closing(Collection(directory, create=True)) as collection:
            quiet = lambda *_: None  # noqa: E731
            report = import_collection(collection, StandInEmbedder(), file, quiet, quiet)
        assert report.passages == 0, "no vector may have to be made again"
        held = whole(directory)
        shutil.rmtree(directory)
        return held
