"""A collection out of a backup: whole before it replaces anything, the old one kept aside."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from rag.backup.archive import Archive, opened
from rag.backup.checks import check_catalog
from rag.backup.drafts import draft_beside
from rag.backup.manifest import BACKUP, Manifest, embedder_of
from rag.backup.snapshot import CATALOG, HISTORY, take_history
from rag.errors import CollectionError, DamagedError, FileError, ForeignError, LockedError
from rag.store.catalog import Catalog
from rag.store.collection import LOCK, Collection, Tick
from rag.store.copying import copy_catalog, copy_history
from rag.store.database import in_words
from rag.store.replacing import STAGE, flush, is_free, put_in_place, take_back
from rag.store.writing import CatalogWriter

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: where, from what, and where the collection that stood there is now.

    ``index_problem`` says why Chroma could not be made yet; until it is, search is exact and slow.
    """

    directory: Path
    manifest: Manifest
    aside: Path | None
    index_problem: str | None = None


def restore(
    file: Path,
    directory: Path,
    *,
    force: bool = False,
    on_tick: Tick | None = None,
    wait_s: float = 10.0,
) -> Restored:
    """Make the collection of a backup at a directory that is new, empty, or (``force``) one.

    It can be used as soon as it stands there; Chroma, which takes longest, is made after that.
    Where the backup has no history, that of the collection which stood there goes on. ``on_tick``
    is told of vectors indexed and of how many there are. A writer is waited for ``wait_s`` seconds.

    Raises:
        FileError: the file is no backup, is damaged, or holds what no collection can hold.
        CollectionError: a collection stands there, and ``force`` is not given; or it is in use.
        ForeignError: something else stands there.
    """
    directory = Path(os.path.realpath(directory))
    with in_words(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
    with draft_beside(directory, take_back) as draft, in_words(directory):
        replaced = _stands(directory, force=force)
        stage = draft / STAGE
        stage.mkdir()
        with opened(file, BACKUP, [CATALOG], HISTORY) as archive:
            _unpack(archive, draft, stage)
        if replaced:
            stage.chmod(stat.S_IMODE(directory.stat().st_mode))
            if not (stage / HISTORY).exists():
                _carry_history(directory, stage)
        for path in (stage, *stage.iterdir()):
            flush(path)
        aside = _put_in_place(stage, directory, wait_s)
    return Restored(directory, archive.manifest, aside, _index(directory, on_tick))


def _stands(directory: Path, *, force: bool) -> bool:
    """Whether a collection stands there.

    Raises:
        CollectionError: it does, and is not to be replaced, or something else does.
    """
    if is_free(directory):
        return False
    if not (directory.is_dir() and (directory / CATALOG).exists()):
        raise ForeignError(f"{directory} is not empty and is no collection; name a new one")
    if not force:
        raise CollectionError(
            f"there is a collection at {directory}; name another with --collection, or replace "
            "it with --force (it is kept aside)"
        )
    return True


def _unpack(archive: Archive, draft: Path, stage: Path) -> None:
    """Make the collection's files at ``stage`` from what is in the archive."""
    try:
        for member in archive.manifest.members:
            archive.unpack(member, draft / member)
        copy_catalog(draft / CATALOG, stage / CATALOG)
        if HISTORY in archive.manifest.members:
            copy_history(draft / HISTORY, stage / HISTORY)
        with closing(check_catalog(stage / CATALOG)) as catalog:
            _compare(catalog, archive.manifest)
        _forget_index(stage / CATALOG)
    except (DamagedError, ForeignError) as error:
        reason = error.__cause__ if isinstance(error.__cause__, sqlite3.Error) else error
        raise FileError(
            f"{archive.name} cannot be restored: {reason}. Nothing was replaced; use another backup"
        ) from error
    finally:
        for member in archive.manifest.members:
            (draft / member).unlink(missing_ok=True)


def _compare(catalog: Catalog, manifest: Manifest) -> None:
    meta = catalog.meta()
    found = (catalog.counts(), embedder_of(meta), meta.get("fingerprint", manifest.fingerprint))
    if found != (manifest.counts, manifest.embedder, manifest.fingerprint):
        raise DamagedError("its catalog is not what its manifest says")


def _forget_index(path: Path) -> None:
    """Name an index that nobody has: nothing that the file says of Chroma counts.

    Whoever searched the collection that stood there sees by it that its own index is another.
    """
    writer = CatalogWriter(path)
    try:
        writer.set_meta(chroma_directory="0", chroma_id=f"none-{uuid4()}", indexed_upto="0")
    finally:
        writer.close()


def _index(directory: Path, on_tick: Tick | None) -> str | None:
    """Make Chroma; returns why that cannot be done now, or None."""
    try:
        with closing(Collection(directory, create=False)) as collection:
            collection.index_anew(on_tick)
    except CollectionError as error:
        return str(error)
    return None


def _carry_history(directory: Path, stage: Path) -> None:
    try:
        take_history(directory, stage / HISTORY)
    except CollectionError as error:
        _LOG.warning("the history stays with the old collection: %s", error)
        (stage / HISTORY).unlink(missing_ok=True)


def _put_in_place(stage: Path, directory: Path, wait_s: float) -> Path | None:
    """Let ``stage`` stand at ``directory``; returns where what stood there is now."""
    if is_free(directory):
        return put_in_place(directory)
    with _locked(directory, wait_s):
        # Whoever waits for the lock by its old name holds the new collection's lock with it.
        (stage / LOCK).unlink(missing_ok=True)
        (stage / LOCK).hardlink_to(directory / LOCK)
        return put_in_place(directory)


@contextmanager
def _locked(directory: Path, wait_s: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout as error:
        raise LockedError(
            f"another process is writing to {directory} (waited {wait_s:g} s); wait "
            "until it ends, then restore again: nothing was replaced"
        ) from error
    try:
        yield
    finally:
        lock.release()
