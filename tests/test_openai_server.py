"""The loopback server itself, asked with nothing but sockets and the standard library."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.openai_server import MODEL, MODES, OpenAIServer, Request, Script, openai_server, words

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Why?"}]}


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server("One two three four.") as running:
        yield running


def post(url: str, body: dict[str, Any]) -> tuple[int, str, str]:
    """Status, content type and text of a completion."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("POST", f"{parts.path}/chat/completions", json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
    finally:
        connection.close()


def streamed(url: str) -> str:
    return post(url, {**ASKED, "stream": True})[2]


def test_a_stream_is_events_up_to_done(server: OpenAIServer) -> None:
    status, kind, text = post(server.url(), {**ASKED, "stream": True})
    assert (status, kind) == (200, "text/event-stream; charset=utf-8")
    events = text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    deltas = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
    assert "".join(deltas) == "One two three four."
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-1] == "stop"


def test_a_request_without_streaming_gets_one_object(server: OpenAIServer) -> None:
    status, kind, text = post(server.url(), ASKED)
    assert (status, kind) == (200, "application/json")
    assert json.loads(text)["choices"][0]["message"]["content"] == "One two three four."


def test_tokens_are_counted_in_a_stream_where_asked(server: OpenAIServer) -> None:
    assert '"usage"' not in streamed(server.url())
    body = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
    assert '"completion_tokens": 4' in post(server.url(), body)[2]


def test_models_are_listed(server: OpenAIServer) -> None:
    with urlopen(f"{server.url('401')}/models", timeout=30) as answer:
        assert json.loads(answer.read())["data"][0]["id"] == MODEL


def test_requests_are_recorded(server: OpenAIServer) -> None:
    post(server.url("plain"), ASKED)
    (request,) = server.requests
    assert (request.mode, request.prompt) == ("plain", "Why?")
    assert request.body == ASKED
    assert request.headers["content-length"]


def test_a_list_of_modes_is_gone_through_once(server: OpenAIServer) -> None:
    url = server.url("503,429-after-2,plain")
    assert [post(url, ASKED)[0] for _ in range(4)] == [503, 429, 200, 200]


def test_replies_are_a_list_or_a_function() -> None:
    with openai_server(["one", Script(["t", "wo"])]) as server:
        said = [json.loads(post(server.url(), ASKED)[2]) for _ in range(3)]
        assert [one["choices"][0]["message"]["content"] for one in said] == ["one", "two", "two"]

    def shout(request: Request) -> str:
        return request.prompt.upper()

    with openai_server(shout) as server:
        assert "WHY?" in post(server.url(), ASKED)[2]


def test_a_reply_that_fails_fails_the_test() -> None:
    def fail(request: Request) -> str:
        raise LookupError(request.prompt)

    with pytest.raises(LookupError, match=r"Why\?"), openai_server(fail) as server:
        assert post(server.url(), ASKED)[0] == 500


def test_pieces_make_up_the_text() -> None:
    assert words("one  two three ") == ["one", " ", " two", " three", " "]
    assert "".join(words("one  two three ")) == "one  two three "


@pytest.mark.parametrize("mode", ["hang", "stall", "ping"])
def test_a_client_that_leaves_is_noticed(server: OpenAIServer, mode: str) -> None:
    parts = urlsplit(server.url(mode))
    body = json.dumps({**ASKED, "stream": True})
    head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    assert parts.port is not None
    with socket.create_connection(("127.0.0.1", parts.port), timeout=30) as client:
        client.sendall((head + body).encode())
        if mode != "hang":
            assert client.recv(1)
        assert not server.hung_up.is_set()
    assert server.hung_up.wait(30)


def test_a_client_that_stays_to_the_end_did_not_hang_up(server: OpenAIServer) -> None:
    for mode in ("ok", "plain", "cut", "no-done", "401"):
        streamed(server.url(mode))
    assert not server.hung_up.is_set()


SILENT = {"hang", "slam", "stall", "linger", "ping", "endless", "drop", "drop-early"}
ODD = {mode for mode in MODES if re.search("[A-Z]", mode)}


@pytest.mark.parametrize("mode", sorted(MODES.keys() - SILENT - ODD - {"ok"}))
def test_each_mode_is_unlike_the_good_one(mode: str) -> None:
    body = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
    with openai_server("One 😀 three four.") as server:
        assert post(server.url(mode), body) != post(server.url(), body)


def test_leaving_does_not_wait_for_those_who_hang() -> None:
    with openai_server() as server:
        parts = urlsplit(server.url("hang"))
        client = HTTPConnection(parts.netloc, timeout=30)
        client.request("POST", f"{parts.path}/chat/completions", json.dumps(ASKED))
    with pytest.raises(ConnectionError):
        client.getresponse()
    client.close()
