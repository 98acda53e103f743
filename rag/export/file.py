"""A file that is there whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from rag.errors import StorageError


def write_file(path: Path, pieces: Iterable[str]) -> None:
    """Write a text in UTF-8; what stood there before stays until the new one is whole.

    The text is written beside the file and takes its name, and its permissions, at the end. What
    stops it, an interruption too, leaves no half. A device or a pipe is written to as it is.

    Raises:
        StorageError: the place cannot be written to.
    """
    path = Path(os.path.realpath(path))  # a symbolic link stays one
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("w", encoding="utf-8", newline="") as out:
                out.writelines(pieces)
        else:
            _replace(path, pieces)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}; name another place"
        ) from error


def _replace(path: Path, pieces: Iterable[str]) -> None:
    if path.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as out:
            out.writelines(pieces)
            out.flush()
            os.fsync(out.fileno())
        if path.exists():
            part.chmod(stat.S_IMODE(path.stat().st_mode))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
