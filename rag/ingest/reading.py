"""Reads papers from files and folders: the entry point of ingest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rag.errors import FileError
from rag.ingest.archives import is_archive, opened_archive, own_archive
from rag.ingest.formats import recognised
from rag.ingest.formats.fields import storable
from rag.ingest.formats.unknown import unknown
from rag.ingest.text import READ_ERRORS, TextSource, as_text, open_text, reading_stopped
from rag.schema import BadRecord, Place, Record


def read_papers(path: Path | str) -> Iterator[Record | BadRecord]:
    """The papers of a file, or of every file in a folder and the folders in it.

    The format is recognised by content. In a folder files come in the order of their names;
    hidden ones (``.name``) are passed over, and a file that cannot be read is a `BadRecord`.
    A ZIP archive is read like a folder, in its own order: ``papers.zip/2024/a.csv``.
    Nothing is raised once a record was given: what goes wrong then is a `BadRecord` too.

    Args:
        path: A file or folder. ``Record.source`` is relative to the folder it stands in, with
            ``/`` between the parts: ``daily_papers/000.txt``.

    Raises:
        FileError: There is nothing at the path, a single file is in no format that is read or
            cannot be read, it is an archive that Footnoted packed, or a folder holds no files.
            Raised by the call for a missing path, otherwise when the first record is asked for.
    """
    if not str(path):
        raise FileError("no path is given: name a file or a folder")
    # Not resolve(): a symbolic link keeps its own name.
    path = Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111
    if not os.path.lexists(path):
        raise FileError(f"{shown(str(path))} does not exist: check the path")
    return _folder(path) if os.path.isdir(path) else _file(path, shown(path.name))  # noqa: PTH112


def shown(name: str) -> str:
    """A path as text that can be stored and printed, with ``/`` between its parts."""
    return storable(name.replace("\n", " ").replace("\t", " ")).replace(os.sep, "/")


def _file(path: Path, name: str) -> Iterator[Record | BadRecord]:
    """The papers of one file. Raises FileError as long as nothing was given."""
    if is_archive(path):
        yield from _archive(path, name)
    else:
        yield from _text(open_text(path, name))


def _archive(path: Path, name: str) -> Iterator[Record | BadRecord]:
    found = False
    with opened_archive(path, name) as opened:
        members = list(opened)
        if what := own_archive(members):
            raise FileError(f"{name} is {what}")
        for member in members:
            found = True
            member_name = f"{name}/{shown(member.name)}"
            if member.refused:
                yield BadRecord(Place(member_name), member.refused)
                continue
            limit = member.max_expanded_bytes
            try:
                yield from _text(as_text(member.binary, member_name, max_expanded_bytes=limit))
            except FileError as error:
                yield _bad_file(member_name, error)
    if not found:
        raise FileError(f"{name} holds no files: it is an empty archive")


def _bad_file(name: str, error: FileError) -> BadRecord:
    return BadRecord(Place(name), str(error).removeprefix(name).lstrip(": ").removeprefix("is "))


def _text(source: TextSource) -> Iterator[Record | BadRecord]:
    name = source.name
    form = recognised(source.head)
    if form is None:
        raise FileError(f"{name} {unknown(source.head)}")
    line = None
    try:
        for item in form.read(source):
            line = item.place.line
            yield item
    except READ_ERRORS as error:
        if line is None:
            raise FileError(f"{name}: {reading_stopped(error)}") from error
        yield BadRecord(source.place(line), reading_stopped(error))


def _folder(top: Path) -> Iterator[Record | BadRecord]:
    found = False
    for path, failure in _files(top):
        found = True
        name = shown(str(path.relative_to(top.parent)))
        if failure:
            yield BadRecord(Place(name), failure)
            continue
        try:
            yield from _file(path, name)
        except FileError as error:
            yield _bad_file(name, error)
    if not found:
        raise FileError(f"{shown(str(top))} holds no files: name a folder with papers in it")


def _files(top: Path) -> Iterator[tuple[Path, str | None]]:
    """Files in order of their names, depth first; a folder that cannot be listed with the reason.

    Links to folders are followed, but no folder is read twice.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        path = waiting.pop()
        if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises where access is denied)
            yield path, None
            continue
        try:
            status = path.stat()
            names = sorted(os.listdir(path), reverse=True)  # noqa: PTH208 (names, not paths)
        except OSError as error:
            yield path, f"the folder cannot be listed: {error.strerror}"
            continue
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            waiting += [path / name for name in names if not name.startswith(".")]
