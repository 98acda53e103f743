"""Reading files and folders: encodings, what is no text, what cannot be opened, odd names."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rag.errors import FileError, RagError
from rag.ingest.formats import recognised
from rag.ingest.reading import read_papers
from rag.ingest.text import open_text
from rag.schema import BadRecord, Record
from tests.makers import ROOT

PAPER = {"title": "Über Größe", "abstract": "Wir zeigen, dass die Ästhetik schön ist – “wirklich”."}
TABLE = f'title,abstract\n{PAPER["title"]},"{PAPER["abstract"]}"\n'


def write(path: Path, content: str | bytes = TABLE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def bad(path: Path) -> list[str]:
    return [str(item) for item in read_papers(path) if isinstance(item, BadRecord)]


# Encodings


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
)
def test_an_encoding_is_recognised(tmp_path: Path, encoding: str) -> None:
    (record,) = read_papers(write(tmp_path / "a", TABLE.encode(encoding)))
    assert isinstance(record, Record)
    assert (record.title, record.abstract) == (PAPER["title"], PAPER["abstract"])


@pytest.mark.parametrize(
    ("sentence", "encoding"),
    [("Мы предлагаем новый метод обучения. ", "cp1251"), ("我们提出了一种新的方法。", "gb18030"),
     ("本研究では新しい手法を提案する。", "shift_jis"),
     ("Zażółć gęślą jaźń nową metodą. ", "cp1250")],
)  # fmt: skip
def test_an_old_encoding_is_guessed(tmp_path: Path, sentence: str, encoding: str) -> None:
    table = f"title,abstract\nTitle,{sentence * 8}"
    (record,) = read_papers(write(tmp_path / "a", table.encode(encoding)))
    assert isinstance(record, Record)
    assert record.abstract == (sentence * 8).strip()


def test_an_odd_byte_in_utf8_is_read_as_windows_1252(tmp_path: Path) -> None:
    rows = b"".join("T,Größe – schön.\n".encode() for _ in range(30))
    far = (b"T," + b"A" * 1_000 + b"\n") * 300 + "T,Größe".encode() + b" f\xfcr alle.\n"
    items = list(read_papers(write(tmp_path / "a", b"title,abstract\n" + rows + far)))
    assert isinstance(items[-1], Record)
    assert items[-1].abstract == "Größe für alle."


# What is no text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty: there are no papers in it"),
        (b" \n\t\r\n ", "is empty: there are no papers in it"),
        (b"\xef\xbb\xbf", "is empty: there are no papers in it"),
        (gzip.compress(b""), "is empty: there are no papers in it"),
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF: export its title and abstract as text, CSV or JSON"),
        (gzip.compress(b"%PDF-1.7\n"), "is a PDF"),
        (b"PK\x03\x04abc", "cannot be read: the ZIP archive is damaged (its list of"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a binary file: only text formats are read"),
        (b"(\xb5/\xfdxyz", "is compressed with zstd: unpack it (gzip is read as it is)"),
        (b"\x1f\x8b\x08broken", "cannot be read: the compressed file is damaged"),
        (b"\x1f\x8b", "cannot be read: the compressed file is damaged"),
        (b"Just some prose.\n\nAnd more of it.", "is in no format that is read; see README, 'What"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_it_is_and_what_to_do(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = write(tmp_path / "folder" / "a.txt", content)
    with pytest.raises(FileError) as caught:
        list(read_papers(path))
    assert str(caught.value).startswith(f"a.txt {says}")
    (line,) = bad(path.parent)
    assert line.startswith(f"folder/a.txt: {says.removeprefix('is ')}")


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        (
            "name,summary\nA paper,Some text.\n",
            ": it needs a column named title and one named abstract, and has name, summary",
        ),
        (
            "A title, of a paper\n\nToo short, all in all.\n",
            ": plain text needs a title, an empty line, and 100 characters or more in sentences",
        ),
        ("<!DOCTYPE html>\n<html><body>[A page]</body></html>", ""),
        ("name\nA paper\n", ""),
        ("name,\nA,B\n", ""),
        ('"name,summary\nA,B\n', ""),
    ],
)
def test_a_file_of_no_known_format_says_what_it_lacks(
    tmp_path: Path, content: str, lacks: str
) -> None:
    path = write(tmp_path / "a", content.encode())
    expected = f"a is in no format that is read{lacks}; see README, 'What it reads'"
    with pytest.raises(FileError) as caught:
        list(read_papers(path))
    assert str(caught.value) == expected
    assert "\n## What it reads\n" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    "before", ["", "<?xml version='1.0'?>\n<!-- [1] -->\n"], ids=["bare", "after a comment"]
)
def test_xml_of_no_known_format_that_declares_entities_is_refused_as_such(
    tmp_path: Path, before: str
) -> None:
    text = f'{before}<!DOCTYPE lolz [<!ENTITY lol "lol">]><lolz>&lol;</lolz>'
    path = write(tmp_path / "folder" / "a.xml", text.encode())
    with pytest.raises(FileError, match=r"^a\.xml is refused: its DOCTYPE holds declarations"):
        list(read_papers(path))
    (line,) = bad(path.parent)
    assert line.startswith("folder/a.xml: refused: its DOCTYPE holds declarations")


def test_a_file_that_expands_too_far_is_refused_after_what_was_read(tmp_path: Path) -> None:
    rows = "title,abstract\n" + "T,A.\n" * 80_000
    path = write(tmp_path / "a.gz", gzip.compress(rows.encode()))
    source = open_text(path, "a.gz", max_expanded_bytes=300_000)
    form = recognised(source.head)
    assert form
    records = form.read(source)
    assert sum(1 for _ in islice(records, 50_000)) == 50_000
    with pytest.raises(FileError, match="it expands to more than 300,000 bytes: split it"):
        list(records)


def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    line = json.dumps({"title": "T", "abstract": "A sentence. " * 100}) + "\n"
    with path.open("w") as file:
        for _ in range(60):
            file.write(line * 1_000)
    script = (
        "import resource, sys; from rag.ingest.reading import read_papers;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "count = sum(1 for _ in read_papers(sys.argv[1]));"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    count, grown_kib = map(int, done.stdout.split())
    assert count == 60_000
    assert path.stat().st_size > 70_000_000
    assert grown_kib < 30_000


# What cannot be opened


def test_a_missing_path_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nothing-here does not exist: check the path"):
        read_papers(tmp_path / "nothing-here")
    with pytest.raises(FileError, match="no path is given"):
        read_papers("")
    with pytest.raises(FileError, match="does not exist"):
        read_papers("a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "a")
    path.chmod(0)
    with pytest.raises(FileError, match="a cannot be read: access is not permitted"):
        list(read_papers(path))
    assert bad(path.parent) == ["in/a: cannot be read: access is not permitted"]


def test_a_file_that_vanishes_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a")
    vanishing = write(tmp_path / "in" / "b")
    items = read_papers(tmp_path / "in")
    assert isinstance(next(items), Record)
    vanishing.unlink()
    assert [str(item) for item in items] == ["in/b: cannot be read: it does not exist (any more)"]


def test_a_broken_link_and_a_pipe_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(folder / "nothing")
    os.mkfifo(folder / "pipe")
    assert bad(folder) == [
        "in/link: cannot be read: it does not exist (any more)",
        "in/pipe: not a regular file: save its content to a file first",
    ]
    with pytest.raises(FileError, match="pipe is not a regular file"):
        list(read_papers(folder / "pipe"))


# Folders


def test_a_folder_is_read_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.csv", "b/10.csv", "a.csv", ".hidden", ".git/c.csv", "c", "b/.x/d.csv"):
        write(tmp_path / "top" / name)
    sources = [item.source for item in read_papers(tmp_path / "top") if isinstance(item, Record)]
    assert sources == ["top/a.csv", "top/b/10.csv", "top/b/2.csv", "top/c"]
    assert not bad(tmp_path / "top")


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "top" / "a" / "x.csv")
    (tmp_path / "top" / "a" / "up").symlink_to(tmp_path / "top")
    (tmp_path / "top" / "again").symlink_to(tmp_path / "top" / "a")
    write(tmp_path / "elsewhere" / "y.csv")
    (tmp_path / "top" / "out").symlink_to(tmp_path / "elsewhere")
    items = list(read_papers(tmp_path / "top"))
    assert [item.source for item in items if isinstance(item, Record)] == [
        "top/a/x.csv",
        "top/out/y.csv",
    ]


def test_an_unknown_file_in_a_folder_costs_only_itself(tmp_path: Path) -> None:
    write(tmp_path / "top" / "a.csv")
    write(tmp_path / "top" / "b.txt", "Just prose.")
    write(tmp_path / "top" / "c.pdf", b"%PDF-1.4")
    write(tmp_path / "top" / "d.csv")
    kinds = [type(item).__name__ for item in read_papers(tmp_path / "top")]
    assert kinds == ["Record", "BadRecord", "BadRecord", "Record"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "top" / ".hidden")
    with pytest.raises(FileError, match="holds no files: name a folder with papers in it"):
        list(read_papers(tmp_path / "top"))


def test_a_very_deep_folder_is_read(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(400):
        deep = deep / "d"
    write(deep / "a.csv")
    assert sum(isinstance(item, Record) for item in read_papers(tmp_path)) == 1


def test_the_source_is_relative_to_where_the_path_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "top" / "sub" / "a.csv")
    monkeypatch.chdir(tmp_path / "top")
    for path, source in (
        (".", "top/sub/a.csv"),
        ("sub", "sub/a.csv"),
        ("sub/", "sub/a.csv"),
        ("sub/a.csv", "a.csv"),
        ("../top/sub", "sub/a.csv"),
        (tmp_path, f"{tmp_path.name}/top/sub/a.csv"),
    ):
        (record,) = read_papers(path)
        assert isinstance(record, Record)
        assert record.source == source
        assert record.place.file == source


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"a\nb\x1b[31m.csv", "a b [31m.csv"), (b"\xff\xfe.csv", "  .csv"),
     ("größe 🎉.csv".encode(), "größe 🎉.csv"), (b"-rf.csv", "-rf.csv"),
     (b"<script>.csv", "<script>.csv"), (b"a'b\"c$(x).csv", "a'b\"c$(x).csv")],
)  # fmt: skip
def test_a_hostile_file_name_is_text(tmp_path: Path, name: bytes, shown: str) -> None:
    folder = tmp_path / "top"
    folder.mkdir()
    (folder / os.fsdecode(name)).write_text(TABLE, encoding="utf-8")
    (record,) = read_papers(folder)
    assert isinstance(record, Record)
    assert record.source == f"top/{shown}"
    record.source.encode()


def test_the_format_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    (record,) = read_papers(write(tmp_path / "papers.pdf", json.dumps([PAPER])))
    assert isinstance(record, Record)
    assert record.title == PAPER["title"]


# Anything at all

HINTS = st.sampled_from(
    [b"title,abstract\n", b'{"title":', b'[{"title": "', b'", "abstract": "', b'"},', b'"}\n',
     b"Daily Papers\n\n", b"\n\n", b"\n", b'"', b",", b"{", b"}", b"[", b"]", b"\\", b"\x00",
     b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"a" * 400, b"\r\n", b"\t", b'{"papers": [', b"null",
     b"1e999", b"\\ud800", b"2019", b"authors", b"\x1f\x8b\x08\x00"]
)  # fmt: skip


@given(
    content=st.one_of(st.binary(), st.lists(HINTS, max_size=40).map(b"".join)), packed=st.booleans()
)
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(content=b"[" * 100_000, packed=False)
@example(content=b'{"a":' * 100_000, packed=False)
@example(content=b'[{"title": "' + b'{"x": [' * 3_000, packed=False)
@example(content=b"title,abstract\n" + b'"' * 5_001 + b"\nT,A.\n" * 2_000, packed=False)
def test_whatever_a_file_holds_only_errors_of_ours_are_raised(
    tmp_path: Path, content: bytes, packed: bool
) -> None:
    path = write(tmp_path / "in" / "file", gzip.compress(content) if packed else content)
    items: list[Record | BadRecord] = []
    with suppress(RagError):
        items = list(read_papers(path))
    for item in items:
        if isinstance(item, Record):
            assert item.title.strip()
            assert item.abstract == item.abstract.strip() != ""
            json.dumps([item.title, item.abstract, item.authors, item.url]).encode()
            (item.title + item.abstract + (item.url or "")).encode()
        else:
            assert item.reason
            str(item).encode()
    in_folder = list(read_papers(path.parent))
    assert [type(item) for item in in_folder[: len(items)]] == [type(item) for item in items]


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=5))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_json_holds_comes_back(tmp_path: Path, papers: list[tuple[str, str]]) -> None:
    objects = [{"title": title, "abstract": f"<{abstract}>"} for title, abstract in papers]
    for content in (json.dumps(objects), "\n".join(map(json.dumps, [*objects, *objects]))):
        items = list(read_papers(write(tmp_path / "file", content)))
        assert len(items) in (len(objects), 2 * len(objects))
        for item, (_, abstract) in zip(items, papers, strict=False):
            if isinstance(item, Record):
                assert len(item.abstract) == len(abstract) + 2
