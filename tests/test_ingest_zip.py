"""ZIP archives: read in place, member by member; what is refused, and that it says why."""

from __future__ import annotations

import gzip
import io
import json
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.errors import FileError, RagError
from rag.ingest.archives import MAX_MEMBERS
from rag.ingest.reading import read_papers
from rag.ingest.text import RATIO_FREE_BYTES, expansion_limit
from rag.schema import BadRecord, Record
from tests.backups import made
from tests.formats import split

TABLE = "title,abstract\nOne,A.\nTwo,B.\n"
LINES = "\n".join(json.dumps({"title": f"T{n}", "abstract": "A."}) for n in range(3))


def archive(path: Path, *members: tuple[str | zipfile.ZipInfo, str | bytes]) -> Path:
    """An archive with these members, deflated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        warnings.simplefilter("ignore")  # two members of one name
        for name, content in members:
            file.writestr(name, content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        list(read_papers(path))
    return str(caught.value)


def test_each_member_is_read_as_a_file(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "all.zip",
        ("2024/a.csv", TABLE),
        ("2024/", ""),
        ("b.jsonl.gz", gzip.compress(LINES.encode())),
        ("__MACOSX/._a.csv", "x"),
        (".DS_Store", "x"),
        ("notes.pdf", b"%PDF-1.7"),
        ("größe.txt", "Just prose."),
    )
    records, bad = split(path)
    assert [str(record.place) for record in records] == [
        "all.zip/2024/a.csv:2", "all.zip/2024/a.csv:3",
        "all.zip/b.jsonl.gz:1", "all.zip/b.jsonl.gz:2", "all.zip/b.jsonl.gz:3",
    ]  # fmt: skip
    assert records[0].source == "all.zip/2024/a.csv"
    assert [str(item)[:45] for item in bad] == [
        "all.zip/notes.pdf: a PDF: export its title an",
        "all.zip/größe.txt: in no format that is read;",
    ]


def test_an_archive_in_a_folder_is_read_and_a_broken_one_costs_itself(tmp_path: Path) -> None:
    archive(tmp_path / "in" / "a.zip", ("a.csv", TABLE))
    (tmp_path / "in" / "b.zip").write_bytes(b"PK\x03\x04broken")
    records, bad = split(tmp_path / "in")
    assert [record.source for record in records] == ["in/a.zip/a.csv"] * 2
    (item,) = bad
    assert str(item.place) == "in/b.zip"
    assert item.reason.startswith("cannot be read: the ZIP archive is damaged (its list of members")


def test_archives_in_archives_are_refused(tmp_path: Path) -> None:
    inner = archive(tmp_path / "inner.zip", ("a.csv", TABLE)).read_bytes()
    _, bad = split(archive(tmp_path / "outer.zip", ("inner.zip", inner), ("a.csv", TABLE)))
    assert [str(item) for item in bad] == [
        "outer.zip/inner.zip: an archive in an archive, or an Office document: unpack it"
    ]


@pytest.mark.parametrize(
    "name", ["../a.csv", "/etc/a.csv", "a/../../b.csv", "..\\a.csv", "C:\\a.csv", "C:/a.csv"]
)
def test_a_name_that_leads_out_is_refused_and_the_others_read(tmp_path: Path, name: str) -> None:
    records, bad = split(archive(tmp_path / "a.zip", (name, TABLE), ("ok.csv", TABLE)))
    assert len(records) == 2
    assert [item.reason for item in bad] == ["refused: its name leads out of the archive"]
    assert not (tmp_path.parent / "a.csv").exists()


def test_links_and_encrypted_members_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.csv")
    link.external_attr = 0o120777 << 16
    path = archive(tmp_path / "a.zip", (link, "/etc/passwd"), ("secret.csv", TABLE))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = content.rfind(signature)
        content[at + offset] |= 1
    path.write_bytes(content)
    _, bad = split(path)
    assert [str(item) for item in bad] == [
        "a.zip/link.csv: refused: a link, not a file",
        "a.zip/secret.csv: encrypted: unpack it with its password first",
    ]


def test_other_compression_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("a.csv", TABLE)
    _, (bad,) = split(path)
    assert bad.reason == "compressed by method 14, which is not read: unpack it first"


@pytest.mark.parametrize(
    ("member", "says"),
    [("word/document.xml", "is a Word document (docx): save it as text"),
     ("xl/workbook.xml", "is an Excel workbook (xlsx): save its sheet as CSV"),
     ("META-INF/container.xml", "is an EPUB book: save it as text"),
     ("META-INF/manifest.xml", "is an OpenDocument file: save it as text or CSV")],
)  # fmt: skip
def test_a_document_that_is_an_archive_says_what_it_is(
    tmp_path: Path, member: str, says: str
) -> None:
    path = archive(tmp_path / "a.docx", ("[Content_Types].xml", "<x/>"), (member, "<x/>"))
    assert refusal(path) == f"a.docx {says}"


def test_what_footnoted_packed_names_the_command_for_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with made(tmp_path / "papers") as assistant:
        backup = assistant.backup(tmp_path / "in" / "b.zip").file
        shared = assistant.export_collection(tmp_path / "in" / "s.zip").file
    assert refusal(backup) == "b.zip is a backup: use 'footnoted restore' with it"
    assert refusal(shared) == "s.zip is an exported collection: use 'footnoted import' with it"
    archive(tmp_path / "in" / "a.zip", ("a.csv", TABLE))
    records, bad = split(tmp_path / "in")
    assert [record.source for record in records] == ["in/a.zip/a.csv"] * 2
    assert [str(item) for item in bad] == [
        "in/b.zip: a backup: use 'footnoted restore' with it",
        "in/s.zip: an exported collection: use 'footnoted import' with it",
    ]


@pytest.mark.parametrize(
    "manifest", ["", "[]", "[" * 100_000, "{}", '{"kind": ["x"]}', '{"kind": "footnoted sum"}']
)
def test_another_manifest_is_a_member_like_any_other(tmp_path: Path, manifest: str) -> None:
    path = archive(tmp_path / "a.zip", ("manifest.json", manifest), ("a.csv", TABLE))
    records, bad = split(path)
    assert [record.title for record in records] == ["One", "Two"]
    assert [item.place.file for item in bad] == ["a.zip/manifest.json"]


def test_an_empty_archive_says_so(tmp_path: Path) -> None:
    assert refusal(archive(tmp_path / "a.zip")) == "a.zip holds no files: it is an empty archive"


# Bombs


def bomb(size: int) -> bytes:
    """A deflated member of so many zero bytes as an archive of its own."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file,
        file.open("a.csv", "w") as member,
    ):
        for _ in range(size // 1024**2):
            member.write(bytes(1024**2))
    return packed.getvalue()


def test_an_archive_that_expands_too_far_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(bomb(RATIO_FREE_BYTES + 1024**2))
    assert "that expand to 68,157,440, at most 67,108,864 are read" in refusal(path)


def test_many_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Overlapping members: each is small, all together are not."""
    path = tmp_path / "bomb.zip"
    one = bomb(1024**2 * 8)
    at = one.rfind(b"PK\x01\x02")
    end = one.rfind(b"PK\x05\x06")
    directory = one[at:end] * 20
    count, length = 20, len(directory)
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, length, at, 0)
    path.write_bytes(one[:at] + directory + tail)
    assert "that expand to 167,772,160" in refusal(path)


def test_a_member_that_lies_about_its_size_is_not_read_further(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    content = bytearray(bomb(RATIO_FREE_BYTES + 1024**2))
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 1_000)
    path.write_bytes(content)
    _, (bad,) = split(path)
    assert bad.place.file == "bomb.zip/a.csv"


def test_a_gzip_file_that_expands_too_far_is_stopped(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(b"title,abstract\nT,A.\n")
        for _ in range(70):
            file.write(b"T," + b"a" * 1024**2 + b"\n")
    plain = tmp_path / "bomb.csv.gz"
    plain.write_bytes(packed.getvalue())
    for path in (plain, archive(tmp_path / "a.zip", ("bomb.csv.gz", packed.getvalue()))):
        last = None
        for item in read_papers(path):
            last = item
        assert isinstance(last, BadRecord)
        assert "it expands to more than 67,108,864 bytes: split it" in last.reason


def test_a_large_file_may_expand_as_text_does() -> None:
    assert expansion_limit(1_300 * 1024**2) >= 10 * 1_300 * 1024**2
    assert expansion_limit(0) == RATIO_FREE_BYTES


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(MAX_MEMBERS + 1):
            file.writestr(f"{number}", b"")
    assert refusal(path) == "many.zip has 100,001 members, at most 100,000 are read"


def test_a_list_of_members_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path / "a.zip", ("a.csv", TABLE)).read_bytes())
    at = content.rfind(b"PK\x05\x06")
    content[at + 12 : at + 16] = struct.pack("<I", 900_000_000)
    (tmp_path / "a.zip").write_bytes(content)
    assert "lists its members in more than 33,554,432 bytes" in refusal(tmp_path / "a.zip")


# Damage


def test_of_a_damaged_member_what_is_whole_is_read(tmp_path: Path) -> None:
    rows = "title,abstract\n" + "".join(f"T{n},Abstract {n * n}.\n" for n in range(20_000))
    path = archive(tmp_path / "a.zip", ("a.csv", rows), ("b.csv", TABLE))
    content = bytearray(path.read_bytes())
    middle = content.rfind(b"PK\x03\x04") // 2
    content[middle : middle + 2_000] = b"\xff" * 2_000
    path.write_bytes(content)
    records, bad = split(path)
    assert records[0].title == "T0"
    assert [record.title for record in records[-2:]] == ["One", "Two"]
    assert "reading stopped here" in str(bad[-1]) or "damaged" in str(bad[-1])


@given(st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_broken_only_errors_of_ours_are_raised(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = archive(tmp_path / "a.zip", ("a.csv", TABLE * 50), ("b/c.jsonl", LINES))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(4, len(content)))])
    try:
        items = list(read_papers(path))
    except RagError:
        return
    assert all(isinstance(item, Record) or item.reason for item in items)
