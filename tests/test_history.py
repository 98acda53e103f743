from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import (
    CollectionError,
    DamagedError,
    ForeignError,
    InputError,
    LockedError,
    StorageError,
)
from rag.records import answer_from_json
from rag.schema import Answer, Citation, Claim, DeclineReason, Paper, Status, Verdict
from rag.store.history import (
    MAX_COMMENT_CHARS,
    History,
    Summary,
    UnknownAnswerError,
    UnknownConversationError,
)
from tests.makers import ROOT

PAPER = Paper("p1", "Müller’s way", "Models learn. They forget too.", ("Ann Lee",), 2023)
CLAIM = Claim("Models do.", (Citation(1, PAPER, 0, 0, 13),), Verdict(Status.SUPPORTED, "T0", "r"))
OWNER = "browser-one"


def answer(question: str = "Who learns?", **fields: object) -> Answer:
    made = Answer(question, question, (CLAIM,), None, "", (), (), "extractive")
    return replace(made, **fields)  # type: ignore[arg-type]


def write_answers(directory: str, name: str, count: int) -> None:
    """What a writer process does: it says the id of each answer that was kept."""
    history = History(Path(directory), wait_s=60)
    for number in range(count):
        print(history.record(answer(f"{name} {number}")), flush=True)
    history.close()


def writer(directory: Path, name: str, count: int) -> subprocess.Popen[str]:
    code = f"from tests.test_history import write_answers as w; w({str(directory)!r}, {name!r}, "
    return subprocess.Popen(
        [sys.executable, "-c", f"{code}{count})"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path)
    yield made
    made.close()


def everything(history: History) -> list[Summary]:
    return history.answers(limit=100_000)


def on_disk(history: History) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(history.path.parent.glob("history.*")))


class TestAnswers:
    def test_reading_makes_no_file(self, history: History) -> None:
        assert everything(history) == []
        assert history.conversations(OWNER) == []
        assert history.feedback() == []
        for look in (history.answer, history.forget):
            with pytest.raises(UnknownAnswerError, match="footnoted answers"):
                look("01abc")
        with pytest.raises(UnknownAnswerError):
            history.give_feedback("01abc", good=True)
        history.close()
        assert list(history.path.parent.iterdir()) == []

    def test_the_record_is_the_answer_with_id_and_time_put_in(self, tmp_path: Path) -> None:
        history = History(tmp_path, now=lambda: datetime(2026, 11, 3, 9, 5, tzinfo=UTC))
        asked = answer(model="openai:m", prompts=("answer@1",))
        id_ = history.record(asked)
        kept = history.answer(id_)
        assert list(kept.values)[:3] == ["format", "id", "time"]
        assert kept.values["time"] == kept.time == "2026-11-03T09:05:00.000+00:00"
        assert kept.values["id"] == kept.id == id_
        without = {key: value for key, value in kept.values.items() if key != "time"}
        assert without == json.loads(replace(asked, id=id_).to_json())
        assert kept.values == json.loads(kept.text)
        assert answer_from_json(kept.text) == replace(asked, id=id_)
        history.close()

    def test_a_summary_says_what_it_was(self, history: History) -> None:
        reason = DeclineReason.NOT_IN_COLLECTION
        id_ = history.record(answer("Why?", claims=(), declined=reason, model="openai:m"))
        (summary,) = everything(history)
        assert summary == Summary(
            id_, summary.time, "Why?", "extractive", "openai:m", "not_in_collection", None
        )

    def test_answers_come_newest_first_and_page_by_page(self, history: History) -> None:
        made = [history.record(answer(f"Q{number}")) for number in range(7)]
        pages: list[str] = []
        while page := history.answers(limit=3, before=pages[-1] if pages else None):
            pages += [summary.id for summary in page]
        assert pages == made[::-1]

    def test_pages_go_on_from_an_answer_that_was_forgotten(self, history: History) -> None:
        made = [history.record(answer(f"Q{number}")) for number in range(3)]
        history.forget(made[1])
        assert [found.id for found in history.answers(limit=3, before=made[1])] == made[:1]

    def test_ids_grow_when_the_clock_is_set_back(self, tmp_path: Path) -> None:
        times = iter([timedelta(0), timedelta(days=-1), timedelta(0), timedelta(days=1)])
        history = History(tmp_path, now=lambda: datetime(2026, 11, 3, tzinfo=UTC) + next(times))
        made = [history.record(answer()) for _ in range(4)]
        assert made == sorted(made)
        assert {len(id_) for id_ in made} == {19}
        assert [found.time[:10] for found in everything(history)][2] == "2026-11-02"
        history.close()

    @pytest.mark.parametrize("search", ["learns", "WHO", "müller", "muller who", "models do"])
    def test_search_looks_at_question_and_text(self, history: History, search: str) -> None:
        found = history.record(answer("Who learns, Müller?"))
        history.record(answer("Why?", claims=()))
        assert [summary.id for summary in history.answers(limit=9, search=search)] == [found]

    @pytest.mark.parametrize(
        "search", ["%", "_", "who nobody", "'; DROP TABLE answers; --", "\ud800"]
    )
    def test_search_takes_every_character_as_it_is(self, history: History, search: str) -> None:
        history.record(answer())
        assert history.answers(limit=9, search=search) == []
        assert len(everything(history)) == 1

    def test_an_empty_search_finds_everything(self, history: History) -> None:
        history.record(answer())
        assert len(history.answers(limit=9, search="  ")) == 1


class TestLookingUp:
    def test_the_beginning_of_an_id_will_do(self, tmp_path: Path) -> None:
        times = iter([datetime(2026, 11, 3, tzinfo=UTC), datetime(2027, 11, 3, tzinfo=UTC)])
        history = History(tmp_path, now=lambda: next(times))
        first, second = history.record(answer("One?")), history.record(answer("Two?"))
        length = next(n for n in range(1, 20) if first[:n] != second[:n])
        assert history.answer(second[:length]).id == second
        assert history.answer(f" {first.upper()} ").id == first
        history.close()

    def test_letters_taken_for_digits_are_understood(self, history: History) -> None:
        id_ = history.record(answer())
        assert history.answer(id_.replace("0", "O").replace("1", "l")).id == id_

    def test_a_beginning_of_several_ids_is_told(self, history: History) -> None:
        made = [history.record(answer()) for _ in range(7)]
        with pytest.raises(
            UnknownAnswerError, match=r"several answers .* give more of it"
        ) as caught:
            history.answer(made[0][:2])
        assert made[6] in str(caught.value)
        assert made[0] not in str(caught.value)

    def test_an_exact_look_up_takes_no_beginning(self, history: History) -> None:
        id_ = history.record(answer())
        assert history.answer(id_, exact=True).id == id_
        with pytest.raises(UnknownAnswerError):
            history.answer(id_[:-1], exact=True)

    @pytest.mark.parametrize(
        "name", ["", "  ", "%", "zz", "' OR 1=1 --", "\ud800", "x" * 9999, "\0"]
    )
    def test_what_is_no_id_is_unknown(self, history: History, name: str) -> None:
        history.record(answer())
        for look in (history.answer, history.forget):
            with pytest.raises(UnknownAnswerError) as caught:
                look(name)
            assert len(str(caught.value)) < 500


class TestForgetting:
    def test_what_is_forgotten_is_gone_from_the_disk(self, history: History) -> None:
        other = history.record(answer("Kept?"))
        id_ = history.record(answer("Embarrassing " * 1000))
        history.give_feedback(id_, good=False, comment="Humiliating")
        assert b"Embarrassing" in on_disk(history)
        history.forget(id_)
        assert b"mbarrassing" not in on_disk(history)
        assert b"Humiliating" not in on_disk(history)
        assert history.feedback() == []
        assert [summary.id for summary in everything(history)] == [other]

    def test_a_forgotten_conversation_takes_its_answers_along(self, history: History) -> None:
        mine, other = (history.start_conversation(OWNER) for _ in range(2))
        id_ = history.record(answer("Embarrassing"), conversation=mine)
        history.give_feedback(id_, good=True)
        kept = history.record(answer("Fine"), conversation=other)
        history.forget_conversation(mine, OWNER)
        assert [summary.id for summary in everything(history)] == [kept]
        assert [held.id for held in history.conversations(OWNER)] == [other]
        assert b"mbarrassing" not in on_disk(history)

    def test_no_answer_is_added_to_a_conversation_that_is_gone(self, history: History) -> None:
        mine = history.start_conversation(OWNER)
        history.forget_conversation(mine, OWNER)
        with pytest.raises(UnknownConversationError, match="begin a new one"):
            history.record(answer(), conversation=mine)
        assert everything(history) == []
        history.record(answer())
        assert len(everything(history)) == 1


class TestConversations:
    def test_they_are_listed_by_owner_the_latest_first(self, history: History) -> None:
        first, second, empty = (history.start_conversation(OWNER) for _ in range(3))
        foreign = history.start_conversation("browser-two")
        for question, conversation in (
            ("First?", first),
            ("Second?", second),
            ("Foreign?", foreign),
            ("More?", first),
        ):
            history.record(answer(question), conversation=conversation)
        listed = history.conversations(OWNER)
        assert [(held.id, held.title, held.answers) for held in listed] == [
            (first, "First?", 2),
            (second, "Second?", 1),
        ]
        assert listed[0].started <= listed[0].last
        assert empty not in {held.id for held in listed}

    def test_turns_come_in_order_and_to_their_owner_alone(self, history: History) -> None:
        mine = history.start_conversation(OWNER)
        made = [history.record(answer(f"Q{n}"), conversation=mine) for n in range(3)]
        assert [turn.id for turn in history.turns(mine, OWNER)] == made
        assert [found.id for found in history.answers(limit=9, conversation=mine)] == made[::-1]
        for owner in ("browser-two", "", "\ud800"):
            with pytest.raises(UnknownConversationError):
                history.turns(mine, owner)
            with pytest.raises(UnknownConversationError):
                history.forget_conversation(mine, owner)
        assert len(everything(history)) == 3

    def test_the_owners_token_is_not_stored(self, history: History) -> None:
        history.record(answer(), conversation=history.start_conversation("secret-token"))
        assert b"secret-token" not in on_disk(history)
        assert history.conversations("secret-token")

    @pytest.mark.parametrize("name", ["", "nope", "\ud800", "' OR 1=1 --"])
    def test_an_unknown_conversation_is_told(self, history: History, name: str) -> None:
        with pytest.raises(UnknownConversationError, match="no conversation"):
            history.record(answer(), conversation=name)


class TestFeedback:
    def test_later_feedback_replaces_earlier(self, history: History) -> None:
        first, second = history.record(answer("One?")), history.record(answer("Two?"))
        history.give_feedback(first, good=True, comment=" Nice. ")
        history.give_feedback(second, good=True)
        history.give_feedback(first, good=False, comment="Wrong\npaper.")
        said = [(f.answer, f.good, f.comment, f.question) for f in history.feedback()]
        assert said == [(second, True, "", "Two?"), (first, False, "Wrong\npaper.", "One?")]
        assert [f.answer for f in history.feedback(first)] == [first]

    def test_a_huge_comment_is_refused(self, history: History) -> None:
        id_ = history.record(answer())
        history.give_feedback(id_, good=True, comment="x" * MAX_COMMENT_CHARS)
        with pytest.raises(InputError, match=r"2,001 characters; at most 2,000"):
            history.give_feedback(id_, good=False, comment="x" * (MAX_COMMENT_CHARS + 1))
        assert history.feedback()[0].good

    @pytest.mark.parametrize("id_", ["", "0", "nope", "\ud800"])
    def test_feedback_needs_the_whole_id_of_an_answer(self, history: History, id_: str) -> None:
        history.record(answer())
        with pytest.raises(UnknownAnswerError):
            history.give_feedback(id_, good=True)
        assert history.feedback() == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    made = History(tmp_path_factory.mktemp("history"))
    yield made
    made.close()


@given(st.text(), st.text(max_size=50))
def test_any_text_goes_in_and_comes_out(shared: History, question: str, comment: str) -> None:
    id_ = shared.record(answer(question))
    shared.give_feedback(id_, good=True, comment=comment)
    assert answer_from_json(shared.answer(id_).text).question == question
    assert shared.answers(limit=1)[0].question == question
    assert shared.feedback(id_)[0].comment == comment.strip()
    assert id_ in {s.id for s in shared.answers(limit=1, search=question)}


@pytest.mark.parametrize("text", ["a\ud800b", "\udfff", "\\\ud800", '"\ud83d', "\0"])
def test_lone_surrogates_are_kept_in_the_record(history: History, text: str) -> None:
    id_ = history.record(answer(text, model=text, mode=text))
    history.give_feedback(id_, good=True, comment=text)
    kept = history.answer(id_)
    assert answer_from_json(kept.text) == answer(text, model=text, mode=text, id=id_)
    assert kept.text.encode()


class TestManyAtOnce:
    def test_threads_and_processes_lose_nothing(self, history: History) -> None:
        writers = [writer(history.path.parent, f"process {n}", 40) for n in range(3)]

        def write(name: int) -> list[str]:
            return [history.record(answer(f"thread {name} {n}")) for n in range(25)]

        with ThreadPoolExecutor(8) as pool:
            made = [id_ for ids in pool.map(write, range(8)) for id_ in ids]
        for process in writers:
            said, _ = process.communicate()
            assert process.returncode == 0
            made += said.split()
        assert len(made) == 8 * 25 + 3 * 40
        assert {summary.id for summary in everything(history)} == set(made)

    def test_histories_that_begin_at_once_make_one_file(self, tmp_path: Path) -> None:
        barrier = threading.Barrier(8)

        def begin(history: History) -> str:
            barrier.wait()
            return history.record(answer())

        with ThreadPoolExecutor(8) as pool:
            for attempt in range(20):
                directory = tmp_path / str(attempt)
                directory.mkdir()
                histories = [History(directory) for _ in range(8)]
                made = set(pool.map(begin, histories))
                assert len(made) == 8
                assert {summary.id for summary in everything(histories[0])} == made
                for history in histories:
                    history.close()

    def test_a_killed_writer_loses_nothing_it_had_said(self, history: History) -> None:
        said: list[str] = []
        for stop in (1, 7, 20):
            with writer(history.path.parent, "killed", 100_000) as process:
                assert process.stdout is not None
                lines = iter(process.stdout)
                said += [next(lines).strip() for _ in range(stop)]
                process.kill()
                said += [line.strip() for line in lines if line.endswith("\n")]
            assert process.returncode < 0
            assert {summary.id for summary in everything(history)} >= set(said)
            said.append(history.record(answer()))
        history.close()
        with closing(sqlite3.connect(history.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_a_writer_that_takes_too_long_is_told(self, tmp_path: Path) -> None:
        history = History(tmp_path, wait_s=0.05)
        kept = history.record(answer())
        with closing(sqlite3.connect(history.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LockedError, match="answers are not affected"):
                history.record(answer())
            assert [summary.id for summary in everything(history)] == [kept]
            other.execute("ROLLBACK")
        history.record(answer())
        assert len(everything(history)) == 2
        history.close()


def record_without_end(history: History, kept: list[str]) -> None:
    while True:
        kept.append(history.record(answer("long " * 400)))


def garbage(history: History) -> None:
    history.path.write_bytes(b"not a database at all " * 999)


def garbled_pages(history: History) -> None:
    contents = history.path.read_bytes()
    history.path.write_bytes(contents[:4096] + b"\xa5" * (len(contents) - 4096))


def cut_off(history: History) -> None:
    contents = history.path.read_bytes()
    history.path.write_bytes(contents[: len(contents) // 2])


class TestTroubleWithTheFile:
    @pytest.mark.parametrize("damage", [garbage, garbled_pages, cut_off])
    def test_a_damaged_history_is_told_and_can_be_begun_anew(
        self, history: History, damage: Callable[[History], None]
    ) -> None:
        for _ in range(20):
            history.record(answer())
        history.close()
        damage(history)
        with pytest.raises(DamagedError, match=r"Move history\.sqlite3.*papers and answers"):
            history.record(answer())
        with pytest.raises(DamagedError):
            history.answer(history.answers(limit=1)[0].id)
        for path in history.path.parent.glob("history.*"):
            path.rename(path.with_name(f"old-{path.name}"))
        id_ = history.record(answer())
        assert [summary.id for summary in everything(history)] == [id_]

    def test_a_damaged_record_is_told(self, history: History) -> None:
        id_ = history.record(answer())
        with closing(sqlite3.connect(history.path)) as connection, connection:
            connection.execute("UPDATE answers SET record = substr(record, 1, 99)")
        with pytest.raises(DamagedError, match=id_):
            history.answer(id_)

    def test_a_history_moved_away_in_use_is_not_written_on(self, history: History) -> None:
        history.record(answer("Old?"))
        history.path.rename(history.path.with_name("old"))
        assert everything(history) == []
        history.record(answer("New?"))
        assert [summary.question for summary in everything(history)] == ["New?"]

    def test_a_log_left_behind_is_not_played_into_a_new_history(self, tmp_path: Path) -> None:
        with writer(tmp_path, "killed", 100_000) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()
        assert (tmp_path / "history.sqlite3-wal").stat().st_size
        (tmp_path / "history.sqlite3").unlink()
        history = History(tmp_path)
        history.record(answer("New?"))
        assert [summary.question for summary in everything(history)] == ["New?"]
        history.close()

    def test_a_newer_layout_is_told_and_left_alone(self, history: History) -> None:
        history.record(answer())
        history.close()
        with closing(sqlite3.connect(history.path)) as connection:
            connection.execute("PRAGMA user_version=9")
        before = history.path.read_bytes()
        for use in (lambda: everything(history), lambda: history.record(answer())):
            with pytest.raises(ForeignError, match="layout 9, this version reads up to 1; update"):
                use()
        assert history.path.read_bytes() == before

    def test_a_file_of_something_else_is_told_and_left_alone(self, history: History) -> None:
        with closing(sqlite3.connect(history.path)) as connection, connection:
            connection.execute("CREATE TABLE notes(text)")
        with pytest.raises(ForeignError, match="not a history of Footnoted"):
            history.record(answer())
        with closing(sqlite3.connect(history.path)) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]

    def test_an_empty_file_is_a_history_that_was_about_to_begin(self, history: History) -> None:
        history.path.touch()
        assert everything(history) == []
        history.record(answer())
        assert len(everything(history)) == 1

    def test_a_directory_that_is_gone_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="--no-history"):
            History(tmp_path / "gone").record(answer())

    def test_a_directory_in_its_place_is_told(self, history: History) -> None:
        history.path.mkdir()
        for use in (lambda: everything(history), lambda: history.record(answer())):
            with pytest.raises(StorageError):
                use()

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a disk that is soon full")
    def test_a_full_disk_is_told_and_loses_nothing(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not permitted here")
        try:
            filler = disk / "filler"
            filler.write_bytes(bytes(100_000))
            history, kept = History(disk), list[str]()
            with pytest.raises(StorageError, match=r"disk has room.*answers are not affected"):
                record_without_end(history, kept)
            assert len(kept) > 3
            assert [summary.id for summary in everything(history)] == kept[::-1]
            filler.unlink()
            kept.append(history.record(answer()))
            assert [summary.id for summary in everything(history)] == kept[::-1]
            history.close()
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a disk that is full")
    def test_a_history_that_cannot_begin_on_a_full_disk_begins_later(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not permitted here")
        try:
            filler = disk / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(disk).free))
            history = History(disk)
            with pytest.raises(StorageError):
                history.record(answer())
            assert everything(history) == []
            filler.unlink()
            history.record(answer())
            assert len(everything(history)) == 1
            history.close()
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user who may not write")
    @pytest.mark.parametrize("begun", [True, False])
    def test_where_nothing_may_be_written_reading_goes_on(
        self, history: History, *, begun: bool
    ) -> None:
        if begun:
            history.record(answer())
            history.close()
        for path in history.path.parent.iterdir():
            path.chmod(0o444)
        history.path.parent.chmod(0o555)
        for parent in history.path.parent.parents:
            if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o055)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setuid(65534)
                found = len(everything(history))
                try:
                    history.record(answer())
                except StorageError:
                    code = 0 if found == begun == len(everything(history)) else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0


def test_every_trouble_can_be_caught_as_one() -> None:
    for error in (UnknownAnswerError, UnknownConversationError, StorageError, DamagedError):
        assert issubclass(error, CollectionError)
