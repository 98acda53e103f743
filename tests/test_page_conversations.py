"""What becomes of a conversation when answers fail, meet, or are asked anew."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from rag.store.history import History, UnknownAnswerError, UnknownConversationError
from tests.hostile import read
from tests.makers import ROOT
from tests.scripted import Scripted
from tests.test_page_html import PAPER, answer_of
from ui.page import turns
from ui.page.blocks import MOST_SESSIONS
from ui.page.chat import Asker, Chat, Shown
from ui.page.examples import Examples
from ui.page.serving import Serving
from ui.page.site import AT_ONCE, Site
from ui.page.talks import MAX_TURNS_IN_MEMORY, Talk, Talks

ALICE = Asker("tab-1", "a" * 64, "10.0.0.1")
OTHER_TAB = Asker("tab-2", "a" * 64, "10.0.0.1")
GENEGPT = "What is GeneGPT?"
SLOW = "Tell me slowly"


@pytest.fixture
def site(sample_home: Path, tmp_path: Path) -> Iterator[Site]:
    history = History(tmp_path)
    with Scripted.open(
        sample_home / "sample", create=False, crossencoder="none", history=False
    ) as assistant:
        yield Site.of(assistant, history, Serving(rate=1000, at_once=100))
    history.close()


@pytest.fixture
def chat(site: Site) -> Chat:
    return Chat(site, Examples(site.assistant))


def last(steps: Iterator[Shown]) -> Shown:
    *_, end = steps
    return end


def ask(chat: Chat, question: str, place: str = "", *, again: bool = False) -> Shown:
    return last(chat.ask(question, place, ALICE, again=again))


def asked(site: Site, place: str) -> list[str]:
    """The questions of a conversation as they are kept."""
    return [turn.answer.question for turn in Talks(site.history).talk(place, ALICE.owner).turns]


def stopped(chat: Chat, question: str, place: str, *, again: bool = False) -> Shown:
    """The end of a question that is stopped while its answer is written."""
    steps = chat.ask(question, place, ALICE, again=again)
    while "word" not in (next(steps).current or ""):
        pass
    chat.stop(ALICE)
    return last(steps)


@pytest.mark.parametrize("again", [False, True])
def test_a_question_without_an_answer_is_asked_again_by_its_own_words(again: bool) -> None:
    now = turns.Progress('Why "so" slow?')
    for html in (turns.stopped(now, 2, again=again), turns.failed(now, 2, "no", again=again)):
        flag = "yes" if again else "no"
        for do in ("ask", "edit"):
            button = f'data-do="{do}" data-text="Why &#34;so&#34; slow?" data-again="{flag}"'
            assert button in html
        assert "retry" not in html


def test_what_is_asked_after_a_stop_replaces_nothing(chat: Chat, site: Site) -> None:
    place = ask(chat, GENEGPT).place or ""
    end = stopped(chat, SLOW, place)
    assert 'data-again="no"' in (end.current or "")
    ask(chat, "Which papers study grokking?", place)
    assert asked(site, place) == [GENEGPT, "Which papers study grokking?"]


@pytest.mark.parametrize("question", [SLOW, "Why is it breaking?"])
def test_an_answer_stays_in_sight_when_the_one_in_its_place_does_not_come(
    chat: Chat, site: Site, question: str
) -> None:
    place = ask(chat, GENEGPT).place or ""
    again = {"again": True}
    end = (
        stopped(chat, question, place, **again)
        if question == SLOW
        else ask(chat, question, place, **again)
    )
    assert GENEGPT in read(end.past or "")[1]
    assert 'data-turn="2"' in (end.current or "")
    assert 'data-again="yes"' in (end.current or "")
    assert asked(site, place) == [GENEGPT]


def test_an_answer_that_was_replaced_does_not_come_back_because_of_feedback(
    chat: Chat, site: Site
) -> None:
    place = ask(chat, GENEGPT).place or ""
    old = site.talks.talk(place, ALICE.owner).turns[0].answer.id or ""
    site.talks.say(old, good=False, comment="wrong paper", owner=ALICE.owner)
    ask(chat, "How accurate is GeneGPT?", place, again=True)
    assert asked(site, place) == ["How accurate is GeneGPT?"]
    assert site.history.answer(old, exact=True).conversation is None
    assert [said.answer for said in site.history.feedback()] == [old]


def test_the_old_answer_is_kept_when_the_new_one_cannot_be(chat: Chat, site: Site) -> None:
    place = ask(chat, GENEGPT).place or ""
    talk = site.talks.talk(place, ALICE.owner)

    class Full(Talks):
        def record(self, answer: object, talk: object) -> object:  # type: ignore[override]
            from rag.errors import StorageError

            raise StorageError("the disk is full")

    full = Full(site.history)
    full._remember(talk, ALICE.owner)
    chat = Chat(replace(site, talks=full), Examples(site.assistant))
    end = ask(chat, "How accurate is GeneGPT?", place, again=True)
    assert "This answer is not kept: the disk is full" in (end.current or "")
    assert asked(site, place) == [GENEGPT]


def test_a_conversation_that_is_deleted_meanwhile_does_not_come_back(
    chat: Chat, site: Site
) -> None:
    place = ask(chat, GENEGPT).place or ""
    with ExitStack() as held:
        for _ in range(AT_ONCE):
            held.enter_context(site.places.taken(1, lambda: False))
        steps = chat.ask("How well does it do?", place, ALICE)
        next(steps)

        def forget() -> None:
            site.talks.forget(place, ALICE.owner)
            held.close()

        threading.Timer(0.3, forget).start()
        end = last(steps)
    assert end.place == ""
    assert end.past == ""
    assert "not kept: there is no conversation" in read(end.current or "")[1]
    with pytest.raises(UnknownConversationError):
        site.talks.talk(place, ALICE.owner)


def test_of_two_questions_at_once_in_a_conversation_none_is_lost(chat: Chat, site: Site) -> None:
    place = ask(chat, GENEGPT).place or ""
    questions = [f"How does GeneGPT use NCBI, take {n}?" for n in range(4)]
    askers = [Asker(f"tab-{n}", ALICE.owner, ALICE.client) for n in range(4)]
    ends: list[Shown] = []

    def go(question: str, asker: Asker) -> None:
        ends.append(last(chat.ask(question, place, asker)))

    threads = [
        threading.Thread(target=go, args=pair) for pair in zip(questions, askers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked(site, place)[1:]) == questions
    talk = site.talks.talk(place, ALICE.owner)
    assert [turn.answer.question for turn in talk.turns] == asked(site, place)
    assert sorted((end.current or "").split('data-turn="')[1][0] for end in ends) == list("2345")


def test_who_opens_something_else_sees_no_more_of_what_was_running(chat: Chat, site: Site) -> None:
    place = ask(chat, GENEGPT).place or ""
    steps = chat.ask(SLOW, place, ALICE)
    shown: list[Shown] = []
    opened = threading.Event()

    def show() -> None:
        for step in steps:
            shown.append(step)
            if "word" in (step.current or ""):
                opened.set()

    thread = threading.Thread(target=show)
    thread.start()
    assert opened.wait(10)
    assert "start" in (chat.opened("", ALICE).current or "")
    before = len(shown)
    thread.join(10)
    assert not thread.is_alive()
    assert shown[before - 1 :][-1] == Shown()
    assert all(step == Shown() for step in shown[before:])
    assert asked(site, place) == [GENEGPT]


def test_a_question_can_be_stopped_while_it_waits_for_a_place(chat: Chat, site: Site) -> None:
    place = ask(chat, GENEGPT).place or ""
    with ExitStack() as held:
        for _ in range(AT_ONCE):
            held.enter_context(site.places.taken(1, lambda: False))
        steps = chat.ask("How well does it do?", place, ALICE)
        assert "Waiting" in (next(steps).current or "")
        threading.Timer(0.2, lambda: chat.stop(ALICE)).start()
        assert 'class="turn stopped"' in (last(steps).current or "")
    assert site.places._free == AT_ONCE


def test_a_question_can_be_stopped_while_another_of_its_conversation_is_answered(
    chat: Chat, site: Site
) -> None:
    place = ask(chat, GENEGPT).place or ""
    first = chat.ask(SLOW, place, ALICE)
    while "word" not in (next(first).current or ""):
        pass
    second = chat.ask("How well does it do?", place, OTHER_TAB)
    next(second)
    threading.Timer(0.2, lambda: chat.stop(OTHER_TAB)).start()
    assert 'class="turn stopped"' in (last(second).current or "")
    assert "word" in (next(first).current or ""), "that of the other tab goes on"
    chat.stop(ALICE)
    last(first)


def test_what_ended_does_not_take_what_runs_after_it_along(chat: Chat) -> None:
    first = chat.ask(SLOW, "", ALICE)
    next(first)
    second = chat.ask(SLOW, "", ALICE)
    next(second)
    first.close()  # type: ignore[attr-defined]
    chat.stop(ALICE)
    assert 'class="turn stopped"' in (last(second).current or "")


def test_a_record_that_cannot_be_read_is_told(chat: Chat, site: Site, tmp_path: Path) -> None:
    import sqlite3

    place = ask(chat, GENEGPT).place or ""
    with sqlite3.connect(site.history.path) as connection:
        connection.execute('UPDATE answers SET record = \'{"format": "none"}\'')
    connection.close()
    fresh = Chat(Site.of(site.assistant, site.history, Serving()), Examples(site.assistant))
    for shown in (fresh.opened(place, ALICE), last(fresh.ask("And?", place, ALICE))):
        assert "expected" in read(shown.current or "")[1]
        assert shown.busy is False


def test_errors_do_not_say_where_things_lie(site: Site) -> None:
    with pytest.raises(UnknownAnswerError) as caught:
        site.history.answer("nothing", exact=True)
    assert str(site.history.path.parent) in str(caught.value)
    told = site.told(caught.value)
    assert str(site.history.path.parent) not in told
    assert "history.sqlite3" in told


def test_only_so_many_turns_are_held_in_memory(tmp_path: Path) -> None:
    history = History(tmp_path)
    talks = Talks(history)
    places = []
    for _ in range(6):
        talk = Talk(talks.begin("a" * 64))
        for _ in range(100):
            answer = talks.record(answer_of(PAPER), talk)
            talk = talks.add(talk, answer, "a" * 64)
        places.append(talk.id or "")
    held = sum(len(talk.turns) for talk in talks._latest.values())
    assert 0 < held <= MAX_TURNS_IN_MEMORY < 600
    assert len(talks.talk(places[0], "a" * 64).turns) == 100, "the others are read again"
    history.close()


def test_the_server_holds_no_more_after_many_questions_and_few_sessions(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.sessions", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    values = json.loads(done.stdout)
    assert values["components after 3 questions"] == values["components after 1 question"]
    assert values["sessions"] == MOST_SESSIONS
