"""The folder that uploaded files are put in: how much may lie there, and for how long."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock

from ui.page.limits import TooManyError

UPLOAD_S = 600.0  # an upload must have come in by then
KEEP_S = 3600.0  # whoever uploads should add by then
MOST_WAITING = 8
_RETRY_S = 60


class Uploads:
    """Files that were uploaded, each in a folder of its own, until they are added.

    An upload that is coming in, or broke off, is a file outside those folders.

    Args:
        directory: where they lie.
        most_bytes: how big one upload may be; `MOST_WAITING` times as much may lie here.
    """

    def __init__(self, directory: Path, most_bytes: int) -> None:
        self._directory = directory
        self._most_bytes = most_bytes
        self._lock = Lock()

    def admit(self) -> None:
        """See that there is room for one more.

        Raises:
            TooManyError: too much waits to be added.
        """
        if self.sweep() > (MOST_WAITING - 1) * self._most_bytes:
            raise TooManyError(
                "too many uploaded files wait to be added; add yours, or try again later", _RETRY_S
            )

    def sweep(self) -> int:
        """Delete what broke off and what nobody added; returns the bytes that are left."""
        now, left = time.time(), 0
        with self._lock:
            for path in list(self._directory.rglob("*")):
                whole = path.parent != self._directory
                try:
                    found = path.stat()
                    if path.is_dir():
                        continue
                    if now - found.st_mtime > (KEEP_S if whole else UPLOAD_S):
                        path.unlink()
                    else:
                        left += found.st_size
                except FileNotFoundError:  # added meanwhile
                    continue
        return left
