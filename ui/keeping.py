"""What ``backup``, ``restore``, ``import``, ``export collection`` and ``collections`` do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rag.errors import CollectionError, InputError
from ui.cli import FAILED, OK
from ui.terminal import complain, line, papers_in_words, progress, show_held

if TYPE_CHECKING:
    from rag.adding import AddReport
    from rag.assistant import Assistant
    from rag.schema import Filters

_MB = 10**6


def backup(assistant: Assistant, file: Path, *, history: bool) -> int:
    """Write a backup and say what is in it."""
    saved = assistant.backup(file, history=history)
    with_answers = " and the answers kept" if len(saved.manifest.members) > 1 else ""
    line(
        f"{papers_in_words(saved.manifest.counts['papers'])}{with_answers} written to {saved.file} "
        f"({_size(saved.bytes)})"
    )
    return OK


def restore(file: Path, directory: Path, *, force: bool) -> int:
    """Make a collection of a backup and say where it is."""
    from rag.assistant import Assistant

    with progress(shown=True) as (on_progress, _):
        restored = Assistant.restore(file, directory, force=force, on_progress=on_progress)
    manifest = restored.manifest
    line(
        f"{papers_in_words(manifest.counts['papers'])} of "
        f"{manifest.made[:16].replace('T', ' ')} UTC restored to {restored.directory}"
    )
    if restored.index_problem is not None:
        complain(f"'footnoted rebuild' is still to be run: {restored.index_problem}")
    if restored.aside is not None:
        line(f"what stood there is kept in {restored.aside}; delete it when nothing is missed")
    return OK


def export(assistant: Assistant, filters: Filters, answer: str | None, file: Path | None) -> int:
    """Write a collection with its vectors, for others to import.

    Raises:
        InputError: no file is named, or an answer is.
    """
    if file is None or answer is not None:
        raise InputError(
            "a collection is written to a file, and has no answers in it: "
            "'footnoted export collection --output FILE'"
        )
    saved = assistant.export_collection(file, filters)
    counts = saved.manifest.counts
    line(
        f"{papers_in_words(counts['papers'])} with {counts['passages']:,} vectors written to "
        f"{saved.file} ({_size(saved.bytes)}); 'footnoted import' takes it in"
    )
    return OK


def import_(assistant: Assistant, file: Path, arguments: argparse.Namespace) -> AddReport:
    """Merge an exported collection in and say what became of it."""
    with progress(shown=not arguments.quiet) as (on_progress, on_estimate):
        report = assistant.import_collection(
            file, embed=arguments.embed, on_progress=on_progress, on_estimate=on_estimate
        )
    line(str(report))
    line(
        f"the vectors of {papers_in_words(report.taken_over)} came along; "
        f"{report.passages:,} passages were embedded here"
    )
    show_held(assistant)
    return report


@contextmanager
def place_to_rehearse(directory: Path) -> Iterator[Path]:
    """Where papers can be added to see what becomes of them: an empty place if there is none."""
    from rag.store.database import FILE_NAME

    if (directory / FILE_NAME).exists():
        yield directory
        return
    with TemporaryDirectory(prefix="footnoted-") as empty:
        yield Path(empty)


@dataclass(frozen=True, slots=True)
class Listed:
    """A collection under the home directory; ``problem`` says why it cannot be read, if so.

    ``bytes`` is its size on the disk; None is not known.
    """

    name: str
    directory: str
    bytes: int
    papers: int | None = None
    passages: int | None = None
    embedder: str | None = None
    problem: str | None = None


def list_collections(home: Path, chosen: str, *, as_json: bool) -> int:
    """List the collections under a directory, by name; ``chosen`` is used when none is named."""
    well, found = True, False
    for listed in collections_in(home):
        found, well = True, well and listed.problem is None
        if as_json:
            print(json.dumps(asdict(listed), ensure_ascii=False))
            continue
        mark = " (used when none is named)" if listed.name == chosen else ""
        line(f"{listed.name}{mark}", "bold")
        if listed.problem is not None:
            complain(listed.problem)
            continue
        assert listed.papers is not None
        parts = [
            papers_in_words(listed.papers),
            f"{listed.passages:,} passages",
            _size(listed.bytes),
        ]
        parts += [f"embedded with {listed.embedder}"] if listed.embedder else []
        line(", ".join(parts), "dim", indent=2)
    if not found:
        complain(f"there is no collection in {home}; make one with 'footnoted add FILES'")
    return OK if well else FAILED


def collections_in(home: Path) -> Iterator[Listed]:
    """The collections that live in a directory, by name, the ones that cannot be read too."""
    from rag.store.database import FILE_NAME, in_words

    with in_words(home):
        inside = sorted(home.iterdir()) if home.is_dir() else []
    for directory in inside:
        if not directory.name.startswith(".") and (directory / FILE_NAME).is_file():
            yield _listed(directory)


def _listed(directory: Path) -> Listed:
    from rag.store.catalog import Catalog
    from rag.store.database import FILE_NAME

    place = (directory.name, str(directory), _bytes_in(directory))
    catalog = Catalog(directory / FILE_NAME)
    try:
        counts, meta = catalog.counts(), catalog.meta()
        return Listed(*place, counts["papers"], counts["passages"], meta.get("embedder"))
    except CollectionError as error:
        return Listed(*place, problem=str(error))
    finally:
        catalog.close()


def _bytes_in(directory: Path) -> int:
    """How many bytes the files in a directory have; what goes away meanwhile counts as none."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def _size(count: int) -> str:
    return f"{count / _MB:,.1f} MB"
