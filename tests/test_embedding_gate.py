from __future__ import annotations

import threading
from collections.abc import Callable

import httpx
import openai
import pytest

from rag.models.chat.wire import Wire
from rag.models.gate import Gate
from rag.models.refusals import Refusal, refusal_of

PATIENCE_S = 30.0


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def beside(enter: Callable[[], bool]) -> tuple[threading.Thread, list[bool]]:
    """What entering gave, once the thread that tries to has ended."""
    given: list[bool] = []
    thread = threading.Thread(target=lambda: given.append(enter()), daemon=True)
    thread.start()
    return thread, given


def ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE_S)
    return not thread.is_alive()


def test_who_comes_when_all_places_are_taken_waits_for_one_to_come_back() -> None:
    gate = Gate(2)
    assert gate.enter(Wire())
    assert gate.enter(Wire())
    thread, given = beside(lambda: gate.enter(Wire()))
    thread.join(0.05)
    assert given == []
    gate.leave()
    assert ended(thread)
    assert given == [True]


def test_a_question_does_not_wait_for_a_place() -> None:
    gate = Gate(1)
    assert gate.enter(Wire())
    assert gate.enter(Wire(), at_once=True)


@pytest.mark.parametrize("at_once", [True, False])
def test_nobody_enters_while_the_gate_is_held(at_once: bool) -> None:
    clock = Clock()
    gate = Gate(4, clock)
    gate.slow(50)
    gate.slow(10)  # does not shorten it
    thread, given = beside(lambda: gate.enter(Wire(), at_once=at_once))
    for clock.now in (120.0, 149.0):
        gate.wake()
        thread.join(0.05)
        assert given == []
    clock.now = 150.0
    gate.wake()
    assert ended(thread)
    assert given == [True]


def test_whose_wire_is_cut_is_sent_away() -> None:
    gate, wire = Gate(1), Wire()
    assert gate.enter(Wire())
    thread, given = beside(lambda: gate.enter(wire))
    wire.cut("closed")
    gate.wake()
    assert ended(thread)
    assert given == [False]
    assert not gate.enter(wire, at_once=True)


def test_after_slowing_down_there_is_one_place_and_more_again_little_by_little() -> None:
    gate, rounds = Gate(3), []
    gate.slow(0)
    for _ in range(20):
        assert gate.enter(Wire())
        gate.leave()
        places = 1
        assert gate.enter(Wire())
        while not beside_is_full(gate):
            places += 1
        rounds.append(places)
        for _ in range(places):
            gate.leave()
    assert rounds[:3] == [1, 1, 1]
    assert rounds == sorted(rounds)
    assert rounds[-1] == 3


def beside_is_full(gate: Gate) -> bool:
    """Whether there is no place; takes one if there is."""
    wire = Wire()
    thread, given = beside(lambda: gate.enter(wire))
    thread.join(0.1)
    if not given:
        wire.cut("closed")
        gate.wake()
        assert ended(thread)
    return given == [False]


# -- what endpoints say


def refused(status: int, said: str, **headers: str) -> Refusal:
    body = {"error": {"message": said}}
    request = httpx.Request("POST", "http://h/v1/embeddings")
    response = httpx.Response(status, headers=headers, json=body, request=request)
    return refusal_of(openai.APIStatusError("x", response=response, body=body), "h", "sk-1")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "Requested 375703 tokens, max 300000 tokens per request"),
        (400, "Invalid 'input': array too long. Expected an array with maximum length 2048"),
        (400, "Too many inputs. The max number of inputs is 16.  We hope to increase it"),
        (400, "Too many tokens in batch. Max is 16384 got 17555"),
        (400, "Too many inputs in request, split into more batches."),
        (400, "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch"),
        (400, "invalid request: total number of texts must be at most 96, received 100"),
        (400, "<400> Value error, batch size is invalid, it should not be larger than 10."),
        (413, "input batch size 136 > maximum allowed batch size 64"),
        (422, "batch size 136 > maximum allowed batch size 64"),
        (413, ""),
    ],
)
def test_a_request_with_too_much_in_it_is_known_by_what_is_said(status: int, said: str) -> None:
    refusal = refused(status, said)
    assert refusal.is_too_large
    assert not refusal.is_passing


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "'$.model' is invalid."),
        (400, "This model does not embed text"),
        (404, "there is no batch of that name"),
        (429, "Too many tokens"),
        (500, "input is too large to process. increase the physical batch size"),
    ],
)
def test_other_refusals_are_no_reason_to_send_fewer_texts(status: int, said: str) -> None:
    assert not refused(status, said).is_too_large


def test_an_endpoint_that_says_when_to_come_back_is_crowded() -> None:
    assert refused(429, "slow down") == Refusal(
        "h answered with status 429: slow down; wait, or check the quota of the key",
        is_passing=True,
        is_crowded=True,
    )
    busy = refused(503, "busy", **{"Retry-After": "7"})
    assert busy.message == "h answered with status 503: busy; try again later; it asks to wait 7 s"
    assert (busy.is_passing, busy.is_crowded, busy.retry_after_s) == (True, True, 7.0)
    exact = refused(429, "", **{"Retry-After": "1", "retry-after-ms": "250"})
    assert exact.retry_after_s == 0.25
    down = refused(503, "down")
    assert (down.is_passing, down.is_crowded, down.retry_after_s) == (True, False, None)


def test_a_refusal_does_not_hold_the_key() -> None:
    assert "sk-1" not in repr(refused(401, "the key sk-1 is not known"))
