from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.backup.restoring import restore
from rag.backup.saving import Saved, back_up
from rag.errors import (
    CollectionError,
    DamagedError,
    FileError,
    ForeignError,
    LockedError,
    StorageError,
)
from rag.schema import Record
from rag.store.collection import LOCK
from rag.store.database import FILE_NAME
from rag.store.history import History
from tests.backups import PAPERS, lines_file, made, members_of, opened, state
from tests.makers import ROOT


@pytest.fixture
def assistant(tmp_path: Path) -> Assistant:
    return made(tmp_path / "papers")


def test_a_restored_collection_is_the_same_with_its_answers(
    assistant: Assistant, tmp_path: Path
) -> None:
    answer = assistant.ask("What is grokking?")
    saved = assistant.backup(tmp_path / "b.zip")
    assert set(saved.manifest.members) == {"catalog.sqlite3", "history.sqlite3"}
    assert saved.manifest.counts == {"papers": 3, "passages": 3, "unembedded": 0}
    restored = Assistant.restore(saved.file, tmp_path / "again")
    assert restored.aside is None
    with opened(restored.directory) as again:
        assert state(again) == state(assistant)
        assert [finding for finding in again.examine() if not finding.well] == []
        assert again.history is not None
        assert answer.id is not None
        assert again.history.answer(answer.id) == History(assistant.directory).answer(answer.id)
        assert str(again.add(tmp_path / "first.jsonl")).startswith("3 unchanged")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "again", "b.zip", "first.jsonl", "papers",
    ]  # fmt: skip


def test_a_number_that_was_given_is_not_given_again(assistant: Assistant, tmp_path: Path) -> None:
    assistant.remove("Minds of machines")
    assistant.backup(tmp_path / "b.zip")
    Assistant.restore(tmp_path / "b.zip", tmp_path / "again")
    with opened(tmp_path / "again") as again:
        more = [{"title": "A later paper", "abstract": "It came later than the others did."}]
        again.add(lines_file(tmp_path / "more.jsonl", more))
        path = again.directory / FILE_NAME
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT max(number) FROM papers").fetchone() == (4,)
    connection.close()


def test_a_backup_of_a_collection_that_is_written_to_has_one_moment(tmp_path: Path) -> None:
    directory = tmp_path / "papers"
    assistant, done = made(directory), threading.Event()
    problems: list[BaseException] = []

    def write() -> None:
        try:
            for batch in range(40):
                records = [Record(f"Paper {batch} {n}", f"Text {n} of {batch}.") for n in range(25)]
                with assistant._collection.writing(StandInEmbedder()) as writing:
                    writing.catalog.put(records)
        except BaseException as error:
            problems.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    saved: list[Saved] = []
    while not done.is_set():
        saved.append(back_up(directory, tmp_path / f"{len(saved)}.zip"))
    writer.join()
    assert not problems
    assert assistant.counts()["papers"] == 1003
    for number, backup in enumerate(saved[:3]):
        counts = backup.manifest.counts
        assert counts["papers"] % 25 == 3, "half a transaction"
        assert counts["unembedded"] == counts["papers"] - 3
        Assistant.restore(backup.file, tmp_path / f"again{number}")
        with opened(tmp_path / f"again{number}") as again:
            assert again.counts() == counts


def test_an_earlier_backup_stays_until_the_new_one_is_whole(
    assistant: Assistant, tmp_path: Path
) -> None:
    file = tmp_path / "b.zip"
    assistant.backup(file)
    before = file.read_bytes()
    path = assistant.directory / FILE_NAME
    assistant.close()
    with path.open("r+b") as catalog:
        catalog.seek(4096 * 3)
        catalog.write(b"\xff" * 4096)
    with pytest.raises(DamagedError, match=r"not backed up.*doctor"):
        back_up(assistant.directory, file)
    assert file.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_what_a_killed_backup_left_is_cleared_away(tmp_path: Path) -> None:
    assistant = made(tmp_path / "papers")
    file = tmp_path / "b.zip"
    assistant.backup(file)
    code = (
        "import sys; from pathlib import Path; from rag.backup.saving import back_up\n"
        "while True: back_up(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    for wait_s in (0.6, 0.8, 1.0):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(assistant.directory), str(file)], cwd=ROOT
        )
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        Assistant.restore(file, tmp_path / f"after {wait_s}")
    left = tmp_path / ".b.zip.part" / "theirs"
    left.mkdir(parents=True, exist_ok=True)
    (left / "rest").write_text("of a killed one")
    assistant.backup(file)
    assert not list(tmp_path.glob(".*"))


def test_two_backups_to_one_file_do_not_meet(assistant: Assistant, tmp_path: Path) -> None:
    draft = tmp_path / ".b.zip.part"
    draft.mkdir()
    with FileLock(draft / "lock"), pytest.raises(LockedError, match="another process is writing"):
        assistant.backup(tmp_path / "b.zip")


def test_a_draft_that_leads_elsewhere_is_left_alone(assistant: Assistant, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept").touch()
    (tmp_path / ".b.zip.part").symlink_to(tmp_path / "mine")
    with pytest.raises(StorageError, match="is a link"):
        assistant.backup(tmp_path / "b.zip")
    assert (tmp_path / "mine" / "kept").exists()


def test_nothing_but_an_earlier_file_of_ours_is_written_over(
    assistant: Assistant, tmp_path: Path
) -> None:
    precious = tmp_path / "thesis.tex"
    precious.write_text("chapter")
    for place in (precious, assistant.directory / FILE_NAME, tmp_path):
        with pytest.raises(StorageError, match="name another"):
            assistant.backup(place)
    assert precious.read_text() == "chapter"
    with pytest.raises(StorageError, match="No such file"):
        assistant.backup(tmp_path / "nowhere" / "b.zip")


def test_a_collection_is_only_replaced_by_force_and_kept_aside(
    assistant: Assistant, tmp_path: Path
) -> None:
    file = assistant.backup(tmp_path / "b.zip").file
    before = state(assistant)
    assistant.remove("Minds of machines")
    with pytest.raises(CollectionError, match="--force"):
        Assistant.restore(file, assistant.directory)
    restored = Assistant.restore(file, assistant.directory, force=True)
    # Whoever has it open goes on with what stands there now.
    assert state(assistant) == before
    assert restored.aside is not None
    with opened(restored.aside) as aside:
        assert aside.counts()["papers"] == 2
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(ForeignError, match="no collection"):
        Assistant.restore(file, tmp_path / "other", force=True)
    assert (tmp_path / "other" / "thesis.tex").exists()


def test_a_collection_that_is_being_written_to_is_not_replaced(
    assistant: Assistant, tmp_path: Path
) -> None:
    file = assistant.backup(tmp_path / "b.zip").file
    with FileLock(assistant.directory / LOCK), pytest.raises(LockedError, match="nothing was"):
        restore(file, assistant.directory, force=True, wait_s=0.1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.zip", "first.jsonl", "papers"]


def test_whoever_waits_for_the_lock_gets_that_of_what_was_restored(
    assistant: Assistant, tmp_path: Path
) -> None:
    file = assistant.backup(tmp_path / "b.zip").file
    with (assistant.directory / LOCK).open() as waiting:  # as a lock has it that waits
        Assistant.restore(file, assistant.directory, force=True)
        standing = (assistant.directory / LOCK).stat()
        assert os.path.samestat(os.fstat(waiting.fileno()), standing)


def test_a_restored_collection_is_searched_before_its_index_is_made(
    assistant: Assistant, tmp_path: Path
) -> None:
    file, before = assistant.backup(tmp_path / "b.zip").file, state(assistant)
    more = [{"title": f"Later {n}", "abstract": f"Text {n} came later."} for n in range(9)]
    assistant.add(lines_file(tmp_path / "more.jsonl", more))
    assert assistant.search("came later")[0].paper.title.startswith("Later")
    found = []

    def search(done: int, total: int) -> None:
        found.append((done, total, state(assistant)))

    restore(file, assistant.directory, force=True, on_tick=search)
    assert [(done, total) for done, total, _ in found] == [(3, 3)]
    assert found[0][2][:3] == before[:3]
    assert [hit[0] for hit in found[0][2][3]] == [hit[0] for hit in before[3]]
    assert state(assistant) == before
    with opened(assistant.directory) as again:
        assert [finding for finding in again.examine() if not finding.well] == []


def test_a_damaged_collection_can_be_replaced(assistant: Assistant, tmp_path: Path) -> None:
    file = assistant.backup(tmp_path / "b.zip").file
    before = state(assistant)
    assistant.close()
    for left in assistant.directory.glob(f"{FILE_NAME}*"):
        left.write_bytes(b"nothing that SQLite can read" * 1000)
    Assistant.restore(file, assistant.directory, force=True)
    with opened(assistant.directory) as again:
        assert state(again) == before


def test_the_history_can_be_left_out_and_then_goes_on_where_it_is(
    assistant: Assistant, tmp_path: Path
) -> None:
    answer = assistant.ask("What is grokking?")
    saved = assistant.backup(tmp_path / "b.zip", history=False)
    assert set(saved.manifest.members) == {"catalog.sqlite3"}
    Assistant.restore(saved.file, tmp_path / "other")
    assert not (tmp_path / "other" / "history.sqlite3").exists()
    Assistant.restore(saved.file, assistant.directory, force=True)
    assert answer.id is not None
    assert History(assistant.directory).answer(answer.id).id == answer.id


def test_conversations_and_feedback_come_back(assistant: Assistant, tmp_path: Path) -> None:
    history = History(assistant.directory)
    conversation = history.start_conversation("browser")
    answer = assistant.ask("What is grokking?")
    kept = history.record(answer, conversation=conversation)
    history.give_feedback(kept, good=True, comment="just so")
    assistant.backup(tmp_path / "b.zip")
    Assistant.restore(tmp_path / "b.zip", tmp_path / "again")
    again = History(tmp_path / "again")
    assert again.conversations("browser") == history.conversations("browser")
    assert again.feedback(None) == history.feedback(None)
    assert len(again.feedback(None)) == 1


def test_an_empty_collection_is_backed_up_too(tmp_path: Path) -> None:
    with opened(tmp_path / "empty") as empty:
        empty.backup(tmp_path / "b.zip")
    Assistant.restore(tmp_path / "b.zip", tmp_path / "again")
    with opened(tmp_path / "again") as again:
        assert again.counts()["papers"] == 0
        again.add(lines_file(tmp_path / "papers.jsonl", PAPERS))
        assert [f.detail for f in again.examine() if not f.well] == []


def test_a_half_written_backup_restores_nothing(assistant: Assistant, tmp_path: Path) -> None:
    data = assistant.backup(tmp_path / "b.zip").file.read_bytes()
    half = tmp_path / "half.zip"
    for kept in [0, 1, 4, len(data) - 1, *range(10, len(data), len(data) // 15)]:
        half.write_bytes(data[:kept])
        with pytest.raises(FileError, match=r"half\.zip"):
            Assistant.restore(half, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_changed_byte_is_noticed_or_means_nothing(assistant: Assistant, tmp_path: Path) -> None:
    data = assistant.backup(tmp_path / "b.zip").file.read_bytes()
    before, noticed = state(assistant), 0
    changed = tmp_path / "changed.zip"
    for place in range(0, len(data), len(data) // 60):
        changed.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        again = tmp_path / f"again{place}"
        try:
            Assistant.restore(changed, again)
        except FileError:
            noticed += 1
            assert not again.exists()
        else:
            with opened(again) as restored:
                assert state(restored) == before
    assert noticed > 50


def test_what_is_no_backup_is_said_so(assistant: Assistant, tmp_path: Path) -> None:
    shared = assistant.export_collection(tmp_path / "s.zip").file
    with pytest.raises(FileError, match="footnoted import"):
        Assistant.restore(shared, tmp_path / "again")
    for place in (tmp_path / "first.jsonl", tmp_path / "nothing.zip", tmp_path):
        with pytest.raises(FileError, match="cannot be read"):
            Assistant.restore(place, tmp_path / "again")


def test_the_manifest_names_what_is_in_the_file(assistant: Assistant, tmp_path: Path) -> None:
    manifest = json.loads(members_of(assistant.backup(tmp_path / "b.zip").file)["manifest.json"])
    identity = assistant.identity()
    assert manifest["format"] == 1
    assert manifest["fingerprint"] == identity["fingerprint"]
    assert manifest["embedder"]["embedder"] == identity["embedder"] == "stand-in"
    assert manifest["counts"]["papers"] == 3
