from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from rag.events import Event, Finished, Pending
from tests.test_page_html import PAPER, answer_of
from ui.page.limits import TooManyError
from ui.page.live import Live, TookTooLongError
from ui.page.waiting import OneByOne, Places


def never() -> bool:
    return False


def test_a_place_is_given_back() -> None:
    places = Places(1, 0, "full")
    for _ in range(3):
        with places.taken(0, never):
            pass
    with places.taken(0, never), pytest.raises(TooManyError, match="full"):
        places.taken(0, never).__enter__()


def test_only_so_many_may_wait() -> None:
    places = Places(1, 2, "full")
    results: list[str] = []

    def wait() -> None:
        with places.taken(10, never):
            results.append("in")

    with places.taken(0, never):
        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        while len(places._waiting) < 2:
            time.sleep(0.001)
        with pytest.raises(TooManyError, match="full"), places.taken(10, never):
            pass
    for thread in threads:
        thread.join()
    assert results == ["in", "in"]


def test_who_came_first_is_served_first() -> None:
    places = Places(1, 10, "full")
    order: list[int] = []

    def wait(number: int) -> None:
        with places.taken(10, never):
            order.append(number)

    threads = []
    with places.taken(0, never):
        for number in range(5):
            threads.append(threading.Thread(target=wait, args=(number,)))
            threads[-1].start()
            while len(places._waiting) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(5))


def test_who_is_stopped_goes_on_without_a_place() -> None:
    places = Places(1, 1, "full")
    stopped = threading.Event()
    with places.taken(0, never):
        threading.Timer(0.1, stopped.set).start()
        with places.taken(10, stopped.is_set):
            assert places._free == 0
    assert places._free == 1


def test_different_names_do_not_wait_for_each_other_and_nothing_is_left_behind() -> None:
    one = OneByOne("busy")
    again = one.turn("a", 0, never)
    with (
        one.turn("a", 0, never),
        one.turn("b", 0, never),
        pytest.raises(TooManyError, match="busy"),
        again,
    ):
        pass
    with one.turn("a", 0, never):
        pass
    assert one._known == {}


def test_the_time_limit_holds_while_events_flow() -> None:
    over = threading.Event()

    def flood() -> Generator[Event, None, None]:
        while not over.is_set():
            yield Pending("x")

    live = Live(flood, 0.3)
    threading.Timer(3, live.stop).start()

    def read() -> None:
        for _ in live.batches():
            live._queue.put(Pending("there is always more"))

    with pytest.raises(TookTooLongError):
        read()
    over.set()


def test_an_answer_that_was_there_in_time_is_given_to_a_slow_reader() -> None:
    shown, written = threading.Event(), threading.Event()

    def events() -> Generator[Event, None, None]:
        yield Pending("x")
        assert shown.wait(5)
        yield Pending("y")
        yield Finished(answer_of(PAPER))
        written.set()

    batches = Live(events, 1).batches()
    next(batches)
    shown.set()
    assert written.wait(5)
    time.sleep(1)
    assert isinstance(list(batches)[-1][-1], Finished)


def test_what_is_stopped_before_it_began_never_begins() -> None:
    begun = threading.Event()

    def events() -> Generator[Event, None, None]:
        begun.set()
        yield Pending("x")

    live = Live(events, 60)
    live.stop()
    assert list(live.batches()) == []
    assert not begun.is_set()
