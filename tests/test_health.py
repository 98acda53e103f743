from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.standin import StandInEmbedder
from rag.health import Finding, examine, probe
from rag.schema import Record
from rag.store.collection import Collection
from rag.store.database import FILE_NAME
from tests.makers import PAPERS, put


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    collection = Collection(tmp_path / "papers", create=True)
    put(collection, *PAPERS)
    return collection


FORGET_A_PAPER = """INSERT INTO papers_fts(papers_fts, rowid, title, abstract)
VALUES ('delete', 1, 'nothing', 'like it')"""


def bad(collection: Collection) -> dict[str, Finding]:
    findings = examine(collection, StandInEmbedder())
    return {finding.check: finding for finding in findings if not finding.well}


def sql(statement: str) -> Callable[[Collection], None]:
    def damage(collection: Collection) -> None:
        connection = sqlite3.connect(collection.directory / FILE_NAME)
        connection.execute(statement)
        connection.commit()
        connection.close()

    return damage


def test_a_healthy_collection_has_no_bad_finding(collection: Collection) -> None:
    assert bad(collection) == {}


@pytest.mark.parametrize(
    ("statement", "check", "remedy"),
    [
        ("DELETE FROM vectors WHERE passage = 1", "vectors", "rebuild --embed"),
        ("UPDATE vectors SET vector = x'00' WHERE passage = 1", "vectors", "rebuild --embed"),
        ("UPDATE papers SET sentences = '[[0, 99999]]' WHERE number = 1", "sentences", "remove"),
        ("INSERT INTO unembedded VALUES (1)", "embedding", "rebuild"),
        ("UPDATE meta SET value = 'x' WHERE key = 'chroma_id'", "chroma", "rebuild"),
        ("UPDATE meta SET value = '3' WHERE key = 'indexed_upto'", "chroma", "rebuild"),
        ("UPDATE meta SET value = 'x' WHERE key = 'embedder'", "embedder", "--embed"),
        (FORGET_A_PAPER, "full-text index", "rebuild"),
    ],
)
def test_each_damage_is_found_with_its_remedy(
    collection: Collection, statement: str, check: str, remedy: str
) -> None:
    sql(statement)(collection)
    found = bad(collection)
    assert check in found
    assert remedy in found[check].remedy


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("INSERT INTO unembedded VALUES (1)", "embedding"),
        ("UPDATE meta SET value = '3' WHERE key = 'indexed_upto'", "chroma"),
    ],
)
def test_what_is_in_flux_while_somebody_writes_is_no_damage(
    collection: Collection, statement: str, check: str
) -> None:
    sql(statement)(collection)
    sql("DELETE FROM vectors WHERE passage = 1")(collection)
    other = Collection(collection.directory, create=False)
    with other._locked(timeout_s=1.0):
        found = {each.check: each for each in examine(collection, StandInEmbedder())}
    assert "look again when it is done" in found["writer"].detail
    assert found[check].well
    assert "a writer is at work" in found[check].detail
    assert not found["vectors"].well, "a passage is never without its vector"
    assert check in bad(collection)
    assert "writer" not in {each.check for each in examine(collection, StandInEmbedder())}


def test_a_remedy_is_a_command_for_this_very_collection(tmp_path: Path) -> None:
    collection = Collection(tmp_path / "my own; papers", create=True)
    put(collection, *PAPERS)
    sql("INSERT INTO unembedded VALUES (1)")(collection)
    remedy = bad(collection)["embedding"].remedy
    directory = str(collection.directory)
    assert shlex.split(remedy) == ["footnoted", "rebuild", "--collection", directory]


def test_a_missing_or_crashing_index_is_found(collection: Collection, tmp_path: Path) -> None:
    collection.close()
    chroma = collection.chroma
    chroma.rename(tmp_path / "away")
    assert "missing" in bad(collection)["chroma"].detail
    (tmp_path / "away").rename(chroma)
    (chroma / "chroma.sqlite3").write_bytes(b"garbage" * 999)
    assert "chroma" in bad(collection)
    assert "error" in probe(chroma)


def test_a_damaged_page_of_the_catalog_is_found(tmp_path: Path) -> None:
    collection = Collection(tmp_path / "big", create=True)
    put(collection, *[Record(f"Title {n}", f"Sentence {n} stands here. " * 20) for n in range(50)])
    collection.close()
    path = collection.directory / FILE_NAME
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 8192)
    found = bad(Collection(collection.directory, create=False))
    assert "catalog file" in found
    assert "backup" in found["catalog file"].remedy
