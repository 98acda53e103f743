"""Disks that are full, read-only, or not ours: told in a line, nothing lost, well afterwards."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from rag.errors import StorageError
from tests.stress.commands import COMMANDS, HELD, clear, intact, refused
from tests.stress.disks import leave, read_only, small_disk
from tests.stress.scenario import searched, whole

READING = ("backup", "export collection")
"""Commands that only read a collection, when their file stands elsewhere."""

_MOST_KILOBYTES = 700
_NOBODY = 65_534


def full_disk(command: str, template: Path, place: Path, chance: random.Random) -> str:
    """A command on a disk with little room; then again with enough."""
    with small_disk(place / "disk") as disk:
        here = Path(shutil.copytree(template, disk / "here"))
        before = whole(here / "papers")
        filler = leave(disk, chance.randrange(0, _MOST_KILOBYTES))
        message = refused(command, here)
        _read_or_refused(here)
        filler.unlink()
        assert intact(here).papers >= before.papers - (command == "remove")
        if message:
            assert refused(command, here) == ""
            after = intact(here)
            assert after.unembedded == 0
            assert not list(here.glob(".*")), "something is left"
    return message


def _read_or_refused(place: Path) -> None:
    """See that a collection can be searched; without any room SQLite cannot even read."""
    try:
        searched(place / "papers", [0])
    except StorageError as error:
        clear(error)


def read_only_disk(command: str, template: Path, place: Path, _: random.Random) -> str:
    """A command where nothing can be written: refused, and nothing has changed."""
    here = Path(shutil.copytree(template, place / "here"))
    before = _bytes(here)
    with read_only(here, place / "read only") as locked:
        message = refused(command, locked)
        assert message, "it pretended to have worked"
        searched(locked / "papers", [0, HELD - 1])
    assert _bytes(here) == before
    return message


def elsewhere(command: str, template: Path, place: Path, _: random.Random) -> str:
    """A read-only collection is still backed up and exported, to where one may write."""
    here = Path(shutil.copytree(template, place / "here"))
    out = place / "out"
    out.mkdir()
    with read_only(here, place / "read only") as locked:
        (out / "papers").symlink_to(locked / "papers")
        COMMANDS[command](out)
    for name in ("file.zip", "shared.zip"):
        if (out / name).exists():
            shutil.copy(out / name, here)
    intact(here)
    return ""


def not_permitted(command: str, template: Path, place: Path, _: random.Random) -> str:
    """A command as somebody who may read everything, and write nothing."""
    here = Path(shutil.copytree(template, place / "here"))
    before = _bytes(here)
    for path in [here, *here.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    message = _as_nobody(lambda: refused(command, here), place)
    assert message, "it pretended to have worked"
    for path in [here, *here.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert _bytes(here) == before
    return message


def place_not_permitted(template: Path, place: Path) -> str:
    """A collection that may not even be looked into."""
    here = Path(shutil.copytree(template, place / "here"))
    before = _bytes(here)
    (here / "papers").chmod(0o700)
    message = _as_nobody(lambda: refused("remove", here), place)
    assert "Permission denied" in message
    assert _bytes(here) == before
    return message


def _as_nobody(do: Callable[[], str], place: Path) -> str:
    """What a function returns in a process of somebody else; itself where we are not root.

    Raises:
        AssertionError: it failed there.
    """
    if os.geteuid() != 0:
        return do()
    for parent in (place, *place.parents):
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        said, code = "", 1
        try:
            os.setuid(_NOBODY)
            said, code = do(), 0
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(writing, said.encode()[:4_000])
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, said
    return said


def _bytes(place: Path) -> dict[str, bytes]:
    """What stands at a place, but for locks and what SQLite keeps beside its files."""
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm", "lock"))
    }
