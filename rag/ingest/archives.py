"""ZIP archives: each member is read as a file, in place, and nothing is unpacked to disk.

Nothing of what an archive says about itself is believed unchecked: how much it holds, how far it
expands, where its members would be written.
"""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast

from rag.errors import FileError
from rag.ingest.text import MAX_EXPANDED_BYTES, READ_ERRORS, Binary, expansion_limit, said

MAX_MEMBERS = 100_000
MAX_DIRECTORY_BYTES = 32 * 1024**2
"""How long an archive's list of its members may be: it is held in memory."""

_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_END = b"PK\x05\x06"
_END_BYTES = 22
_MAX_COMMENT_BYTES = 65_535
_ENCRYPTED = 0x61  # one kind of encryption, another, and patched data
_UNKNOWN = 0xFFFFFFFF
_LARGE = b"PK\x06\x07"
_LOCATOR_BYTES = 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
# What some archives are besides: a member that only such a document has.
_DOCUMENTS = {
    "word/document.xml": "a Word document (docx): save it as text",
    "xl/workbook.xml": "an Excel workbook (xlsx): save its sheet as CSV",
    "ppt/presentation.xml": "a PowerPoint presentation (pptx): save it as text",
    "META-INF/container.xml": "an EPUB book: save it as text",
    "META-INF/manifest.xml": "an OpenDocument file: save it as text or CSV",
    "META-INF/MANIFEST.MF": "a Java archive",
    "[Content_Types].xml": "an Office document: save it as text or CSV",
}
_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 2**20
# What `rag.backup` packs, by the kind that its manifest names.
_OWN = {
    "footnoted backup": "a backup: use 'footnoted restore' with it",
    "footnoted collection": "an exported collection: use 'footnoted import' with it",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive, or why it is not read.

    Attributes:
        name: As the archive names it.
        binary: Opens its bytes, as long as the archive is open.
        max_expanded_bytes: How far it may expand if it is compressed once more, with gzip.
        refused: Why it is not read; None if it can be.
    """

    name: str
    binary: Binary
    max_expanded_bytes: int
    refused: str | None


def is_archive(path: Path) -> bool:
    """Whether a file begins like a ZIP archive; False for one that cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(4) in _MAGIC
    except (OSError, ValueError):
        return False


@contextmanager
def opened_archive(path: Path, name: str) -> Iterator[Iterator[Member]]:
    """The files in an archive, in its order, while it is open; hidden ones are passed over.

    Raises:
        FileError: It is damaged, a document of another kind, or expands too far.
    """
    try:
        _check_directory(path, name)
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FileError(f"{name} cannot be read: {said(error)}") from error
    with archive:
        _check_content(archive.infolist(), path.stat().st_size, name)
        yield _members(archive)


def own_archive(members: Sequence[Member]) -> str | None:
    """What an archive that Footnoted packed is, and the command for it; None for any other."""
    manifest = next((member for member in members if member.name == _MANIFEST), None)
    if manifest is None or manifest.refused:
        return None
    try:
        with manifest.binary() as stream:
            values = json.loads(stream.read(_MAX_MANIFEST_BYTES))
    except (*READ_ERRORS, ValueError, RecursionError):
        return None  # whatever is wrong with it is told when it is read like the others
    kind = values.get("kind") if isinstance(values, dict) else None
    return _OWN.get(kind) if isinstance(kind, str) else None


def _check_directory(path: Path, name: str) -> None:
    """Refuse a list of members that is too long, before it is read into memory."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_BYTES - _MAX_COMMENT_BYTES))
        end = file.read()
    found = end.rfind(_END)
    if found < 0 or len(end) - found < _END_BYTES:
        raise zipfile.BadZipFile("its list of members is missing: was it copied to the end?")
    (length,) = struct.unpack_from("<I", end, found + 12)
    if length == _UNKNOWN and found >= _LOCATOR_BYTES:
        length = _length_in_large(path, end[found - _LOCATOR_BYTES : found], size)
    if length > MAX_DIRECTORY_BYTES:
        limit = f"{MAX_DIRECTORY_BYTES:,} bytes"
        raise FileError(f"{name} lists its members in more than {limit}: split it")


def _length_in_large(path: Path, locator: bytes, size: int) -> int:
    """How long the list of members is by the record that archives over 4 GB have (ZIP64)."""
    if locator[:4] != _LARGE:
        return size
    (where,) = struct.unpack_from("<Q", locator, 8)
    with path.open("rb") as file:
        file.seek(min(where, size))
        record = file.read(48)
    return int(struct.unpack_from("<Q", record, 40)[0]) if len(record) == 48 else size


def _check_content(members: list[zipfile.ZipInfo], packed_bytes: int, name: str) -> None:
    if len(members) > MAX_MEMBERS:
        raise FileError(f"{name} has {len(members):,} members, at most {MAX_MEMBERS:,} are read")
    names = {member.filename for member in members}
    if what := next((what for sign, what in _DOCUMENTS.items() if sign in names), None):
        raise FileError(f"{name} is {what}")
    expanded, limit = sum(member.file_size for member in members), expansion_limit(packed_bytes)
    if expanded > limit:
        reason = f"{packed_bytes:,} bytes that expand to {expanded:,}, at most {limit:,} are read"
        raise FileError(f"{name} holds too much: {reason}; unpack it if you trust it")


def _members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for member in archive.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        hidden = any((p.startswith(".") and p not in (".", "..")) or p == "__MACOSX" for p in parts)
        if member.is_dir() or hidden:
            continue
        yield Member(
            member.filename,
            partial(_open_member, archive, member),
            min(MAX_EXPANDED_BYTES, expansion_limit(member.compress_size)),
            _refused(member, parts),
        )


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> io.BufferedIOBase:
    return cast("io.BufferedIOBase", archive.open(member))


def _refused(member: zipfile.ZipInfo, parts: tuple[str, ...]) -> str | None:
    if not parts or parts[0] == "/" or ".." in parts or parts[0].endswith(":"):
        return "refused: its name leads out of the archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "refused: a link, not a file"
    if member.flag_bits & _ENCRYPTED:
        return "encrypted: unpack it with its password first"
    if member.compress_type not in _METHODS:
        return f"compressed by method {member.compress_type}, which is not read: unpack it first"
    return None
