"""A collection that was made for something that then failed is gone again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rag.errors import CollectionError
from rag.store import database
from rag.store.catalog import Catalog
from rag.store.collection import LOCK

_CATALOG = database.FILE_NAME
_FILES = {_CATALOG, f"{_CATALOG}-wal", f"{_CATALOG}-shm", LOCK}
_LOG = logging.getLogger(__name__)


@contextmanager
def gone_if_unused(directory: Path) -> Iterator[None]:
    """If what happens inside fails, take away the collection that it made and put nothing into.

    One that stood there before stays; so does one that holds a paper or is being written to.
    """
    stood = (directory / _CATALOG).exists()
    try:
        yield
    except BaseException:
        if not stood:
            _take_away(directory)
        raise


def _take_away(directory: Path) -> None:
    from filelock import FileLock, Timeout

    if not (directory / _CATALOG).exists():
        return
    try:
        with database.in_words(directory), FileLock(directory / LOCK, timeout=0):
            with closing(Catalog(directory / _CATALOG)) as catalog:
                used = catalog.counts()["papers"]
            if used or {path.name for path in directory.iterdir()} - _FILES:
                return
            for name in _FILES:
                (directory / name).unlink(missing_ok=True)
            directory.rmdir()
    except Timeout:
        return  # somebody else has begun to use it
    except CollectionError as error:
        _LOG.warning("%s: an empty collection stays there (%s)", directory, error)
