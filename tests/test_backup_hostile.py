"""Backups and shared collections that someone made by hand."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.assistant import Assistant
from rag.backup.archive import MANIFEST
from rag.backup.sharing import PAPERS, VECTORS
from rag.errors import FileError
from rag.store.database import FILE_NAME
from tests.backups import made, members_of, opened, packed, tampered, with_sql


@pytest.fixture
def assistant(tmp_path: Path) -> Assistant:
    return made(tmp_path / "papers")


@pytest.fixture
def backup(assistant: Assistant, tmp_path: Path) -> Path:
    return assistant.backup(tmp_path / "b.zip").file


@pytest.fixture
def shared(assistant: Assistant, tmp_path: Path) -> Path:
    return assistant.export_collection(tmp_path / "s.zip").file


def refused(file: Path, words: str) -> None:
    again = file.parent / "again"
    with pytest.raises(FileError, match=words):
        Assistant.restore(file, again)
    assert not again.exists()
    assert not list(file.parent.glob(".*"))


REWRITTEN = """PRAGMA writable_schema=ON;
UPDATE sqlite_master SET sql = replace(sql, 'old_id TEXT', 'old_id BLOB')
WHERE name = 'redirects'"""


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ("CREATE VIEW more AS SELECT 1", "laid out"),
        ("CREATE TABLE more(x)", "laid out"),
        ("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM papers; END", "laid out"),
        ("DROP TABLE redirects", "laid out"),
        ("ALTER TABLE papers ADD COLUMN more TEXT", "laid out"),
        ("DROP TABLE aliases; CREATE VIEW aliases AS SELECT 1 AS alias, 1 AS paper", "laid out"),
        (REWRITTEN, "laid out"),
        ("PRAGMA application_id=1", "another program"),
        ("PRAGMA user_version=99", "pip install --upgrade"),
        ("PRAGMA user_version=0", "layout 0"),
        ("UPDATE papers SET sentences = '[[0, 999]]' WHERE number = 1", "offsets"),
        ("UPDATE papers SET sentences = '[[-5, 10]]' WHERE number = 1", "offsets"),
        ("UPDATE papers SET sentences = '[[0.5, 9]]' WHERE number = 1", "offsets"),
        ("UPDATE papers SET sentences = '[[1]]' WHERE number = 1", "cannot be restored"),
        ("UPDATE papers SET sentences = 'rm -rf' WHERE number = 1", "cannot be restored"),
        ("UPDATE papers SET authors = '{\"a\": 1}' WHERE number = 1", "cannot be restored"),
        ("UPDATE papers SET authors = '[1]' WHERE number = 1", "cannot be restored"),
        ("UPDATE passages SET end = end + 1 WHERE id = 1", "offsets"),
        ("UPDATE passages SET last = 1 WHERE id = 1", "offsets"),
        ("UPDATE papers SET abstract = replace(abstract, '10,000', '90,000')", "fingerprint"),
        ("UPDATE papers SET title = x'FF00' WHERE number = 1", "another type"),
        ("UPDATE papers SET year = 'then' WHERE number = 1", "another type"),
        ("UPDATE papers SET title = cast(x'FF41' AS TEXT) WHERE number = 1", "UTF-8"),
        ("UPDATE vectors SET vector = x'0000C07F'", "vectors"),
        ("UPDATE vectors SET vector = zeroblob(length(vector))", "vectors"),
        ("UPDATE vectors SET vector = zeroblob(12) WHERE passage = 1", "vectors"),
        ("DELETE FROM vectors WHERE passage = 1", "without a vector"),
        ("DELETE FROM passages; DELETE FROM vectors", "no passage"),
        ("DELETE FROM narrow WHERE paper = 1", "no filter finds"),
        ("PRAGMA foreign_keys=OFF; INSERT INTO records VALUES ('a', x'00', 99, 1)", "FOREIGN KEY"),
        ("DELETE FROM papers WHERE number = 1", "cannot be restored"),
        ("UPDATE meta SET value = 'other' WHERE key = 'embedder'", "manifest"),
    ],
)  # fmt: skip
def test_a_catalog_that_cannot_be_is_refused(backup: Path, statements: str, words: str) -> None:
    refused(tampered(backup, FILE_NAME, with_sql(statements)), words)


def test_what_a_catalog_says_of_chroma_is_not_believed(backup: Path, tmp_path: Path) -> None:
    lies = (
        "INSERT OR REPLACE INTO meta VALUES ('chroma_directory', '../../elsewhere'), "
        "('chroma_id', 'x'), ('indexed_upto', 'many'), ('fetches', '[[[')"
    )
    Assistant.restore(tampered(backup, FILE_NAME, with_sql(lies)), tmp_path / "again")
    with opened(tmp_path / "again") as again:
        assert [finding for finding in again.examine() if not finding.well] == []
        assert again.search("grokking")


def test_pages_that_lead_in_circles_are_refused(backup: Path) -> None:
    def scrambled(data: bytes) -> bytes:
        pages = [data[i : i + 4096] for i in range(0, len(data), 4096)]
        return b"".join([*pages[:4], pages[3], pages[3], *pages[6:]])

    refused(tampered(backup, FILE_NAME, scrambled), "cannot be restored")


def test_what_is_no_database_is_refused(backup: Path) -> None:
    refused(tampered(backup, FILE_NAME, lambda _: b""), "cannot be restored")
    refused(tampered(backup, FILE_NAME, lambda _: b"text" * 5000), "cannot be restored")
    refused(tampered(backup, FILE_NAME, lambda data: data[: len(data) // 2]), "cannot be restored")


@pytest.mark.parametrize(
    "name", ["../catalog.sqlite3", "/etc/passwd", "lock", "chroma/x", "C:\\catalog.sqlite3"]
)
def test_other_members_are_refused(backup: Path, name: str) -> None:
    refused(
        packed(backup.with_name("more.zip"), {**members_of(backup), name: b"x"}), "no footnoted"
    )


def test_a_member_that_is_there_twice_is_refused(backup: Path) -> None:
    twice = packed(backup.with_name("twice.zip"), members_of(backup))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as archive:
        archive.writestr(FILE_NAME, b"another")
    refused(twice, "as Footnoted packs them")


def test_a_bomb_is_refused_before_it_is_unpacked(backup: Path) -> None:
    bomb = tampered(backup, FILE_NAME, lambda data: data + bytes(100 * 2**20))
    assert bomb.stat().st_size < 10**6
    refused(bomb, "holds too much")


def test_a_size_that_lies_is_noticed(backup: Path) -> None:
    data = bytearray(packed(backup.with_name("lie.zip"), members_of(backup)).read_bytes())
    for sign, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(sign) + offset
        (size,) = struct.unpack_from("<I", data, place)
        struct.pack_into("<I", data, place, size // 2)
    lie = backup.with_name("lie.zip")
    lie.write_bytes(data)
    refused(lie, "damaged|cannot be")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": 7}, "no footnoted backup"),
        ({"kind": "tar"}, "no footnoted backup"),
        ({"format": 2}, "pip install --upgrade"),
        ({"format": "1"}, "damaged"),
        ({"counts": {"papers": -1}}, "damaged"),
        ({"counts": {"papers": 10**30, "passages": 1, "unembedded": 0}}, "damaged"),
        ({"counts": {"papers": 4, "passages": 3, "unembedded": 0}}, "manifest"),
        ({"embedder": {"embedder": "x"}}, "damaged"),
        ({"embedder": []}, "damaged"),
        ({"made": "\x1b[2J"}, "damaged"),
        ({"members": {}}, "does not hold"),
        ({"members": {FILE_NAME: {"bytes": 1, "sha256": "0"}}}, "manifest says"),
        ({"fingerprint": "0" * 32}, "manifest"),
    ],
)
def test_a_manifest_that_lies_is_refused(
    backup: Path, fields: dict[str, object], words: str
) -> None:
    refused(packed(backup.with_name("lies.zip"), members_of(backup), **fields), words)


def test_a_manifest_that_is_no_object_is_refused(backup: Path) -> None:
    members = members_of(backup)
    for text in (b"", b"[]", b"[" * 10**5, b"\xff", b"null"):
        file = backup.with_name("odd.zip")
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in {**members, MANIFEST: text}.items():
                archive.writestr(name, data)
        refused(file, "odd.zip")


def line_changed(**changes: object) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        first, *others = data.splitlines(keepends=True)
        values = {**json.loads(first), **changes}
        return b"".join([json.dumps(values).encode() + b"\n", *others])

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data + b"{", "line 4"),
        (lambda data: data + b"[" * 100_000, "line 4"),
        (lambda data: data + b"7\n", "line 4"),
        (line_changed(passages=7), "line 1"),
        (line_changed(passages=[[0, 1, 0]]), "line 1"),
        (line_changed(passages=[["a", 1, 0, 1]]), "line 1"),
        (line_changed(passages=[[0, 2**40, 0, 1]]), "line 1"),
        (line_changed(passages=[[0, 1, 0, 1]] * 10_000), "line 1"),
        (line_changed(sources=None), "line 1"),
        (line_changed(title=None), "line 1|no title"),
    ],
)
def test_lines_that_nobody_exported_stop_an_import(
    shared: Path, tmp_path: Path, change: Callable[[bytes], bytes], words: str
) -> None:
    file = tampered(shared, PAPERS, change)
    with opened(tmp_path / "mine") as mine:
        try:
            report = mine.import_collection(file)
        except FileError as error:
            told = str(error)
        else:
            told = str(report.skipped)
        assert any(word in told for word in words.split("|")), told
        assert [finding for finding in mine.examine() if not finding.well] == []


def test_vectors_that_are_missing_stop_an_import(shared: Path, tmp_path: Path) -> None:
    file = tampered(shared, VECTORS, lambda data: data[:-4])
    with opened(tmp_path / "mine") as mine, pytest.raises(FileError, match="line 3"):
        mine.import_collection(file)


def test_an_absurd_dimension_is_refused(shared: Path, tmp_path: Path) -> None:
    embedder = json.loads(members_of(shared)[MANIFEST])["embedder"]
    file = packed(
        shared.with_name("wide.zip"),
        members_of(shared),
        embedder={**embedder, "dimension": "9" * 9},
    )
    with opened(tmp_path / "mine") as mine, pytest.raises(FileError, match="999,999,999"):
        mine.import_collection(file, embed=True)


def test_a_shared_file_that_is_damaged_gives_nothing(shared: Path, tmp_path: Path) -> None:
    data = shared.read_bytes()
    half = tmp_path / "half.zip"
    with opened(tmp_path / "mine") as mine:
        for kept in range(0, len(data), len(data) // 12):
            half.write_bytes(data[:kept])
            with pytest.raises(FileError):
                mine.import_collection(half)
        assert mine.counts()["papers"] == 0
