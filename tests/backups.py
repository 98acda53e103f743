"""What tests of backups and of shared collections are made of."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.backup.archive import MANIFEST

PAPERS: list[dict[str, Any]] = [
    {
        "title": "Grokking in small transformers",
        "abstract": "Networks first memorise and then generalise suddenly. We call this grokking. "
        "It happens after 10,000 steps of training on modular addition.",
        "authors": ["Ada Lovelace"],
        "year": 2022,
        "doi": "10.1000/grok",
    },
    {
        "title": "Seeing with language",
        "abstract": "Vision encoders can be trained from captions alone. "
        "Our encoder reaches 76.2% on ImageNet.",
    },
    {
        "title": "Minds of machines",
        "abstract": "Theory of mind is the ability to ascribe beliefs to others. "
        "Large models fail at it.",
    },
]

OPENED: list[Assistant] = []
"""What a test has open; `tests.conftest` closes it."""


def opened(directory: Path, *, embedder: StandInEmbedder | None = None) -> Assistant:
    """An assistant over a collection that the stand-in embeds; made if there is none."""
    embedder = embedder or StandInEmbedder()
    OPENED.append(Assistant.open(directory, embedder=embedder, crossencoder="none"))
    return OPENED[-1]


def lines_file(path: Path, papers: list[dict[str, Any]]) -> Path:
    """A file of JSON lines with these papers."""
    path.write_text("".join(json.dumps(paper) + "\n" for paper in papers), "utf-8")
    return path


def made(directory: Path, papers: list[dict[str, Any]] | None = None) -> Assistant:
    """A collection of these papers (`PAPERS`), added from a file ``first.jsonl`` beside it."""
    assistant = opened(directory)
    assistant.add(lines_file(directory.parent / "first.jsonl", papers or PAPERS))
    return assistant


def state(assistant: Assistant) -> tuple[Any, ...]:
    """What two collections must have in common to be the same."""
    hits = assistant.search("sudden generalisation of networks", limit=3)
    return (
        assistant.identity(),
        assistant.counts(),
        list(assistant.papers()),
        [(hit.paper.id, hit.passage.start, hit.score) for hit in hits],
    )


def members_of(file: Path) -> dict[str, bytes]:
    """What is in an archive, by name."""
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(file: Path, members: Mapping[str, bytes], /, **changes: object) -> Path:
    """An archive whose manifest is true of these members, but for changes of its fields."""
    manifest = {**json.loads(members[MANIFEST]), **changes}
    if "members" not in changes:
        manifest["members"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
            if name != MANIFEST
        }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**members, MANIFEST: json.dumps(manifest).encode()}.items():
            archive.writestr(name, data)
    return file


def tampered(file: Path, member: str, change: Callable[[bytes], bytes], **fields: object) -> Path:
    """A copy of an archive with a member changed and a manifest that does not give that away."""
    members = members_of(file)
    members[member] = change(members[member])
    return packed(file.with_name(f"tampered-{file.name}"), members, **fields)


def with_sql(statements: str) -> Callable[[bytes], bytes]:
    """A change of an SQLite file by statements."""

    def change(data: bytes) -> bytes:
        connection = sqlite3.connect(":memory:")
        # A file in WAL mode cannot be deserialised; its header says so in two bytes.
        connection.deserialize(data[:18] + b"\x01\x01" + data[20:])
        connection.executescript(statements)
        connection.commit()
        changed = connection.serialize()
        connection.close()
        return changed

    return change
