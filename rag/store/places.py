"""Where the index of a collection lives: in a directory of its own, or on a Chroma server.

``chroma/N`` is the N-th index that was made for a collection: a directory that holds it, or a note
that says on which server it is. What it is called there follows from a random key in the note and
from which file of the disk the note is, which no copy of it shares. So a copied collection can
neither use nor delete the index of the one it was copied from, and asks no server until it is told
to; backups hold no notes at all.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from rag.store.database import in_words

_MAX_NOTE_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class IndexHome:
    """Where a collection that has no index gets one, and how servers are asked.

    ``server`` is a Chroma server's address; None means the collection's own directory. ``token``
    is sent to a server as a bearer token and never shown or stored. A server that gives no sign of
    life for ``answer_s`` seconds (six times as long where it is written to) counts as down, and a
    search does not ask one that is down again for ``rest_s`` seconds.
    """

    server: str | None = None
    token: str | None = field(default=None, repr=False)
    answer_s: float = 10.0
    rest_s: float = 30.0


OWN_DIRECTORY = IndexHome()


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """An index on a Chroma server: the server's address and what the index is called there."""

    url: str
    name: str
    collection: Path
    """The directory of the collection that it is the index of."""
    token: str | None = field(default=None, repr=False)
    answer_s: float = OWN_DIRECTORY.answer_s

    def __str__(self) -> str:
        return f"the Chroma server at {self.url}"


Place = Path | ServerPlace


def collection_of(place: Place) -> Path:
    """The directory of the collection whose index is at a place."""
    return place.collection if isinstance(place, ServerPlace) else place.parent.parent


def new_place(path: Path, server: str | None, home: IndexHome) -> Place:
    """Where the index with this path in the collection is to be made; nothing stands there yet.

    Raises:
        StorageError: the note about a server cannot be written.
    """
    if server is None:
        return path
    with in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as note:
            json.dump({"server": server, "key": secrets.token_hex(16)}, note)
            note.flush()
            os.fsync(note.fileno())
    place = noted_place(path, home)
    assert place is not None
    return place


def noted_place(path: Path, home: IndexHome) -> ServerPlace | None:
    """The place on a server that a note speaks of; None where there is no such note."""
    try:
        with path.open(encoding="utf-8") as stream:
            note = json.loads(stream.read(_MAX_NOTE_CHARS))
        server, key, file = note["server"], note["key"], path.stat()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # Neither changes when the collection is renamed, or gets another owner or other permissions.
    identity = f"{key} {file.st_ino} {file.st_mtime_ns}"
    name = f"footnoted-{sha256(identity.encode()).hexdigest()[:32]}"
    return on_server(str(server), name, path.parent.parent, home)


def on_server(url: str, name: str, collection: Path, home: IndexHome) -> ServerPlace:
    """The place of an index of this name on a server."""
    # A token that is meant for another server is not shown to this one.
    token = home.token if home.server in (None, url) else None
    return ServerPlace(url, name, collection, token, home.answer_s)
