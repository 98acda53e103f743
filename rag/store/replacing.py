"""One collection in the place of another: two renames, and the way back where one was cut off.

What is to stand there is made in a draft beside it. Before what stood there is set aside, the draft
notes under which name. A process killed between the two renames leaves the place empty, the draft
with the note, and the old collection whole under that name.
"""

from __future__ import annotations

import itertools
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import NoCollectionError
from rag.store.database import FILE_NAME

STAGE = "collection"
"""The directory in the draft that is to stand at the place."""

_NOTE = "aside"
_MAX_CHARS = 500
_LOG = logging.getLogger(__name__)


def draft_of(target: Path) -> Path:
    """Where what is to stand at a place is made."""
    return target.with_name(f".{target.name}.part")


def flush(path: Path) -> None:
    """Bring a file, or the names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_free(directory: Path) -> bool:
    """Whether nothing stands at a place, or an empty directory."""
    return not directory.exists() or (directory.is_dir() and not any(directory.iterdir()))


def put_in_place(directory: Path) -> Path | None:
    """Let the draft's collection stand at a directory; returns where what stood there is now.

    Whoever replaces a collection holds its lock.
    """
    draft = draft_of(directory)
    if is_free(directory):
        (draft / STAGE).rename(directory)
        flush(directory.parent)
        return None
    aside = _name_for(directory)
    (draft / _NOTE).write_text(aside.name, "utf-8")
    flush(draft / _NOTE)
    flush(draft)
    try:
        directory.rename(aside)
        (draft / STAGE).rename(directory)
    except BaseException:
        if not directory.exists():
            aside.rename(directory)
        raise
    flush(directory.parent)
    return aside


def _name_for(directory: Path) -> Path:
    """A name beside a directory that nothing has: the time, and a number where that is needed."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(1):
        more = "" if number == 1 else f"-{number}"
        aside = directory.with_name(f"{directory.name}.replaced-{now}{more}")
        if not aside.exists():
            break
    return aside


def set_aside(directory: Path) -> Path | None:
    """Where the collection of a directory is that a killed process set aside; None: nowhere."""
    directory = Path(os.path.realpath(directory))
    draft = draft_of(directory)
    try:
        with (draft / _NOTE).open(encoding="utf-8") as note:
            aside = directory.with_name(note.read(_MAX_CHARS))
        # Once the draft's collection stands there, or another, the note says nothing.
        cut_off = (draft / STAGE).is_dir() and is_free(directory)
        return aside if cut_off and (aside / FILE_NAME).exists() else None
    except (OSError, ValueError):
        return None  # no such note, or one of somebody else


def take_back(directory: Path) -> None:
    """Let a collection that a killed process set aside stand at its place again."""
    if (aside := set_aside(directory)) is not None:
        aside.rename(directory)
        flush(directory.parent)
        _LOG.warning("%s: what an earlier restore had set aside stands there again", directory)


def refuse_set_aside(directory: Path) -> None:
    """See that nothing is begun where a collection is missing that was only set aside.

    Raises:
        NoCollectionError: one was.
    """
    if (aside := set_aside(directory)) is not None:
        raise NoCollectionError(
            f"there is no collection at {directory}: replacing it was cut off, and what stood "
            f"there is whole in {aside}. Run the same 'footnoted restore FILE --force' again, or "
            f"rename {aside.name} to {directory.name}"
        )
