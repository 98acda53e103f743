"""Working beside a place until what is to stand there is whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import LockedError, StorageError
from rag.store.database import in_words
from rag.store.replacing import draft_of

_LOCK = "lock"


@contextmanager
def draft_beside(
    target: Path, before_clearing: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """An empty directory beside a place, for what is to stand there; it is gone at the end.

    What a process that was killed left there is cleared away first; ``before_clearing`` is called
    with the place before that.

    Raises:
        LockedError: another process is at work for the same place.
        StorageError: the disk refuses.
    """
    from filelock import FileLock, Timeout

    draft = draft_of(target)
    with in_words(draft):
        draft.mkdir(mode=0o700, exist_ok=True)
        if draft.is_symlink():
            raise StorageError(f"{draft} is a link, and this name is needed; remove it")
        lock = FileLock(draft / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise LockedError(
                f"another process is writing {target}; wait until it ends, or name another place"
            ) from error
        try:
            if before_clearing is not None:
                before_clearing(target)
            _clear(draft)
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            lock.release()


def _clear(draft: Path) -> None:
    for left in draft.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        elif left.name != _LOCK:
            left.unlink()
