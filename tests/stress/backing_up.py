"""``backup``: the file that stands is whole, the earlier one or the new one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from rag.backup.archive import opened
from rag.backup.manifest import BACKUP
from rag.backup.restoring import restore
from rag.backup.saving import back_up
from rag.backup.snapshot import CATALOG, HISTORY
from tests.stress.filing import Filing
from tests.stress.scenario import Held, well, whole


class BackingUp(Filing):
    """A collection with answers is backed up."""

    name: ClassVar[str] = "backup"

    def write(self, directory: Path, file: Path) -> None:
        back_up(directory, file)

    def read(self, file: Path) -> str:
        with opened(file, BACKUP, [CATALOG], HISTORY) as archive:
            assert set(archive.manifest.members) == {CATALOG, HISTORY}
            for member in archive.manifest.members:
                archive.check(member)
            return archive.manifest.fingerprint

    def read_back(self, file: Path, directory: Path) -> Held:
        restore(file, directory)
        held = whole(directory)
        well(directory)
        shutil.rmtree(directory)
        return held
