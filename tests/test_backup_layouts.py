"""Catalogs of earlier layouts: ``tests/layouts`` holds one of each, as the program then made it."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import pytest

from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.errors import ForeignError, StorageError
from rag.schema import Record
from rag.store import database, migrations
from rag.store.collection import Collection
from rag.store.database import FILE_NAME, LAYOUT
from tests.backups import made

LAYOUTS = Path(__file__).parent / "layouts"
TITLE = "Grokking in small transformers"
ABSTRACT = (
    "Networks first memorise and then generalise suddenly. We call this grokking. "
    "It happens after 10,000 steps of training on modular addition."
)


def embedder() -> StandInEmbedder:
    return StandInEmbedder(dimension=8)


@pytest.fixture(params=range(1, LAYOUT))
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A collection of an earlier layout: two papers, one of them from two files."""
    directory = tmp_path / "earlier"
    directory.mkdir()
    data = gzip.decompress((LAYOUTS / f"{request.param}.sqlite3.gz").read_bytes())
    (directory / FILE_NAME).write_bytes(data)
    return directory


def laid_out(path: Path) -> tuple[int, dict[str, str]]:
    connection = sqlite3.connect(path)
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    rows = connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_master")
    found = {name: " ".join(sql.replace('"', " ").replace("(", " (").split()) for name, sql in rows}
    connection.close()
    return layout, found


def test_there_is_a_catalog_of_every_earlier_layout() -> None:
    held = {int(path.name.split(".")[0]) for path in LAYOUTS.iterdir()}
    assert held == set(range(1, LAYOUT))


def test_an_earlier_layout_is_read_as_it_is(earlier: Path) -> None:
    before = (earlier / FILE_NAME).read_bytes()
    collection = Collection(earlier, create=False)
    papers = list(collection.catalog.all_papers())
    assert [(held.paper.title, held.paper.sources) for held in papers] == [
        (TITLE, ("a.txt", "b.txt")),
        ("Seeing with language", ("a.txt",)),
    ]
    assert collection.catalog.lexical("grokking")
    collection.close()
    assert (earlier / FILE_NAME).read_bytes() == before


def test_the_first_writer_brings_it_to_the_present_layout(earlier: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.sqlite3"
    database.create(fresh)
    reader = Collection(earlier, create=False)
    papers, meta = list(reader.catalog.all_papers()), reader.catalog.meta()
    with reader.writing(embedder()):
        pass
    assert laid_out(earlier / FILE_NAME) == laid_out(fresh)
    # A reader that had it open before goes on.
    assert list(reader.catalog.all_papers()) == papers
    assert reader.catalog.meta()["fingerprint"] == meta["fingerprint"]
    reader.close()


def test_what_was_added_before_is_unchanged_and_what_is_new_is_not(earlier: Path) -> None:
    collection = Collection(earlier, create=False)
    again = Record(TITLE, ABSTRACT, authors=("Ada L.",), year=2022, source="a.txt")
    new = Record("Minds of machines", "Large models fail at it.", source="a.txt")
    with collection.writing(embedder()) as writing:
        assert writing.catalog.put([again, new]) == ["unchanged", "added"]
    collection.close()


def test_rehearsing_leaves_the_layout_as_it_was(earlier: Path) -> None:
    before = laid_out(earlier / FILE_NAME)
    collection = Collection(earlier, create=False)
    with collection.rehearsing(embedder()) as catalog:
        assert catalog.put([Record("New", "It is new.")]) == ["added"]
    collection.close()
    assert laid_out(earlier / FILE_NAME) == before


def test_a_migration_that_is_cut_short_changed_nothing(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = laid_out(earlier / FILE_NAME)
    whole = migrations._STEPS[LAYOUT - 1]

    def cut_short(connection: sqlite3.Connection) -> None:
        whole(connection)
        raise sqlite3.OperationalError("disk I/O error")

    collection = Collection(earlier, create=False)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "_STEPS", {**migrations._STEPS, LAYOUT - 1: cut_short})
        with pytest.raises(StorageError, match="disk I/O"), collection.writing(embedder()):
            pass
    assert laid_out(earlier / FILE_NAME) == before
    with collection.writing(embedder()):
        pass
    collection.close()
    assert laid_out(earlier / FILE_NAME)[0] == LAYOUT


def test_a_backup_of_an_earlier_layout_is_restored_in_the_present_one(
    earlier: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh.sqlite3"
    database.create(fresh)
    reader = Collection(earlier, create=False)
    with Assistant.open(earlier, embedder=embedder()) as assistant:
        backup = assistant.backup(tmp_path / "b.zip").file
    Assistant.restore(backup, tmp_path / "again")
    assert laid_out(tmp_path / "again" / FILE_NAME) == laid_out(fresh)
    again = Collection(tmp_path / "again", create=False)
    assert list(again.catalog.all_papers()) == list(reader.catalog.all_papers())
    again.close()
    reader.close()


def test_a_later_layout_is_refused_everywhere(tmp_path: Path) -> None:
    assistant = made(tmp_path / "papers")
    assistant.close()
    connection = sqlite3.connect(assistant.directory / FILE_NAME)
    connection.execute(f"PRAGMA user_version={LAYOUT + 1}")
    connection.close()
    with pytest.raises(ForeignError, match="pip install --upgrade"):
        Collection(assistant.directory, create=False)
