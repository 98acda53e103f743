"""What tests of file formats share: reading a text, and the real files beside the repository."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rag.ingest.formats import recognised
from rag.ingest.reading import read_papers
from rag.schema import BadRecord, Record
from tests.makers import SHARED

REAL = SHARED / "bench" / "formats"


def read(tmp_path: Path, content: str | bytes) -> tuple[list[Record], list[BadRecord]]:
    """The records and the failures of a file with this content."""
    path = tmp_path / "papers"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return split(path)


def split(path: Path) -> tuple[list[Record], list[BadRecord]]:
    """The records and the failures of a file."""
    items = list(read_papers(path))
    return (
        [item for item in items if isinstance(item, Record)],
        [item for item in items if isinstance(item, BadRecord)],
    )


def only(tmp_path: Path, document: object) -> Record:
    """The single record of a JSON document."""
    (record,), bad = read(tmp_path, json.dumps(document))
    assert not bad
    return record


def format_of(document: object) -> str:
    """The name of the format that a JSON document is recognised as."""
    form = recognised(json.dumps(document))
    assert form is not None
    return form.name


def real_files(folder: str) -> list[Path]:
    """The real files of a kind; the test is skipped where they are not."""
    if not REAL.is_dir():
        pytest.skip("the real files are not beside the repository")
    return sorted((REAL / folder).iterdir())


def objects_in(value: object) -> Iterator[Mapping[str, object]]:
    """Every object in a JSON document, outer ones first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects_in(inner)
