"""One ZIP archive with a manifest by which every byte in it is checked.

It is there whole or not at all, and nothing in it is used before its size and its SHA-256 are
found to be those that the manifest says.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rag.backup.manifest import Manifest, Packed, manifest_from
from rag.errors import FileError, StorageError
from rag.ingest.archives import Member, is_archive, opened_archive
from rag.ingest.text import READ_ERRORS
from rag.store.database import in_words
from rag.store.replacing import flush

MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 2**20
_CHUNK_BYTES = 2**20
# Vectors hardly shrink, texts do: level 6 took three times as long as 1 for 2% less.
_LEVEL = 1


def replaceable(file: Path) -> Path:
    """Where a file of ours is to stand: links followed; an earlier one may stand there already.

    Raises:
        StorageError: something else stands there, which is not to be written over.
    """
    file = Path(os.path.realpath(file))
    with in_words(file):
        if file.exists() and not (is_archive(file) and stat.S_ISREG(file.stat().st_mode)):
            raise StorageError(
                f"{file} is there already and is no file that Footnoted made; name another"
            )
    return file


def pack(file: Path, draft: Path, manifest: Manifest, members: Mapping[str, Path]) -> Manifest:
    """Write an archive to ``file``; what stood there stays until the new one is on the disk.

    ``draft`` is a directory beside it to work in. Returns the manifest with its members.

    Raises:
        StorageError: the disk refuses.
    """
    part = draft / "archive"
    with in_words(file):
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            packed = {name: _packed(archive, name, path) for name, path in members.items()}
            manifest = replace(manifest, members=packed)
            archive.writestr(_info(MANIFEST), manifest.to_json())
        flush(part)
        if file.exists():
            part.chmod(stat.S_IMODE(file.stat().st_mode))
        part.replace(file)
        flush(file.parent)
    return manifest


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # of 1980: the time stands in the manifest
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = _LEVEL  # type: ignore[attr-defined]  # public from 3.13
    info.external_attr = 0o600 << 16
    return info


def _packed(archive: zipfile.ZipFile, name: str, path: Path) -> Packed:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file, archive.open(_info(name), "w", force_zip64=True) as out:
        while chunk := file.read(_CHUNK_BYTES):
            out.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return Packed(size, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that is open for reading, with nothing in it but what its manifest names."""

    name: str
    manifest: Manifest
    _members: Mapping[str, Member]

    def opened(self, member: str) -> io.BufferedIOBase:
        """The bytes of a member, from its beginning; they are not checked."""
        return self._members[member].binary()

    def chunks(self, member: str) -> Iterator[bytes]:
        """The bytes of a member; an error follows the last ones if any was not as it should be.

        Raises:
            FileError: size or SHA-256 are not what the manifest says, or it cannot be unpacked.
        """
        packed, digest, size = self.manifest.members[member], hashlib.sha256(), 0
        try:
            with self.opened(member) as file:
                while size <= packed.bytes and (chunk := file.read(_CHUNK_BYTES)):
                    size += len(chunk)
                    digest.update(chunk)
                    yield chunk
        except READ_ERRORS as error:
            raise self._damaged(f"{member} cannot be unpacked ({error})") from error
        if size != packed.bytes or digest.hexdigest() != packed.sha256:
            raise self._damaged(f"{member} is not what the manifest says")

    def check(self, member: str) -> None:
        """Read a member to its end.

        Raises:
            FileError: it is damaged.
        """
        for _ in self.chunks(member):
            pass

    def unpack(self, member: str, out: Path) -> None:
        """Write a member to a file.

        Raises:
            FileError: it is damaged.
        """
        with out.open("xb") as file:
            for chunk in self.chunks(member):
                file.write(chunk)

    def _damaged(self, what: str) -> FileError:
        return FileError(
            f"{self.name} is damaged or was changed: {what}; nothing was taken from it. "
            "Use another copy of it"
        )


@contextmanager
def opened(file: Path, kind: str, names: Sequence[str], optional: str = "") -> Iterator[Archive]:
    """An archive of this kind that holds these members, and perhaps an optional one.

    Raises:
        FileError: it is none, cut off, too large for its size, or holds anything else.
    """
    with ExitStack() as stack:
        try:
            members = list(stack.enter_context(opened_archive(file, str(file))))
        except FileError as error:
            raise FileError(f"{error}; name another file") from error
        try:
            archive = _read(file, kind, members)
        except READ_ERRORS as error:
            if isinstance(error, FileError):
                raise
            raise FileError(
                f"{file} cannot be read: {error}; was it copied to the end? Name another copy"
            ) from error
        held = set(archive.manifest.members)
        if not set(names) <= held <= {*names, optional}:
            named = ", ".join(sorted(held))[:200] or "nothing"
            raise FileError(f"{file} is no {kind}: it holds {named}; name another file")
        yield archive


def _read(file: Path, kind: str, members: Sequence[Member]) -> Archive:
    by_name = {member.name: member for member in members}
    if MANIFEST not in by_name:
        raise FileError(f"{file} is no {kind}: it has no {MANIFEST}; name another file")
    if len(by_name) != len(members) or any(member.refused for member in members):
        raise FileError(
            f"{file} is no {kind}: its members are not as Footnoted packs them; name another file"
        )
    with by_name.pop(MANIFEST).binary() as stream:
        manifest = manifest_from(stream.read(_MAX_MANIFEST_BYTES).decode(), kind, str(file))
    if set(by_name) != set(manifest.members):
        raise FileError(
            f"{file} is damaged: it does not hold what its manifest names; name another copy"
        )
    return Archive(str(file), manifest, by_name)
