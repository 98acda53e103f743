from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rag.store.database import FILE_NAME
from tests.makers import SAMPLE
from tests.test_cli import fine, footnoted


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    """A home with a copy of the sample collection."""
    home = tmp_path / "home"
    shutil.copytree(sample_home / "sample", home / "sample")
    return home


def damage(home: Path, place: int) -> None:
    for left in (home / "sample").glob(f"{FILE_NAME}-*"):
        left.unlink()
    with (home / "sample" / FILE_NAME).open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 8192)


def test_collections_are_listed_with_what_they_hold(home: Path) -> None:
    fine(footnoted(home, "backup", str(home.parent / "b.zip")))
    fine(footnoted(home, "restore", str(home.parent / "b.zip"), "-c", "another"))
    (home / "notes").mkdir()
    told = fine(footnoted(home, "collections")).splitlines()
    assert told[::2] == ["another", "sample (used when none is named)"]
    assert told[1].startswith("  306 papers, ")
    assert "embedded with bundled" in told[3]
    listed = [
        json.loads(line)
        for line in fine(footnoted(home, "collections", "--json")).split("\n")
        if line
    ]
    assert [item["name"] for item in listed] == ["another", "sample"]
    assert listed[0]["papers"] == 306
    assert listed[0]["bytes"] > 10**6


def test_one_that_cannot_be_read_does_not_hide_the_others(home: Path) -> None:
    (home / "broken").mkdir()
    (home / "broken" / FILE_NAME).write_bytes(b"nothing" * 999)
    done = footnoted(home, "collections")
    assert "306 papers" in fine(done, 1)
    assert "broken" in done.stderr
    assert "footnoted restore" in done.stderr


def test_no_collection_is_said_so(tmp_path: Path) -> None:
    done = footnoted(tmp_path / "nowhere", "collections")
    assert fine(done) == ""
    assert "footnoted add" in done.stderr


def test_backup_and_restore_from_the_command_line(home: Path) -> None:
    answered = json.loads(fine(footnoted(home, "ask", "What is GeneGPT?", "--json")))
    file = home.parent / "b.zip"
    told = fine(footnoted(home, "backup", str(file)))
    assert told.startswith(f"306 papers and the answers kept written to {file}")
    fine(footnoted(home, "remove", answered["claims"][0]["citations"][0]["paper"]))
    refused = footnoted(home, "restore", str(file))
    fine(refused, 1)
    assert "--force" in refused.stderr
    told = fine(footnoted(home, "restore", str(file), "--force"))
    assert "306 papers" in told
    assert "is kept in" in told
    again = json.loads(fine(footnoted(home, "ask", "What is GeneGPT?", "--json")))
    assert again["claims"] == answered["claims"]
    assert answered["id"] in fine(footnoted(home, "answers"))


def test_export_and_import_from_the_command_line(home: Path) -> None:
    file = home.parent / "shared.zip"
    told = fine(footnoted(home, "export", "collection", "-o", str(file), "--source", "003_"))
    assert told.startswith("50 papers with 100 vectors")
    told = fine(footnoted(home, "import", "--quiet", str(file), "-c", "mine"))
    assert told.startswith("50 added")
    assert "the vectors of 50 papers came along; 0 passages were embedded here" in told
    for arguments in (["export", "collection"], ["export", "collection", "--answer", "x"]):
        fine(footnoted(home, *arguments), 1)
    damaged = home.parent / "half.zip"
    damaged.write_bytes(file.read_bytes()[:-30])
    fine(footnoted(home, "import", str(damaged), "-c", "other"), 1)
    assert not (home / "other").exists()


@pytest.mark.parametrize("page", [0, 1, 40, 200])
def test_a_damaged_page_stops_writing_and_doctor_names_what_restores(home: Path, page: int) -> None:
    file = home.parent / "b.zip"
    fine(footnoted(home, "backup", str(file)))
    damage(home, page * 4096)
    held = (home / "sample" / FILE_NAME).read_bytes()
    refused = footnoted(home, "add", "--quiet", str(SAMPLE))
    fine(refused, 1)
    assert "the catalog is damaged" in refused.stderr or "not a Footnoted" in refused.stderr
    assert (home / "sample" / FILE_NAME).read_bytes() == held
    command = f"footnoted restore {file} --force --collection {home / 'sample'}"
    assert command in fine(footnoted(home, "doctor"), 1)
    fine(footnoted(home, *command.split()[1:]))
    assert "BAD" not in fine(footnoted(home, "doctor"))
