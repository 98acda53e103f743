from __future__ import annotations

import json
from pathlib import Path

import pytest
from filelock import FileLock

from eval.standin import StandInEmbedder
from rag.adding import AddReport
from rag.errors import LockedError
from rag.schema import Record
from rag.store.collection import LOCK
from rag.store.database import FILE_NAME
from tests.backups import PAPERS, lines_file, made, opened, state
from tests.makers import SAMPLE
from tests.test_cli import fine, footnoted


def counted(report: AddReport) -> tuple[int, ...]:
    return (
        report.added, report.updated, report.merged, report.unchanged, len(report.skipped)
    )  # fmt: skip


def changed_papers(path: Path) -> Path:
    """Unchanged, updated, merged, new, new twice, and one that cannot be read."""
    updated = {**PAPERS[1], "abstract": PAPERS[1]["abstract"] + " Nothing else is needed for it."}
    new = {"title": "New", "abstract": "It is about something else altogether."}
    lines = [PAPERS[0], updated, {**PAPERS[2], "venue": "ACL"}, new, {**new, "year": 2020}]
    return lines_file(path, [*lines, {"title": "no abstract"}])


def test_a_dry_run_says_what_the_run_then_does(tmp_path: Path) -> None:
    assistant = made(tmp_path / "papers")
    before, files = state(assistant), [changed_papers(tmp_path / "first.jsonl"), SAMPLE]
    rehearsed = assistant.add(*files, dry_run=True)
    assert state(assistant) == before
    assert rehearsed.passages == 0
    done = assistant.add(*files)
    assert counted(rehearsed) == counted(done)
    assert all(counted(done)), "every outcome is among them"
    assert rehearsed.skipped == done.skipped


def test_a_dry_run_embeds_nothing_and_leaves_no_byte(tmp_path: Path) -> None:
    made(tmp_path / "papers").close()
    held = {path: path.read_bytes() for path in (tmp_path / "papers").rglob("*") if path.is_file()}
    embedder = StandInEmbedder()
    with opened(tmp_path / "papers", embedder=embedder) as assistant:
        assistant.add(SAMPLE, dry_run=True)
        assert embedder.embedded == 0
        assert assistant.counts()["papers"] == 3
    found = {path: path.read_bytes() for path in (tmp_path / "papers").rglob("*") if path.is_file()}
    assert found == held


def test_others_search_and_cannot_write_meanwhile(tmp_path: Path) -> None:
    assistant = made(tmp_path / "papers")
    before, collection = state(assistant), assistant._collection
    with collection.rehearsing(StandInEmbedder()) as catalog:
        catalog.put([Record("New", "It is new.")])
        assert state(assistant) == before
        with pytest.raises(LockedError), collection.writing(StandInEmbedder(), timeout_s=0.1):
            pass
    with FileLock(assistant.directory / LOCK, timeout=0):
        pass


def test_a_dry_run_that_is_stopped_changes_nothing(tmp_path: Path) -> None:
    assistant = made(tmp_path / "papers")
    before = state(assistant)

    def stop(stage: object, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assistant.add(SAMPLE, dry_run=True, on_progress=stop)
    assert state(assistant) == before
    assert assistant.add(tmp_path / "first.jsonl").unchanged == 3


def test_the_command_says_so_and_makes_no_collection(tmp_path: Path) -> None:
    home = tmp_path / "home"
    told = fine(footnoted(home, "add", "--dry-run", str(SAMPLE)))
    assert told.startswith("306 added, 63 merged")
    assert "nothing was written" in told
    assert not home.exists()


def test_the_command_reports_what_would_be_skipped(sample_home: Path, tmp_path: Path) -> None:
    file = changed_papers(tmp_path / "changed.jsonl")
    before = (sample_home / "sample" / FILE_NAME).read_bytes()
    done = footnoted(sample_home, "add", "--dry-run", str(file))
    assert fine(done).startswith("4 added, 1 merged with a held paper, 1 skipped")
    assert "changed.jsonl:6" in done.stderr
    assert (sample_home / "sample" / FILE_NAME).read_bytes() == before
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({"title": "no abstract"}) + "\n" + json.dumps({"title": "none"}))
    fine(footnoted(sample_home, "add", "--dry-run", str(bad)), 1)
