"""How much of the real files comes in: each record beside what an independent reading states."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eval.bench.readings import Stated, letters, stated_in
from rag.ingest.formats import recognised
from rag.ingest.reading import read_papers
from rag.ingest.text import open_text
from rag.schema import BadRecord, Record


@dataclass(frozen=True, slots=True)
class FileRead:
    """What became of a real file.

    Attributes:
        format: The one that recognised it.
        stated: The records that an independent reading finds, whole or not.
        whole: Those of them with title and abstract.
        came_in: The records that Footnoted read.
        reported: The reports in place of records.
        wrong: What is lost, unaccounted for, or not as stated, each with its place.
        seconds: To read it.
    """

    format: str
    stated: int
    whole: int
    came_in: int
    reported: int
    wrong: tuple[str, ...]
    seconds: float


def formats(arguments: argparse.Namespace) -> None:
    """A line for each format, over all the files in ``formats/`` of the data."""
    data = arguments.data / "formats"
    if not data.exists():
        print(f"left out: {data} is not there")
        return
    by_format: dict[str, list[FileRead]] = {}
    for path in real_files(data):
        read = compare(path)
        by_format.setdefault(read.format, []).append(read)
        for wrong in read.wrong:
            print(f"wrong: {wrong}")
    print("| format | files | records stated | with title and abstract | came in | reported | ms |")
    print("|---|---|---|---|---|---|---|")
    for name, files in sorted(by_format.items()):
        print(_row(name, files))
    print(_row("all", [read for files in by_format.values() for read in files]))


def real_files(data: Path) -> list[Path]:
    """The files that stand in a folder for each kind, in the order of their names."""
    return sorted(path for path in data.glob("*/*") if path.is_file())


def compare(path: Path) -> FileRead:
    """Read a real file twice: as Footnoted does, and independently.

    Raises:
        FileError: The file is in no known format.
    """
    form = recognised(open_text(path, path.name).head)
    stated = stated_in(path)
    started = time.perf_counter()
    items = list(read_papers(path))
    seconds = time.perf_counter() - started
    came_in = sum(isinstance(item, Record) for item in items)
    return FileRead(
        format=form.name.partition(" (")[0] if form else "none",
        stated=len(stated),
        whole=sum(each.is_whole for each in stated),
        came_in=came_in,
        reported=len(items) - came_in,
        wrong=tuple(f"{path.parent.name}/{wrong}" for wrong in _wrong(path.name, items, stated)),
        seconds=seconds,
    )


def _wrong(name: str, items: list[Record | BadRecord], stated: list[Stated]) -> Iterator[str]:
    """What differs; a file that states no record must come as one report."""
    if len(items) != max(len(stated), 1):
        yield f"{name}: {len(stated)} records are stated, {len(items)} came in or were reported"
        return
    if not stated and isinstance(items[0], Record):
        yield f"{items[0].place}: a record came in where none is stated"
    for item, said in zip(items, stated, strict=False):
        if isinstance(item, Record) != said.is_whole:
            yield f"{item.place}: {'came in' if isinstance(item, Record) else 'is reported'}"
        elif isinstance(item, Record):
            for field in _differing(item, said):
                yield f"{item.place}: {field} is not as stated"
        elif item.place.line is None:
            yield f"{name}: a report without a line: {item.reason}"


def _differing(record: Record, said: Stated) -> Iterator[str]:
    pairs = {
        "title": (letters(record.title), letters(said.title)),
        "abstract": (letters(record.abstract), letters(said.abstract)),
        "number of authors": (len(record.authors), said.authors),
        "year": (record.year, said.year),
        "DOI": (record.doi or "", said.doi),
        "line": (record.place.line, said.line),
    }
    return (name for name, (found, stated) in pairs.items() if stated not in (None, found))


def _row(name: str, files: list[FileRead]) -> str:
    counts = (
        len(files),
        *(sum(getattr(read, field) for read in files)
          for field in ("stated", "whole", "came_in", "reported")),
    )  # fmt: skip
    cells = [name, *(f"{count:,}" for count in counts)]
    return f"| {' | '.join(cells)} | {sum(read.seconds for read in files) * 1e3:.0f} |"
