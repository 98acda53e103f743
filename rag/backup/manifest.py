"""What a file that holds a collection says of itself. Pure; nothing in it is believed unchecked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rag.errors import FileError

FORMAT = 1
BACKUP = "footnoted backup"
SHARED = "footnoted collection"
_HOW = {BACKUP: "footnoted restore", SHARED: "footnoted import"}
_EMBEDDER = ("embedder", "embedder_checksum", "dimension")
_COUNTS = ("papers", "passages", "unembedded")
_MAX_CHARS = 1_000
_MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Packed:
    """A member of the file: its size in bytes, and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in the file.

    ``kind`` is `BACKUP` or `SHARED`, ``made`` the time in UTC (ISO 8601), ``software`` the
    version that made it, ``embedder`` what the collection remembers of its embedder (empty if it
    never met one), ``counts`` the papers, the passages and the papers that wait for theirs.
    """

    kind: str
    made: str
    software: str
    fingerprint: str
    embedder: Mapping[str, str]
    counts: Mapping[str, int]
    members: Mapping[str, Packed] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as one JSON object."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, indent=2) + "\n"


def embedder_of(meta: Mapping[str, str]) -> dict[str, str]:
    """What a collection's settings say of its embedder; empty where that is not all known."""
    return {name: meta[name] for name in _EMBEDDER} if all(n in meta for n in _EMBEDDER) else {}


def manifest_from(text: str, kind: str, name: str) -> Manifest:
    """Read a manifest of this kind; ``name`` is the file's, for messages.

    Raises:
        FileError: it is none, of another kind, or of a newer format.
    """
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise TypeError("no object")  # noqa: TRY301 (told with the others)
        found = values.get("kind")
        if found != kind:
            raise _wrong_kind(found, kind, name)
        if _integer(values["format"]) > FORMAT:
            raise FileError(
                f"{name} is of format {values['format']}, this version reads up to {FORMAT}; "
                "update with 'pip install --upgrade footnoted'"
            )
        return _read(values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(
            f"{name} cannot be used: its manifest is damaged ({error!r}); name another copy"
        ) from error


def _wrong_kind(found: object, kind: str, name: str) -> FileError:
    how = _HOW.get(found) if isinstance(found, str) else None
    if how:
        return FileError(f"{name} is a {found}, not a {kind}; use '{how} {name}'")
    return FileError(
        f"{name} is no {kind}: its manifest names {str(found)[:40]!r}; name another file"
    )


def _read(values: Mapping[str, Any]) -> Manifest:
    embedder = {str(k): _text(v) for k, v in values["embedder"].items() if k in _EMBEDDER}
    if embedder and not (len(embedder) == len(_EMBEDDER) and embedder["dimension"].isdecimal()):
        raise ValueError("the embedder is not named in full")
    return Manifest(
        kind=values["kind"],
        made=_text(values["made"]),
        software=_text(values["software"]),
        fingerprint=_text(values["fingerprint"]),
        embedder=embedder,
        counts={name: _integer(values["counts"][name]) for name in _COUNTS},
        members={
            _text(name): Packed(_integer(packed["bytes"]), _text(packed["sha256"]))
            for name, packed in values["members"].items()
        },
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_CHARS or not value.isprintable():
        raise ValueError("a text is missing, or far too long")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_INTEGER:
        raise ValueError("a number is missing, or absurd")
    return value
