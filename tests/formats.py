"""What tests of file formats share: reading a text, and the real files beside the repository."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import strategies as st

from rag.errors import FileError
from rag.ingest.formats import Format, recognised
from rag.ingest.reading import read_papers
from rag.ingest.text import as_text
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


def first_of(tmp_path: Path, content: str, last: str) -> Record | BadRecord:
    """The first item of a file that ends with ``last``, which must come in whatever is first.

    It has the title "Last" and the abstract "It is fine."
    """
    path = tmp_path / "papers"
    path.write_text(f"{content}{last}")
    first, *_, following = read_papers(path)
    assert isinstance(following, Record), following
    assert (following.title, following.abstract) == ("Last", "It is fine.")
    return first


def record_of(tmp_path: Path, content: str, last: str) -> Record:
    """The record before ``last``; see `first_of`."""
    record = first_of(tmp_path, content, last)
    assert isinstance(record, Record), record
    return record


def reason_of(tmp_path: Path, content: str, last: str) -> str:
    """Where and why what stands before ``last`` is refused: ``3: no abstract``; see `first_of`."""
    bad = first_of(tmp_path, content, last)
    assert isinstance(bad, BadRecord), bad
    return f"{bad.place.line}: {bad.reason}"


def read_as(form: Format, content: str) -> list[Record | BadRecord]:
    """What a format reads in a text; nothing where the text is refused as a whole."""
    data = content.encode()
    try:
        return list(form.read(as_text(lambda: io.BytesIO(data), "x", max_expanded_bytes=10**9)))
    except FileError:
        return []


def lines_without(excluded: str) -> st.SearchStrategy[str]:
    """Words with single spaces between them and none of these characters in them."""
    characters = st.characters(
        codec="utf-8", exclude_characters=f"{excluded}\ufeff", exclude_categories=("C", "Z")
    )
    return st.lists(st.text(characters, min_size=1), min_size=1, max_size=9).map(" ".join)


def comes_back(found: Record | BadRecord, title: str, abstract: str) -> None:
    """Fail if the record is not what was written; "n/a" and "-" stand for no abstract."""
    if isinstance(found, Record):
        assert (found.title, found.abstract) == (title, abstract)
    else:
        assert "no abstract" in found.reason


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
