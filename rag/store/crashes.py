"""What is asked of an index, noted while it is asked, so that a crash is known for what it was.

Chroma's native library can crash on damaged files, and then nothing can be caught. Every process
that searches an index has a note in its directory, and a lock on that. A note that asks
and is locked by nobody tells what a process died of asking, or was killed while it asked: that is
asked once more, by ``python -m rag.store.crashes INDEX NOTE``, before anybody opens the index.
"""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import finalize

from rag.store.apart import run_apart

if TYPE_CHECKING:
    import numpy as np
    from filelock import BaseFileLock
    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)
_LOCK = ".lock"
_ASKING, _SILENT = b"\1", b"\0"
_numbers = itertools.count(1)


class Note:
    """What this process asks of an index at the moment; its first byte says whether it does."""

    def __init__(self, index: Path) -> None:
        self._path = index / f"asked.{os.getpid()}.{next(_numbers)}"
        self._lock: BaseFileLock | None = None
        self._file: int | None = None
        self._let_go: Callable[[], object] | None = None

    @contextmanager
    def asking(self, vector: NDArray[np.float32] | None = None, limit: int = 0) -> Iterator[None]:
        """Say what is asked, as long as it is: the nearest of a vector, or how many there are.

        A disk that refuses only leaves it unsaid.
        """
        said = _ASKING + limit.to_bytes(4, "little")
        try:
            self._say(said if vector is None else said + vector.astype("<f4").tobytes())
            yield
        finally:
            self._say(_SILENT)

    def _say(self, said: bytes) -> None:
        from filelock import FileLock

        try:
            if self._file is None:
                lock = FileLock(f"{self._path}{_LOCK}", thread_local=False)
                lock.acquire(timeout=0)
                self._lock = lock
                # Kept open: to empty and close a file costs milliseconds on some file systems.
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
                self._let_go = finalize(self, os.close, self._file)
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, said)
        except OSError as error:
            _LOG.debug("%s cannot be written: %s", self._path, error)

    def close(self) -> None:
        """Take the note away."""
        if self._let_go is not None:
            self._let_go()
            self._file = self._let_go = None
        if self._lock is not None:
            _take_away(self._path, self._lock)
            self._lock = None


def crashes(index: Path) -> bool:
    """Whether a process died of asking this index, and another one does of asking the same.

    What is left of processes that were only killed is taken away.
    """
    from filelock import FileLock, Timeout

    for note in index.glob("asked.*[0-9]"):
        lock = FileLock(f"{note}{_LOCK}")
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue  # its process is at work
        if note.exists() and note.read_bytes()[:1] == _ASKING and _dies(index, note):
            lock.release()
            return True
        _take_away(note, lock)
    return False


def _take_away(note: Path, lock: BaseFileLock) -> None:
    # The lock's file goes after the lock was let go of, as Windows wants it; a name is never used
    # again, so nobody waits for it.
    _unlink(note)
    lock.release()
    _unlink(Path(lock.lock_file))


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _LOG.debug("%s stays: %s", path, error)


def _dies(index: Path, note: Path) -> bool:
    try:
        return run_apart("rag.store.crashes", index, note).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def ask(index: Path, note: Path) -> None:
    """Ask an index what a note says; may crash."""
    import numpy as np

    from rag.store.vectors import VectorIndex

    said = note.read_bytes()[1:]
    with closing(VectorIndex(index, create=False)) as opened:
        opened.count()
        if limit := int.from_bytes(said[:4], "little"):
            opened.nearest(np.frombuffer(said[4:], "<f4"), limit)


if __name__ == "__main__":
    ask(Path(sys.argv[1]), Path(sys.argv[2]))
