"""Disks that are soon full and directories that are read-only: mounted, so only root can."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE = "64m"


class CannotMountError(Exception):
    """Mounting is not permitted here."""


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A disk in memory, empty; it is gone at the end.

    Raises:
        CannotMountError: there is none without being root.
    """
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def leave(disk: Path, kilobytes: int) -> Path:
    """Fill a disk until so much is left; returns what fills it."""
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - kilobytes * 1024)))
    return filler


@contextmanager
def read_only(directory: Path, place: Path) -> Iterator[Path]:
    """The same directory at another place, where nothing can be written.

    Raises:
        CannotMountError: that cannot be had without being root.
    """
    place.mkdir()
    _mount("--bind", str(directory), str(place))
    try:
        _mount("-o", "remount,bind,ro", str(place))
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotMountError(done.stderr.strip())
