"""The commands that messages suggest, as a shell takes them and for the collection in question."""

from __future__ import annotations

import shlex
from pathlib import Path

from rag.store import last_backup


def command(name: str, directory: Path, *arguments: str) -> str:
    """``footnoted NAME ARGUMENTS… --collection DIRECTORY``, quoted where a shell needs it."""
    place = str(directory.resolve())
    return shlex.join(["footnoted", *name.split(), *arguments, "--collection", place])


def restoring(directory: Path) -> str:
    """The command that restores a collection from its last backup, if that is known."""
    file = last_backup.last(directory)
    restored = command("restore", directory, "FILE" if file is None else str(file), "--force")
    if file is None:
        return f"{restored} with a backup of yours, or move it away and add your files again"
    return restored
