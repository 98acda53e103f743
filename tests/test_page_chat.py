from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from rag.errors import DamagedError, UnknownPaperError, WeightsError
from rag.events import Event, Pending
from rag.schema import Answer, Filters
from rag.store.history import History, UnknownAnswerError, UnknownConversationError
from tests.makers import SAMPLE
from tests.scripted import Scripted
from ui.page.app import warm
from ui.page.chat import Asker, Chat, Shown
from ui.page.choices import Choices
from ui.page.examples import Examples
from ui.page.library import Library, Wanted
from ui.page.live import EVERY_S, Live, TookTooLongError
from ui.page.serving import Serving
from ui.page.site import Site
from ui.page.start import Holdings

ALICE = Asker("tab-1", "a" * 64, "10.0.0.1")
BOB = Asker("tab-2", "b" * 64, "10.0.0.2")
GENEGPT = "What is GeneGPT?"


@pytest.fixture
def assistant(sample_home: Path) -> Iterator[Scripted]:
    with Scripted.open(
        sample_home / "sample", create=False, crossencoder="none", history=False
    ) as opened:
        yield opened


@pytest.fixture
def site(assistant: Scripted, tmp_path: Path) -> Iterator[Site]:
    history = History(tmp_path)
    yield Site.of(assistant, history, Serving(rate=1000))
    history.close()


@pytest.fixture
def chat(site: Site) -> Chat:
    return Chat(site, Examples(site.assistant))


def last(steps: Iterator[Shown]) -> Shown:
    *_, end = steps
    return end


def ask(chat: Chat, question: str, place: str = "", asker: Asker = ALICE) -> Shown:
    return last(chat.ask(question, place, asker))


def test_an_answer_is_shown_in_stages_and_kept(chat: Chat, site: Site) -> None:
    first, *rest = chat.ask(GENEGPT, "", ALICE)
    assert first.busy is True
    assert "Waiting" in (first.current or "")
    end = rest[-1]
    assert end.busy is False
    assert 'class="turn answered"' in (end.current or "")
    assert end.place
    [turn] = site.talks.talk(end.place, ALICE.owner).turns
    assert turn.answer.question == GENEGPT
    assert site.history.answer(turn.answer.id or "", exact=True)


def test_a_conversation_survives_the_server_and_is_its_owners_alone(
    chat: Chat, site: Site, assistant: Scripted
) -> None:
    place = ask(chat, GENEGPT).place or ""
    ask(chat, "How well does it do?", place)
    history = History(site.history.path.parent)
    again = Site.of(assistant, history, Serving())
    talk = again.talks.talk(place, ALICE.owner)
    assert [turn.answer.question for turn in talk.turns] == [GENEGPT, "How well does it do?"]
    assert talk.numbers == site.talks.talk(place, ALICE.owner).numbers
    with pytest.raises(UnknownConversationError):
        again.talks.talk(place, BOB.owner)
    assert again.talks.listed(BOB.owner) == []
    history.close()


def test_numbers_stay_the_same_over_a_conversation(chat: Chat, site: Site) -> None:
    place = ask(chat, GENEGPT).place or ""
    ask(chat, "Which papers study grokking?", place)
    ask(chat, "How does GeneGPT use NCBI?", place)
    numbers: dict[str, set[int]] = {}
    for turn in site.talks.talk(place, ALICE.owner).turns:
        for citation in turn.answer.citations:
            numbers.setdefault(citation.paper.id, set()).add(citation.number)
    assert all(len(found) == 1 for found in numbers.values())
    assert len({min(found) for found in numbers.values()}) == len(numbers)


def test_another_ones_conversation_is_told_apart_and_nothing_of_it_shown(chat: Chat) -> None:
    place = ask(chat, GENEGPT).place or ""
    for shown in (chat.opened(place, BOB), last(chat.ask("And?", place, BOB))):
        assert "GeneGPT" not in (shown.past or "")
        assert "there is no conversation" in (shown.current or "")
        assert shown.place == ""


def test_asking_again_replaces_the_last_answer(chat: Chat, site: Site) -> None:
    place = ask(chat, GENEGPT).place or ""
    old = site.talks.talk(place, ALICE.owner).turns[0].answer.id or ""
    shown = last(chat.ask("", place, ALICE, again=True))
    assert shown.place == place
    [turn] = site.talks.talk(place, ALICE.owner).turns
    assert turn.answer.question == GENEGPT
    with pytest.raises(UnknownAnswerError):
        site.history.answer(old, exact=True)


def test_an_edited_question_is_asked_in_its_place_and_feedback_outlasts_it(
    chat: Chat, site: Site
) -> None:
    place = ask(chat, GENEGPT).place or ""
    old = site.talks.talk(place, ALICE.owner).turns[0].answer.id or ""
    site.talks.say(old, good=False, comment="wrong paper", owner=ALICE.owner)
    assert chat.last_question(place, ALICE) == GENEGPT
    last(chat.ask("How accurate is GeneGPT?", place, ALICE, again=True))
    [said] = site.history.feedback()
    assert (said.answer, said.comment) == (old, "wrong paper")


def test_what_a_reader_said_is_shown_when_the_conversation_is_opened_again(
    chat: Chat, site: Site
) -> None:
    place = ask(chat, GENEGPT).place or ""
    answer = site.talks.talk(place, ALICE.owner).turns[0].answer
    site.talks.say(answer.id or "", good=False, comment="too long", owner=ALICE.owner)
    html = chat.opened(place, ALICE).current or ""
    assert 'data-good="no" aria-pressed="true"' in html
    assert "too long" in html


def test_stopping_ends_an_answer_and_keeps_nothing_of_it(chat: Chat, site: Site) -> None:
    steps = chat.ask("Tell me slowly", "", ALICE)
    next(steps)
    next(steps)
    started = time.monotonic()
    chat.stop(ALICE)
    end = last(steps)
    assert time.monotonic() - started < 5
    assert 'class="turn stopped"' in (end.current or "")
    assert end.busy is False
    assert site.talks.listed(ALICE.owner) == []


def test_one_tab_does_not_stop_another(chat: Chat) -> None:
    steps = chat.ask("Tell me slowly", "", ALICE)
    next(steps)
    chat.stop(BOB)
    assert "word" in (next(steps).current or "") or "word" in (next(steps).current or "")
    chat.stop(ALICE)


def test_an_error_is_told_in_its_words_and_the_place_is_free_again(chat: Chat) -> None:
    end = ask(chat, "Why is it breaking?")
    assert "the endpoint did not answer; is it running?" in (end.current or "")
    assert 'class="turn error"' in (end.current or "")
    assert ask(chat, "?!").busy is False
    assert 'class="turn answered"' in (ask(chat, GENEGPT).current or "")


def test_more_than_a_client_may_ask_is_refused_in_words(
    assistant: Scripted, tmp_path: Path
) -> None:
    site = Site.of(assistant, History(tmp_path), Serving(rate=1))
    chat = Chat(site, Examples(assistant))
    ask(chat, GENEGPT)
    assert "too much was asked" in (ask(chat, GENEGPT).current or "")
    assert 'class="turn answered"' in (ask(chat, GENEGPT, asker=BOB).current or "")


def test_filters_narrow_what_is_looked_at(chat: Chat) -> None:
    nowhere = Filters(source="no such file")
    html = last(chat.ask(GENEGPT, "", ALICE, Choices(nowhere))).current or ""
    assert 'class="turn declined"' in html


def test_an_answer_that_cannot_be_kept_is_shown_with_a_warning(
    assistant: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "history.sqlite3").write_bytes(b"not a database at all" * 50)
    chat = Chat(Site.of(assistant, History(tmp_path), Serving()), Examples(assistant))
    first = ask(chat, GENEGPT)
    assert "This answer is not kept" in (first.current or "")
    assert "From “GeneGPT" in (first.current or "")
    second = ask(chat, "How well does it do?", first.place or "")
    assert "Searched for" in (second.current or ""), "the conversation goes on in memory"


def test_a_time_limit_ends_an_answer() -> None:
    def endless() -> Generator[Event, None, None]:
        time.sleep(5)
        yield Pending("late")

    with pytest.raises(TookTooLongError, match=r"0\.2 s"):
        list(Live(endless, 0.2).batches())


def test_the_work_ends_when_nobody_looks_any_more() -> None:
    closed = threading.Event()

    def events() -> Generator[Event, None, None]:
        try:
            while True:
                time.sleep(0.01)
                yield Pending("x")
        finally:
            closed.set()

    live = Live(events, 60)
    batches = live.batches()
    next(batches)
    batches.close()
    assert closed.wait(5)


def test_pieces_come_in_batches() -> None:
    def events() -> Generator[Event, None, None]:
        for _ in range(200):
            yield Pending("x")
            time.sleep(0.001)
        raise UnknownPaperError("at the end")

    sizes: list[int] = []
    with pytest.raises(UnknownPaperError):
        sizes.extend(map(len, Live(events, 60).batches()))
    assert sum(sizes) == 200
    assert len(sizes) < 50


def test_what_was_told_before_the_work_ended_is_not_lost_on_a_slow_reader() -> None:
    ended = threading.Event()

    def events() -> Generator[Event, None, None]:
        yield Pending("first")
        time.sleep(2 * EVERY_S)
        for _ in range(3):
            yield Pending("later")
        ended.set()

    told = 0
    for batch in Live(events, 60).batches():
        told += len(batch)
        ended.wait(5)
        time.sleep(0.05)  # the thread has run to its end
    assert told == 4


def test_papers_are_added_listed_and_removed(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    file = uploads / "bees.jsonl"
    file.write_text('{"title": "Bees", "abstract": "Bees dance."}\n{"title": "No abstract"}\n')
    with Scripted.open(tmp_path / "c", crossencoder="none", history=False) as assistant:
        site = Site.of(assistant, History(tmp_path), Serving())
        library = Library(site, uploads)
        end = list(library.add([str(file)], "Ants\n\nAnts follow trails.", "tab"))[-1]
        assert end.done
        assert "2 added" in end.html
        assert "bees.jsonl:2" in end.html
        assert not file.exists()
        assert "<b>2</b> papers" in library.figures()
        assert "Ants" in library.listed(Wanted("trails of ants"), "me")
        bees = assistant.paper("Bees")
        assert "Removed: Bees" in library.remove(bees.id)
        assert "Bees" not in library.listed(Wanted(), "me")
        assert "no paper" in library.remove(bees.id)


def test_only_uploaded_files_are_added_and_deleted(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"title": "Secret", "abstract": "Not for you."}\n')
    (tmp_path / "uploads").mkdir()
    with Scripted.open(tmp_path / "c", crossencoder="none", history=False) as assistant:
        library = Library(Site.of(assistant, History(tmp_path), Serving()), tmp_path / "uploads")
        assert "nothing is chosen" in list(library.add([str(secret)], "", "tab"))[-1].html
        assert secret.exists()
        assert assistant.counts()["papers"] == 0


@pytest.mark.parametrize("text", ["only a title", "   ", "x" * 1_000_001 + "\ny"])
def test_pasted_text_that_is_no_paper_is_refused_in_words(tmp_path: Path, text: str) -> None:
    with Scripted.open(tmp_path / "c", crossencoder="none", history=False) as assistant:
        library = Library(Site.of(assistant, History(tmp_path), Serving()), tmp_path)
        assert "Not added" in list(library.add([], text, "tab"))[-1].html


def test_an_add_can_be_cancelled_and_what_was_added_stays(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    files = []
    for page in sorted(SAMPLE.iterdir()):
        copy = uploads / page.name
        copy.write_bytes(page.read_bytes())
        files.append(str(copy))
    with Scripted.open(tmp_path / "c", crossencoder="none", history=False) as assistant:
        library = Library(Site.of(assistant, History(tmp_path), Serving()), uploads)
        steps = library.add(files, "", "tab")
        next(steps)
        library.cancel("tab")
        end = list(steps)[-1]
        assert "Cancelled" in end.html
        assert not end.done
        assert assistant.counts()["papers"] > 0
        assert len(list(uploads.iterdir())) == len(files), "they can be added again"
        assert list(library.add(files, "", "tab"))[-1].done
        assert list(uploads.iterdir()) == []


def test_a_collection_that_is_read_only_is_not_changed(assistant: Scripted, tmp_path: Path) -> None:
    site = Site.of(assistant, History(tmp_path), Serving(read_only=True))
    library = Library(site, tmp_path)
    held = next(assistant.papers())
    assert "read only" in library.remove(held.id)
    assert "read only" in list(library.add([], "Ants\nAnts walk.", "tab"))[-1].html
    assert "data-do" not in library.listed(Wanted(count=500), "me")


def test_example_questions_are_answered_by_the_collection(assistant: Scripted) -> None:
    examples = Examples(assistant)
    examples.try_out()
    held = examples.holdings()
    assert held.papers == 306
    assert len(held.examples) == 4
    for question in held.examples:
        assert assistant.ask(question).declined is None


class Unusable(Scripted):
    """An assistant whose models cannot be used, the first few times that it is asked."""

    failures = 0

    def ask(self, question: str, **given: Any) -> Answer:  # noqa: ANN401
        if self.failures:
            self.failures -= 1
            raise WeightsError("the weights are gone")
        return super().ask(question, **given)


def test_the_site_is_not_ready_before_its_models_answer(sample_home: Path, tmp_path: Path) -> None:
    history = History(tmp_path)
    with Unusable.open(
        sample_home / "sample", create=False, crossencoder="none", history=False
    ) as assistant:
        assistant.failures = 2
        site = Site.of(assistant, history, Serving())
        pauses: list[bool] = []
        warm(site, Examples(assistant), lambda _: pauses.append(site.ready.is_set()))
        assert pauses == [False, False]
        assert site.ready.is_set()
    history.close()


def test_an_empty_collection_tries_its_models_too(tmp_path: Path) -> None:
    with Unusable.open(tmp_path / "c", crossencoder="none", history=False) as assistant:
        examples = Examples(assistant)
        examples.try_out()
        assistant.failures = 1
        with pytest.raises(WeightsError):
            examples.try_out()


class Unreadable(Examples):
    """Examples of a collection that cannot be read."""

    def holdings(self) -> Holdings:
        raise DamagedError("the catalog is damaged")


def test_a_page_is_opened_even_where_the_collection_cannot_be_read(site: Site) -> None:
    shown = Chat(site, Unreadable(site.assistant)).opened("", ALICE)
    assert "the catalog is damaged" in (shown.current or "")
    assert shown.busy is False
