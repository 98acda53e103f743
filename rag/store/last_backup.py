"""Where the last backup of a collection went: a line in its directory, for `rag.health` to name."""

from __future__ import annotations

import logging
from pathlib import Path

FILE_NAME = "last-backup"
_MAX_CHARS = 5_000
_LOG = logging.getLogger(__name__)


def remember(directory: Path, file: Path) -> None:
    """Note where a backup was written; where that cannot be written, only the log says so."""
    try:
        (directory / FILE_NAME).write_text(f"{file}\n", "utf-8")
    except (OSError, UnicodeError) as error:
        _LOG.warning("%s: it is not noted where the backup is (%s)", directory, error)


def last(directory: Path) -> Path | None:
    """The last backup of a collection, if it is known and still there."""
    try:
        with (directory / FILE_NAME).open(encoding="utf-8") as noted:
            file = Path(noted.read(_MAX_CHARS).strip())
        return file if file.is_absolute() and file.is_file() else None
    except (OSError, ValueError):
        return None
