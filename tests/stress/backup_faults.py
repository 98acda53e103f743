"""A backup that is half there or changed: refused, and what it was to replace is untouched."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from rag.backup.restoring import restore
from rag.errors import FileError
from tests.stress.commands import clear
from tests.stress.scenario import whole


def half_written(tenth: int, template: Path, place: Path, _: random.Random) -> str:
    """A backup of which so many tenths are there."""
    data = (template / "file.zip").read_bytes()
    return _refused(template, place, data[: len(data) * tenth // 10])


def changed_byte(template: Path, place: Path, chance: random.Random) -> str:
    """A backup with one changed byte, where that means anything."""
    data = bytearray((template / "file.zip").read_bytes())
    data[chance.randrange(len(data))] ^= 0x55
    return _refused(template, place, bytes(data))


def _refused(template: Path, place: Path, data: bytes) -> str:
    here = Path(shutil.copytree(template, place / "here"))
    before = whole(here / "papers")
    (here / "file.zip").write_bytes(data)
    try:
        restored = restore(here / "file.zip", here / "papers", force=True)
    except FileError as error:
        assert whole(here / "papers") == before
        beside = sorted(path.name for path in here.iterdir())
        assert beside == ["file.zip", "more.jsonl", "papers", "shared.zip"]
        return clear(error)
    # Times and attributes in the archive mean nothing.
    assert whole(restored.directory).fingerprint == restored.manifest.fingerprint
    return ""
