"""Backing up a live collection: others read it and one writes to it meanwhile."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.backup.archive import pack, replaceable
from rag.backup.checks import check_catalog
from rag.backup.drafts import draft_beside
from rag.backup.manifest import BACKUP, Manifest, embedder_of
from rag.backup.snapshot import CATALOG, HISTORY, take_catalog, take_history
from rag.errors import DamagedError
from rag.store import last_backup
from rag.store.catalog import Catalog
from rag.version import VERSION


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that was written: where, its size in bytes, and what is in it."""

    file: Path
    bytes: int
    manifest: Manifest


def back_up(directory: Path, file: Path, *, history: bool = True) -> Saved:
    """Write a collection's catalog, and its history if there is one, to one file.

    Each is as it was at one moment, whoever writes meanwhile; Chroma is made anew from the
    catalog when it is restored. What stood at ``file`` stays until the new one is whole.

    Raises:
        DamagedError: the catalog is damaged; then an earlier backup is the one to keep.
        StorageError: the disk refuses.
        LockedError: another process is writing to the same file.
    """
    file = replaceable(file)
    with draft_beside(file) as draft:
        members = {CATALOG: draft / CATALOG}
        take_catalog(directory, members[CATALOG])
        try:
            catalog = check_catalog(members[CATALOG])
        except DamagedError as error:
            raise DamagedError(
                f"{directory} is not backed up: {error}. Run 'footnoted doctor' to see what mends "
                "it; keep the backups that you have"
            ) from error
        with closing(catalog):
            manifest = manifest_of(catalog, BACKUP)
        if history and take_history(directory, draft / HISTORY):
            members[HISTORY] = draft / HISTORY
        manifest = pack(file, draft, manifest, members)
    last_backup.remember(directory, file)
    return Saved(file, file.stat().st_size, manifest)


def manifest_of(catalog: Catalog, kind: str) -> Manifest:
    """What a file with this catalog says of itself, its members left out."""
    meta = catalog.meta()
    return Manifest(
        kind=kind,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        software=VERSION,
        fingerprint=meta.get("fingerprint", f"{0:032x}"),
        embedder=embedder_of(meta),
        counts=catalog.counts(),
    )
