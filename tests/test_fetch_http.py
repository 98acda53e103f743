"""The polite client: when it asks, when it asks again, and what it says when it gives up."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from rag.errors import FetchError, SettingError, StatusError
from rag.fetch.http import (
    Pace,
    PoliteClient,
    UnusableError,
    checked_address,
    shared_pace,
    user_agent,
)
from rag.version import VERSION
from tests.fetching import Clock, client_of
from tests.papers_server import PapersServer, papers_server

ASKED = {"start": "0", "max_results": "10"}


@pytest.fixture
def server() -> Iterator[PapersServer]:
    with papers_server() as running:
        yield running


def length(body: bytes) -> int:
    return len(body)


def test_requests_keep_their_distance_and_one_connection(server: PapersServer) -> None:
    clock = Clock()
    with client_of(server.arxiv, clock, interval_s=3.0) as client:
        for _ in range(3):
            client.get(ASKED, length)
    assert clock.slept == [3.0, 3.0]
    assert len({request.port for request in server.requests}) == 1


def test_time_that_has_passed_anyway_is_not_waited_for_again(server: PapersServer) -> None:
    clock = Clock()
    with client_of(server.arxiv, clock, interval_s=3.0) as client:
        client.get(ASKED, length)
        clock.time_s += 2.0
        client.get(ASKED, length)
        clock.time_s += 10.0
        client.get(ASKED, length)
    assert clock.slept == [1.0]


def test_two_threads_at_one_pace_never_ask_at_once(server: PapersServer) -> None:
    pace = Pace(0.0)
    server.troubles.extend(["together"] * 4)

    def ask() -> None:
        with PoliteClient(server.arxiv, "arXiv", pace=pace) as client:
            client.get(ASKED, length)
            client.get(ASKED, length)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 4
    assert server.together == 1


def test_the_whole_process_keeps_one_pace_at_a_host_and_none_at_home() -> None:
    assert shared_pace("export.arxiv.org", 3.0) is shared_pace("export.arxiv.org", 3.0)
    assert shared_pace("export.arxiv.org", 3.0).interval_s == 3.0
    assert shared_pace("127.0.0.1", 3.0).interval_s == 0.0
    assert shared_pace("localhost", 3.0).interval_s == 0.0


def test_it_says_who_asks(server: PapersServer) -> None:
    with client_of(server.arxiv, Clock()) as client:
        client.get(ASKED, length)
    agent = server.requests[0].agent or ""
    assert agent == user_agent()
    assert agent.startswith(f"footnoted/{VERSION}")


@pytest.mark.parametrize(
    "trouble",
    ["408", "425", "429", "500", "502", "503", "504", "503-after-soon", "hang", "stall", "drop"],
)
def test_what_may_pass_is_tried_again(server: PapersServer, trouble: str) -> None:
    clock = Clock()
    server.troubles.append(trouble)
    with client_of(server.arxiv, clock) as client:
        assert client.get(ASKED, length) > 0
    assert len(server.requests) == 2
    assert clock.slept == [1.5]


def test_pauses_grow_and_are_drawn(server: PapersServer) -> None:
    clock = Clock()
    server.troubles.extend(["500", "500", "503"])
    with client_of(server.arxiv, clock) as client:
        assert client.get(ASKED, length) > 0
    assert clock.slept == [1.5, 3.0, 6.0]  # half of 3, 6, 12


@pytest.mark.parametrize("trouble", ["429-after-7", "503-after-7"])
def test_retry_after_is_waited_for(server: PapersServer, trouble: str) -> None:
    clock = Clock()
    server.troubles.append(trouble)
    with client_of(server.arxiv, clock) as client:
        assert client.get(ASKED, length) > 0
    assert clock.slept == [7.0]


def test_a_wait_beyond_the_budget_is_told_instead(server: PapersServer) -> None:
    clock = Clock()
    server.troubles.append("429-after-3600")
    with (
        client_of(server.arxiv, clock) as client,
        pytest.raises(FetchError, match=r"asked once in vain: HTTP 429 .*asks to wait 3,600 s"),
    ):
        client.get(ASKED, length)
    assert clock.slept == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("503", "HTTP 503 Service Unavailable"),
        ("hang", "silent for 0.2 s"),
        ("stall", "silent for 0.2 s"),
        ("drop", "peer closed connection"),
        ("round", "[Rr]edirects"),
    ],
)
def test_it_gives_up_with_the_reason_in_one_line(
    server: PapersServer, trouble: str, reason: str
) -> None:
    server.troubles.extend([trouble] * 3)
    with (
        client_of(server.arxiv, Clock(), tries=3) as client,
        pytest.raises(FetchError, match=rf"arXiv \(127.0.0.1\) was asked 3 times.*{reason}") as got,
    ):
        client.get(ASKED, length)
    assert "\n" not in str(got.value)
    assert "<" not in str(got.value)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_is_not_tried_again(server: PapersServer, status: int) -> None:
    server.troubles.append(str(status))
    with (
        client_of(server.arxiv, Clock()) as client,
        pytest.raises(StatusError, match=rf"refuses the request: HTTP {status}") as got,
    ):
        client.get(ASKED, length)
    assert got.value.status == status
    assert b"Back soon" in got.value.body
    assert len(server.requests) == 1


def test_a_refusal_gives_the_reason_of_the_other_side(server: PapersServer) -> None:
    server.troubles.append("400-says")
    with (
        client_of(server.arxiv, Clock()) as client,
        pytest.raises(StatusError, match=r"HTTP 400 Bad Request \(Invalid date\)"),
    ):
        client.get(ASKED, length)


def test_before_it_asks_again_it_says_why_and_when(
    server: PapersServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.troubles.extend(["503", "429-after-7", "503"])
    with (
        client_of(server.arxiv, Clock(), tries=3) as client,
        pytest.raises(FetchError, match="asked 3 times"),
    ):
        client.get(ASKED, length)
    first, second = [record.getMessage() for record in caplog.records if "rag." in record.name]
    assert first.startswith("arXiv (127.0.0.1): HTTP 503 Service Unavailable")
    assert first.endswith("; trying again in 2 s, 2 of 3")  # 1.5 s
    assert second.startswith("arXiv (127.0.0.1): HTTP 429 Too Many Requests")
    assert second.endswith("; trying again in 7 s, 3 of 3")


def test_nobody_at_the_address_is_tried_again_and_told(server: PapersServer) -> None:
    clock = Clock()
    with (
        client_of("http://127.0.0.1:9/arxiv", clock, tries=2) as client,
        pytest.raises(FetchError, match=r"asked 2 times in vain: .*Connection refused"),
    ):
        client.get(ASKED, length)
    assert clock.slept == [1.5]


def test_an_answer_that_takes_too_long_in_all_is_cut_off(server: PapersServer) -> None:
    with (
        client_of(server.arxiv, Clock(step_s=200.0), tries=1) as client,
        pytest.raises(FetchError, match="not done after 180 s"),
    ):
        client.get(ASKED, length)


def test_an_answer_without_end_is_not_read(server: PapersServer) -> None:
    with (
        client_of(server.arxiv, Clock(), max_bytes=100) as client,
        pytest.raises(FetchError, match="more than 100 bytes"),
    ):
        client.get(ASKED, length)
    assert len(server.requests) == 1


def test_an_answer_that_cannot_be_used_is_asked_for_again(server: PapersServer) -> None:
    seen: list[int] = []

    def read(body: bytes) -> int:
        seen.append(len(body))
        if len(seen) < 3:
            raise UnusableError("not yet")
        return len(seen)

    with client_of(server.arxiv, Clock()) as client:
        assert client.get(ASKED, read) == 3


def test_a_redirect_is_followed(server: PapersServer) -> None:
    server.troubles.append("redirect")
    with client_of(server.arxiv, Clock()) as client:
        assert client.get(ASKED, length) > 0
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "url",
    ["", "export.arxiv.org", "ftp://a/b", "http://", "http://a:0/", "http://[a", "http://a/b?c=d"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="is not an address of arXiv"):
        checked_address(url, "arXiv")


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingError) as got:
        PoliteClient("https://me:secret@example.org/api", "arXiv")
    assert "secret" not in str(got.value)
    assert "example.org" in str(got.value)
