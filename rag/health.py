"""What is wrong with a collection, and which command mends it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import (
    DamagedError,
    EmbedderMismatchError,
    EndpointError,
    LockedError,
    RagError,
    UnreachableError,
    WeightsError,
)
from rag.ingest.identity import paper_hash
from rag.settings import LOCAL
from rag.store import database, soundness
from rag.store.apart import TIMEOUT_S, run_apart
from rag.store.collection import Collection
from rag.store.commands import command, restoring
from rag.store.places import Place, ServerPlace
from rag.store.probe import look

if TYPE_CHECKING:
    from rag.models.embedder import Embedder

_IN_USE = "a process is writing at the moment: look again when it is done"
_LOW_DISK_BYTES = 200 * 2**20


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it is well, details, and what to do if it is not."""

    check: str
    well: bool
    detail: str
    remedy: str = ""


def examine(collection: Collection, embedder: Embedder) -> Iterator[Finding]:
    """Check a collection from the disk up; changes nothing. Yields findings as they are made.

    While somebody writes to it, a finding says so, and papers that wait or an index that is not
    level with the catalog count as well.
    """
    yield _disk(collection.directory)
    in_use = collection.is_written_to
    if in_use:
        yield Finding("writer", True, _IN_USE)
    for check in (_catalog_file, _full_text, _papers, _vectors, _waiting, _embedder, _chroma):
        try:
            found = check(collection, embedder)
        except RagError as error:
            name = check.__name__.strip("_").replace("_", " ")
            said = error.reason if isinstance(error, UnreachableError) else str(error)
            found = Finding(name, False, said, _remedy(error, collection.directory))
        else:
            in_flux = check in (_waiting, _chroma) and not found.well
            if in_flux and (in_use or collection.is_written_to):
                found = Finding(found.check, True, f"{found.detail}; a writer is at work")
        yield found


def _stale(collection: Collection, check: str, detail: str) -> Finding:
    """What is well again when the indexes are made again."""
    return Finding(check, False, detail, command("rebuild", collection.directory))


def _embedding(directory: Path) -> str:
    return command("rebuild", directory, "--embed")


def _remedy(error: RagError, directory: Path) -> str:
    if isinstance(error, EmbedderMismatchError):
        return f"choose the other embedder with --embedder, or {_embedding(directory)}"
    if isinstance(error, UnreachableError):
        return f"start the Chroma server, or {command('rebuild', directory, '--chroma', LOCAL)}"
    if isinstance(error, EndpointError):
        return "check the endpoint's address and key, and that it is running"
    if isinstance(error, WeightsError):
        return "pip install --force-reinstall footnoted"
    if isinstance(error, LockedError):
        return "wait until the other process is done, then look again"
    return restoring(directory)


def unreadable(directory: Path, error: DamagedError) -> Finding:
    """What there is to say of a collection that cannot even be opened."""
    return Finding("catalog file", False, str(error), restoring(directory))


def _disk(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    detail = f"{directory}, {free / 2**30:.1f} GiB free"
    if not os.access(directory, os.W_OK):
        return Finding(
            "disk", True, f"{detail}, read-only for you: it can be searched, not changed"
        )
    low = "; make room before adding papers" if free < _LOW_DISK_BYTES else ""
    return Finding("disk", True, detail + low)


def _query(collection: Collection, sql: str) -> list[tuple[object, ...]]:
    path = collection.directory / database.FILE_NAME
    connection = database.connect(path, write=False)
    try:
        with database.in_words(path):
            return connection.execute(sql).fetchall()
    finally:
        connection.close()


def _catalog_file(collection: Collection, _: Embedder) -> Finding:
    path = collection.directory / database.FILE_NAME
    with closing(database.connect(path, write=False)) as connection, database.in_words(path):
        said = database.said(connection, "PRAGMA integrity_check(5)")
    problems = [problem for problem in said if problem != "ok"]
    problems += [str(row) for row in _query(collection, "PRAGMA foreign_key_check")][:5]
    if problems:
        remedy = restoring(collection.directory)
        return Finding("catalog file", False, "; ".join(problems), remedy)
    counts = collection.catalog.counts()
    detail = f"{counts['papers']:,} papers, {counts['passages']:,} passages"
    return Finding("catalog file", True, detail)


def _full_text(collection: Collection, _: Embedder) -> Finding:
    if not os.access(collection.directory, os.W_OK):
        return Finding("full-text index", True, "not looked at: read-only")
    path = collection.directory / database.FILE_NAME
    sql = "INSERT INTO papers_fts(papers_fts, rank) VALUES ('integrity-check', 1)"
    connection = database.connect(path, write=True)
    try:
        connection.execute("BEGIN")
        connection.execute(sql)
        connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            return Finding("full-text index", True, "not looked at: a writer is at work")
        return _stale(collection, "full-text index", str(error))
    finally:
        connection.close()
    return Finding("full-text index", True, "matches the papers")


def _papers(collection: Collection, _: Embedder) -> Finding:
    before, total = collection.catalog.meta().get("fingerprint", ""), 0
    for held in collection.catalog.all_papers():
        total += paper_hash(held.paper.id, held.paper.title, held.paper.abstract)
        end = 0
        for start, stop in held.spans:
            if not end <= start < stop <= len(held.paper.abstract):
                detail = f"paper {held.paper.id}: sentence {start}-{stop} lies outside its abstract"
                return Finding(
                    "sentences",
                    False,
                    detail,
                    command("remove", collection.directory, held.paper.id),
                )
            end = stop
    changed = collection.catalog.meta().get("fingerprint", "") != before
    if before and not changed and f"{total % 2**128:032x}" != before:
        detail = "they are not those that were added: the fingerprint differs"
        return Finding("sentences", False, detail, restoring(collection.directory))
    return Finding("sentences", True, "as they were added, and every offset lies in its abstract")


def _vectors(collection: Collection, embedder: Embedder) -> Finding:
    ((missing,),) = _query(
        collection,
        "SELECT count(*) FROM passages WHERE id NOT IN (SELECT passage FROM vectors)",
    )
    ((wrong,),) = _query(
        collection,
        f"SELECT count(*) FROM vectors WHERE length(vector) != {4 * embedder.dimension}",
    )
    if missing or wrong:
        detail = f"{missing} passages without a vector, {wrong} of another dimension"
        return Finding("vectors", False, detail, _embedding(collection.directory))
    return Finding("vectors", True, f"one of dimension {embedder.dimension} a passage")


def _waiting(collection: Collection, _: Embedder) -> Finding:
    waiting = collection.catalog.counts()["unembedded"]
    if waiting:
        detail = f"{waiting:,} papers are searched by words only until they are embedded"
        return _stale(collection, "embedding", detail)
    return Finding("embedding", True, "no paper waits")


def _embedder(collection: Collection, embedder: Embedder) -> Finding:
    collection.check_embedder(embedder)
    embedder.embed_query("probe")
    return Finding("embedder", True, f"{embedder.name}, checksum {embedder.checksum[:12]}")


def _chroma(collection: Collection, _: Embedder) -> Finding:
    meta = collection.catalog.meta()
    expected, most = soundness.bounds(collection.catalog)
    behind = collection.catalog.passages_upto(collection.catalog.last_passage()) - expected
    if not expected and not behind:
        return Finding("chroma", True, "nothing to hold yet")
    place = collection.place
    if isinstance(place, Path) and not os.access(collection.directory, os.W_OK):
        return Finding("chroma", True, "not looked at: read-only, so search is exact")
    if isinstance(place, Path) and not place.exists():
        return _stale(collection, "chroma", f"{place} is missing")
    found = _looked(place)
    if "error" in found:
        return _stale(collection, "chroma", str(found["error"]))
    if found["id"] != meta.get("chroma_id"):
        return _stale(collection, "chroma", "it is not the index that the catalog knows")
    if not expected <= int(str(found["count"])) <= most:
        detail = f"{found['count']} vectors, the catalog has {expected}"
        return _stale(collection, "chroma", detail)
    if behind:
        return _stale(collection, "chroma", f"{behind} passages behind the catalog")
    index = soundness.open_sound(collection.catalog, place)
    if index is None:
        return _stale(collection, "chroma", "it does not find what it holds")
    index.close()
    where = f" at {place}" if isinstance(place, ServerPlace) else ""
    return Finding("chroma", True, f"{expected:,} vectors{where}")


def _looked(place: Place) -> dict[str, object]:
    """What an index holds (``id`` and ``count``), or the ``error`` for which it is of no use."""
    if isinstance(place, Path):
        return probe(place)
    try:
        return look(place)
    except DamagedError as error:
        return {"error": str(error)}


def probe(directory: Path) -> dict[str, object]:
    """Open a Chroma directory in a process of its own: ``id`` and ``count``, or ``error``."""
    try:
        done = run_apart("rag.store.probe", directory)
    except subprocess.TimeoutExpired:
        return {"error": f"opening {directory} did not end within {TIMEOUT_S} s"}
    if done.returncode < 0:
        return {"error": f"opening {directory} crashed (signal {-done.returncode})"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"error": f"opening {directory} failed: {last}"}
    result: dict[str, object] = json.loads(done.stdout)
    return result
