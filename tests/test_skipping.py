"""What is told of records that were skipped."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from rag.schema import BadRecord, Place
from tests.test_cli import fine, footnoted, in_terminal
from ui.skipping import by_kind, files_first

WITHOUT = 14


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A folder: a paper, many titles without an abstract, then an archive that is damaged."""
    folder = tmp_path / "papers"
    folder.mkdir()
    rows = [{"title": "Fine", "abstract": "This one is fine."}]
    rows += [{"title": f"Title, {n}", "abstract": ""} for n in range(WITHOUT)]
    (folder / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        archive.writestr("c.jsonl", json.dumps(rows[0]))
    whole = (folder / "b.zip").read_bytes()
    (folder / "b.zip").write_bytes(whole[: len(whole) // 2])
    return folder


def test_trouble_with_files_comes_first_and_keeps_its_order() -> None:
    single = BadRecord(Place("a", 1), 'no abstract for the title "x"')
    stopped = BadRecord(Place("a", 9), "reading stopped here, what follows is missing: damaged")
    whole = BadRecord(Place("b"), "the ZIP archive is damaged")
    unnamed = BadRecord(Place(""), "c is empty")
    assert files_first([single, stopped, single, whole, unnamed]) == [
        stopped, whole, unnamed, single, single,
    ]  # fmt: skip


def test_reasons_are_counted_by_kind_without_their_details() -> None:
    reasons = [
        'no abstract for the title "One: a beginning"',
        "not valid JSON: Expecting value at column 3",
        'no abstract for the title "Two"',
        "an abstract of 120,001 characters, at most 100,000 are taken",
        "not valid JSON: Extra data at column 7",
        'no abstract for the title "Three"',
    ]
    assert by_kind(BadRecord(Place("a", n), reason) for n, reason in enumerate(reasons)) == [
        (3, "no abstract"),
        (2, "not valid JSON"),
        (1, "an abstract of N characters"),
    ]


def test_rare_kinds_are_counted_together() -> None:
    kinds = "aaabbccddeefg"
    assert by_kind(BadRecord(Place("x", 1), f"kind {kind}: x") for kind in kinds)[-2:] == [
        (2, "kind e"),
        (2, "for other reasons"),
    ]


def test_a_terminal_sees_the_damaged_file_first_and_the_rest_by_kind(
    papers: Path, tmp_path: Path
) -> None:
    code, seen = in_terminal(tmp_path / "home", "add", "--quiet", str(papers))
    lines = seen.splitlines()
    assert code == 0
    assert "skipped papers/b.zip" in lines[0]
    assert sum("skipped papers/a.jsonl:" in line for line in lines) == 9
    assert "and 5 more skipped (--skipped FILE lists all):" in lines[-2]
    assert "footnoted: 5: no abstract" in lines[-1]


def test_a_pipe_gets_all_of_them(papers: Path, tmp_path: Path) -> None:
    done = footnoted(tmp_path / "home", "add", str(papers))
    assert fine(done).startswith(f"1 added, {WITHOUT + 1} skipped")
    lines = done.stderr.splitlines()
    assert len(lines) == WITHOUT + 1
    assert lines[0].startswith("footnoted: skipped papers/b.zip")


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_all_are_written_to_a_file(papers: Path, tmp_path: Path, dry_run: tuple[str, ...]) -> None:
    (papers / "odd\tname\x1b.bin").write_bytes(b"\x00\x01" * 99)
    file = tmp_path / "skipped.tsv"
    fine(footnoted(tmp_path / "home", "add", str(papers), "--skipped", str(file), *dry_run))
    rows = [line.split("\t") for line in file.read_text().splitlines()]
    assert [len(row) for row in rows] == [2] * (WITHOUT + 2)
    assert rows[0][0] == "papers/b.zip"
    assert rows[2] == ["papers/a.jsonl:2", 'no abstract for the title "Title, 0"']
    assert "\x1b" not in file.read_text()


def test_a_file_that_cannot_be_written_is_named(papers: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "skipped.tsv"
    done = footnoted(tmp_path / "home", "add", str(papers), "--skipped", str(nowhere))
    assert fine(done, 1).startswith("1 added")
    assert f"{nowhere} cannot be written" in done.stderr
