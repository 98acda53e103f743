"""Answers kept on disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import EndpointError, StorageError
from rag.models.llm import CachedModel, EndpointModel, Message
from tests.openai_server import KEY, OpenAIServer, openai_server

ASKED = [Message("user", "Are they real?")]
TEXT = "They are 😀 [k3f9]."


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server(TEXT) as running:
        yield running


@pytest.fixture
def model(server: OpenAIServer, tmp_path: Path) -> Iterator[CachedModel]:
    cached = CachedModel(EndpointModel("m", base_url=server.url(), api_key=KEY), tmp_path / "kept")
    yield cached
    cached.close()


def test_the_same_request_is_answered_without_a_call(
    model: CachedModel, server: OpenAIServer
) -> None:
    first = model.stream(ASKED, max_tokens=50)
    assert first.read() == TEXT
    assert first.usage.calls == 1
    again = model.stream(ASKED, max_tokens=50)
    assert again.read() == TEXT
    assert again.usage == first.usage
    assert again.finish == "stop"
    assert len(server.requests) == 1


def test_each_turn_of_the_same_request_is_asked_once(
    model: CachedModel, server: OpenAIServer
) -> None:
    for _ in range(2):
        for turn in (1, 2):
            assert model.at_turn(turn).stream(ASKED, max_tokens=50).read() == TEXT
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("messages", "max_tokens"),
    [
        ([Message("user", "Are they?")], 50),
        ([Message("system", "Are they real?")], 50),
        (ASKED, 51),
    ],
)
def test_another_request_is_asked(
    model: CachedModel, server: OpenAIServer, messages: list[Message], max_tokens: int
) -> None:
    model.stream(ASKED, max_tokens=50).read()
    model.stream(messages, max_tokens=max_tokens).read()
    assert len(server.requests) == 2


@pytest.mark.parametrize(("name", "mode"), [("n", "ok"), ("m", "plain")])
def test_another_model_or_address_is_asked(
    model: CachedModel, server: OpenAIServer, tmp_path: Path, name: str, mode: str
) -> None:
    model.stream(ASKED, max_tokens=50).read()
    other = CachedModel(EndpointModel(name, base_url=server.url(mode)), tmp_path / "kept")
    other.stream(ASKED, max_tokens=50).read()
    other.close()
    assert len(server.requests) == 2


def test_another_key_is_not_another_request_and_no_key_is_kept(
    model: CachedModel, server: OpenAIServer, tmp_path: Path
) -> None:
    model.stream(ASKED, max_tokens=50).read()
    other = CachedModel(EndpointModel("m", base_url=server.url()), tmp_path / "kept")
    assert other.stream(ASKED, max_tokens=50).read() == TEXT
    assert len(server.requests) == 1
    (entry,) = (tmp_path / "kept").iterdir()
    assert KEY not in entry.read_text()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"text": "They are not."}',
        b'{"text": "They are not.", "finish": "stop", "usage": {"calls": "many"}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_entry_is_asked_anew_and_mended(
    model: CachedModel, server: OpenAIServer, tmp_path: Path, damage: bytes
) -> None:
    model.stream(ASKED, max_tokens=50).read()
    (entry,) = (tmp_path / "kept").iterdir()
    entry.write_bytes(damage)
    for _ in range(2):
        assert model.stream(ASKED, max_tokens=50).read() == TEXT
    assert len(server.requests) == 2


def test_an_entry_of_another_request_is_not_taken(
    model: CachedModel, server: OpenAIServer, tmp_path: Path
) -> None:
    model.stream(ASKED, max_tokens=50).read()
    (entry,) = (tmp_path / "kept").iterdir()
    entry.write_text(entry.read_text().replace("Are they real", "Are they not"))
    model.stream(ASKED, max_tokens=50).read()
    assert len(server.requests) == 2


@pytest.mark.parametrize("mode", ["cut", "drop", "filter", "401"])
def test_an_answer_that_failed_is_not_kept(server: OpenAIServer, tmp_path: Path, mode: str) -> None:
    model = CachedModel(EndpointModel("m", base_url=server.url(mode)), tmp_path)
    reply = model.stream(ASKED, max_tokens=50)
    with pytest.raises(EndpointError):
        reply.read()
    model.close()
    assert reply.finish == "failed"
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_was_left_is_not_kept(
    model: CachedModel, server: OpenAIServer, tmp_path: Path
) -> None:
    with model.stream(ASKED, max_tokens=50) as reply:
        next(reply)
    assert reply.finish == "cancelled"
    assert list((tmp_path / "kept").iterdir()) == []


def test_closing_wakes_the_thread_that_reads(server: OpenAIServer, tmp_path: Path) -> None:
    model = CachedModel(EndpointModel("m", base_url=server.url("stall")), tmp_path)
    reply, pieces, came = model.stream(ASKED, max_tokens=50), [], threading.Event()

    def read() -> None:
        for piece in reply:
            pieces.append(piece)
            came.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert came.wait(30)
    reply.close()
    thread.join(30)
    model.close()
    assert not thread.is_alive()
    assert server.hung_up.wait(30)
    assert reply.finish == "cancelled"
    assert list(tmp_path.iterdir()) == []


def test_threads_that_ask_the_same_do_not_disturb_each_other(
    model: CachedModel, tmp_path: Path
) -> None:
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(model.stream(ASKED, max_tokens=50).read()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [TEXT] * 8
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_disk_that_refuses_costs_the_copy_and_says_so(
    model: CachedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "kept").rmdir()
    with caplog.at_level(logging.WARNING):
        assert model.stream(ASKED, max_tokens=50).read() == TEXT
    assert "an answer could not be kept in" in caplog.text


def test_a_place_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"answers cannot be kept in .*file"):
        CachedModel(EndpointModel("m", base_url="http://h/v1"), tmp_path / "file" / "kept")


def test_a_cached_model_is_its_inner_model_in_all_else(model: CachedModel) -> None:
    assert model.name == "openai:m"
    assert model.window == 8192
    assert model.count_tokens("one two") > 1
