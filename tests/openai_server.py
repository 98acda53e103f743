"""A loopback server that speaks OpenAI's chat protocol; the URL path says how it behaves.

``POST /mode/MODE/v1/chat/completions`` answers with what the test scripts, streamed or whole as
the request asks, ``GET /mode/MODE/v1/models`` lists one model. The modes are described at
`MODES`. Several, separated by commas, are for one request each, the last one for all further
ones: ``url("503,429-after-1,ok")``.

    with openai_server(reply="GeneGPT calls APIs [k3f9].") as server:
        ask(server.url())                 # answers
        ask(server.url("stall"))          # sends half of it and goes silent
    assert server.requests[0].body["temperature"] == 0
"""

from __future__ import annotations

import json
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "loopback-1"
KEY = "sk-loopback-0123456789abcdef"

MODES = {
    "ok": "answers",
    "plain": "answers with one JSON object, stream or not",
    "no-done": "leaves out the [DONE] at the end",
    "no-finish": "leaves out the finish_reason",
    "cut": "ends half way as if that were the end: no finish_reason, no [DONE]",
    "drop": "breaks the connection half way",
    "drop-early": "breaks the connection before the first piece",
    "stall": "goes silent half way",
    "hang": "never answers",
    "slam": "closes the connection without an answer",
    "linger": "does not hang up after the finish_reason",
    "ping": "sends comments and nothing else",
    "endless": "never stops writing",
    "empty": "answers with no text",
    "no-events": "answers with an empty stream",
    "length": "stops at max_tokens",
    "filter": "stops half way by its content filter",
    "filter-400": "refuses the question by its content filter",
    "tools": "calls a tool instead",
    "reasoning": "thinks aloud in reasoning_content first",
    "only-reasoning": "spends all tokens on reasoning_content",
    "no-usage": "does not count tokens",
    "bad-usage": "counts tokens as null",
    "bad-json": "sends an event that is not JSON half way",
    "odd-json": "sends events of other forms between the pieces",
    "halves": "sends every character outside the basic plane as two halves of a pair",
    "error-event": "reports an error half way through the stream",
    "error-last": "reports an error after the finish_reason",
    "bad-json-last": "sends an event that is not JSON after the finish_reason",
    "error-first": "reports an error as the first event",
    "error-200": "reports an error as JSON with status 200",
    "html": "sends a web page with status 200",
    "html-502": "sends a web page with status 502",
    "echo": "refuses the key and repeats it, status 401",
    "quota": "has no credit left, status 429",
    "no-model": "does not know the model, status 404",
    "NUMBER": "answers with that status",
    "NUMBER-after-SECONDS": "and asks to wait before the next try",
    "no-NAME": "refuses the parameter NAME with status 400: temperature, seed, stream_options, "
    "max_tokens, max_completion_tokens",
    "strict": "refuses each of these but max_tokens, with status 422 and FastAPI's form",
    "overflow-SERVER": "the request is too long: openai, vllm, llamacpp, ollama, lmstudio",
}

OVERFLOWS: dict[str, Any] = {
    "openai": {
        "error": {
            "message": "This model's maximum context length is 8192 tokens. However, your messages "
            "resulted in 9001 tokens. Please reduce the length of the messages.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        }
    },
    "vllm": {
        "error": {
            "message": "This model's maximum context length is 2048 tokens. However, your request "
            "has 8 input tokens plus 2045 'max_tokens'. Please reduce one or the other.",
            "type": "BadRequestError",
            "param": "input_tokens, max_tokens",
            "code": 400,
        }
    },
    "vllm-old": {
        "object": "error",
        "message": "This model's maximum context length is 6048 tokens. However, you requested "
        "6616 tokens (568 in the messages, 6048 in the completion). Please reduce the length of "
        "the messages or completion.",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    },
    "llamacpp": {
        "error": {
            "code": 400,
            "message": "the request exceeds the available context size, try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 1407,
            "n_ctx": 256,
        }
    },
    "ollama": {
        "error": {
            "message": "the input length exceeds the context length",
            "type": "api_error",
            "param": None,
            "code": None,
        }
    },
    "lmstudio": {
        "error": "Trying to keep the first 5000 tokens when context the overflows. However, the "
        "model is loaded with context length of only 4096 tokens, which is not enough. Try to load "
        "the model with a larger context length, or provide a shorter input."
    },
}


@dataclass(frozen=True, slots=True)
class Script:
    """A reply: its pieces, a pause before each, and what stands around them.

    All pieces but the first wait until ``held``, where there is one, is set.
    """

    pieces: Sequence[str]
    pause_s: float = 0.0
    held: threading.Event | None = None
    finish: str = "stop"
    prompt_tokens: int = 100
    reasoning: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A request as received; header names are in lower case."""

    mode: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def messages(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.body["messages"]
        return found

    @property
    def prompt(self) -> str:
        """All messages, one after the other."""
        return "\n".join(message["content"] for message in self.messages)


Reply = str | Script
Replies = Reply | Sequence[Reply] | Callable[[Request], Reply]


@dataclass
class OpenAIServer:
    """What a test sees of the server while it runs; see `openai_server`."""

    port: int
    replies: Replies
    requests: list[Request] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    leaving: threading.Event = field(default_factory=threading.Event)
    failures: list[Exception] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: Counter[str] = field(default_factory=Counter)
    _replied: int = 0

    def url(self, mode: str = "ok") -> str:
        """The base URL that behaves in this way."""
        return f"http://127.0.0.1:{self.port}/mode/{mode}/v1"

    def take(self, modes: str, body: dict[str, Any], headers: dict[str, str]) -> Request:
        """Record a request, in the mode whose turn it is."""
        with self._lock:
            turns = modes.split(",")
            request = Request(turns[min(self._asked[modes], len(turns) - 1)], body, headers)
            self._asked[modes] += 1
            self.requests.append(request)
            return request

    def script(self, request: Request) -> Script:
        """The reply to a request; a list of replies is used up, its last one again and again."""
        reply = self.replies
        if callable(reply):
            try:
                reply = reply(request)
            except Exception as error:
                self.failures.append(error)
                raise
        elif not isinstance(reply, str | Script):
            with self._lock:
                reply = reply[min(self._replied, len(reply) - 1)]
                self._replied += 1
        return reply if isinstance(reply, Script) else Script(words(reply))


def words(text: str) -> list[str]:
    """A text as pieces like tokens: each word with the blank before it."""
    pieces: list[str] = []
    for word in text.split(" "):
        pieces.append(f" {word}" if pieces else word)
    return pieces


@contextmanager
def openai_server(reply: Replies = "It does [k3f9].") -> Iterator[OpenAIServer]:
    """Serve until the block ends.

    ``reply`` is the text of every answer, a list of texts for one request after the other, or a
    function of the request; a `Script` says more than a text. ``requests`` are what was received;
    ``hung_up`` is set when a client left before the end of its answer. What the function raises is
    raised again at the end of the block.
    """
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    running = OpenAIServer(server.server_port, reply)
    handler.owner = running  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running
    finally:
        running.leaving.set()
        server.shutdown()
        thread.join()
        server.server_close()
    if running.failures:
        raise running.failures[0]


class _LeftError(Exception):
    """The client hung up, or the server is about to stop."""


class _Handler(BaseHTTPRequestHandler):
    owner: OpenAIServer
    protocol_version = "HTTP/1.1"
    _is_complete = False

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        self._send_json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = self.owner.take(self.path.split("/")[2], body, headers)
        try:
            refusal = refuse(request)
            if refusal is not None:
                self._send_json(*refusal)
            elif request.mode == "hang":
                self._wait(300)
            elif request.mode == "slam":
                self.close_connection = True
            elif request.mode in ("html", "html-502"):
                self._send(
                    502 if "502" in request.mode else 200, b"<html>Hello</html>", "text/html"
                )
            elif request.mode == "plain" or not body.get("stream"):
                self._send_json(200, completion(request, self.owner.script(request)))
            else:
                self._stream(request, self.owner.script(request))
        except Exception as error:
            if error in self.owner.failures:
                self._send_json(500, _error("the scripted reply failed"))
            elif not isinstance(error, _LeftError | OSError):
                raise
            elif not (self._is_complete or self.owner.leaving.is_set()):
                self.owner.hung_up.set()
            self.close_connection = True

    def _stream(self, request: Request, script: Script) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events(request, script):
            if event == DROP:
                self.close_connection = True
                return
            if event == STALL:
                self._wait(300)
            self._is_complete = event == DONE
            if event == PAUSE:
                self._wait(script.pause_s)
                continue
            if event == HOLD:
                while script.held is not None and not script.held.is_set():
                    self._wait(0.01)
                continue
            self._write(event)
        self.wfile.write(b"0\r\n\r\n")

    def _write(self, event: str) -> None:
        data = event.encode("utf-8", "surrogatepass")
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
        self._wait(0.02 if event.startswith(":") else 0)

    def _wait(self, seconds: float) -> None:
        """Wait; raises when the client hangs up or the server stops meanwhile."""
        waited = 0.0
        while True:
            if self.owner.leaving.is_set():
                raise _LeftError
            step = min(0.02, seconds - waited)
            poller = select.poll()  # select() knows no descriptor beyond 1,023
            poller.register(self.connection, select.POLLIN)
            if poller.poll(1000 * max(0.0, step)) and not self.connection.recv(1, socket.MSG_PEEK):
                raise _LeftError
            waited += step
            if waited >= seconds:
                return

    def _send_json(self, status: int, payload: object, wait_s: str | None = None) -> None:
        self._send(status, json.dumps(payload).encode(), "application/json", wait_s)

    def _send(self, status: int, body: bytes, kind: str, wait_s: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if wait_s is not None:
            self.send_header("Retry-After", wait_s)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's)
        """Say nothing."""


def refuse(request: Request) -> tuple[int, object, str | None] | None:
    """Status, body and Retry-After of a request that is refused; None: it is not."""
    mode, body = request.mode, request.body
    number, _, wait_s = mode.partition("-after-")
    if number.isdigit():
        return int(number), _error("it is broken on purpose"), wait_s or None
    if mode == "echo":
        return (
            401,
            _error(f"Incorrect API key provided: {request.headers.get('authorization')}"),
            None,
        )
    if mode == "quota":
        return 429, _error("You exceeded your current quota", "insufficient_quota"), None
    if mode == "no-model":
        return 404, _error(f"The model {body['model']!r} does not exist", "model_not_found"), None
    if mode == "filter-400":
        return 400, _error("The response was filtered", "content_filter", "prompt"), None
    if mode == "error-200":
        return 200, _error("the model crashed", "server_error"), None
    if mode.startswith("overflow-"):
        return 400, OVERFLOWS[mode.removeprefix("overflow-")], None
    refused = mode.removeprefix("no-") if mode.startswith("no-") else None
    if refused in body:
        return 400, _error(f"Unsupported value: {refused!r} cannot be used.", None, refused), None
    if mode == "strict":
        for name in ("temperature", "seed", "stream_options", "max_completion_tokens"):
            if name in body:
                fault = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs"}
                return 422, {"detail": [fault]}, None
    return None


def _error(message: str, code: str | None = None, param: str | None = None) -> object:
    return {"error": {"message": message, "type": "x", "code": code, "param": param}}


def completion(request: Request, script: Script) -> dict[str, Any]:
    """A whole reply as one object."""
    message = {"role": "assistant", "content": "".join(script.pieces)}
    choice = {"index": 0, "message": message, "finish_reason": script.finish}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": request.body["model"],
        "choices": [choice],
        "usage": _usage(script),
    }


DROP, STALL, PAUSE, HOLD = "drop", "stall", "pause", "hold"
DONE = "data: [DONE]\n\n"


def events(request: Request, script: Script) -> Iterator[str]:
    """The events of a streamed reply, as they go over the wire; `DROP` and so on are acts."""
    mode, pieces = request.mode, list(script.pieces)
    if mode in ("ping", "no-events"):
        while mode == "ping":
            yield ": still here\n\n"
        return
    if mode == "drop-early":
        yield DROP
    if mode == "error-first":
        yield _event({"error": {"message": "the model crashed", "code": 500}})
    yield _chunk({"role": "assistant", "content": ""})
    for thought in script.reasoning or (["hm", "hm"] if "reasoning" in mode else ()):
        yield _chunk({"reasoning_content": thought})
        yield PAUSE
    if mode == "halves":
        pieces = [half for piece in pieces for half in _halved(piece)]
    yield from _body(mode, pieces)
    if mode == "cut":
        return
    finish = {"length": "length", "only-reasoning": "length", "filter": "content_filter"}
    reason = "tool_calls" if mode == "tools" else finish.get(mode, script.finish)
    if mode != "no-finish":
        yield _chunk({}, reason)
    if mode == "linger":
        yield STALL
    if mode == "error-last":
        yield _event({"error": {"message": "the counter crashed", "code": 500}})
    if mode == "bad-json-last":
        yield 'data: {"choices": [\n\n'
    if mode == "bad-usage":
        yield _event({"choices": [], "usage": {"prompt_tokens": None, "completion_tokens": "2"}})
    elif mode != "no-usage" and request.body.get("stream_options", {}).get("include_usage"):
        yield _event({"choices": [], "usage": _usage(script)})
    if mode != "no-done":
        yield DONE


def _body(mode: str, pieces: Sequence[str]) -> Iterator[str]:
    """The pieces of the text, with what happens half way."""
    if mode in ("empty", "only-reasoning", "tools"):
        return
    half_way = {
        "stall": STALL,
        "drop": DROP,
        "bad-json": 'data: {"choices": [\n\n',
        "error-event": _event({"error": {"message": "the model crashed", "code": 500}}),
    }
    for i, piece in enumerate(pieces):
        if i == (len(pieces) + 1) // 2:
            if mode in half_way:
                yield half_way[mode]
            if mode in ("cut", "filter"):
                return
        if mode == "odd-json":
            yield "event: x\nid: 1\ndata: [1, 2]\r\n\r\n: comment\n\n"
            yield 'data: {"choices": [{"delta": null}], "usage": 3}\n\n'
            yield 'data: "text"\n\ndata: {"choices": "none"}\n\n'
        yield PAUSE
        if i > 0:
            yield HOLD
        yield _chunk({"content": piece})
    while mode == "endless":
        yield _chunk({"content": " and so on" * 20})


def _halved(text: str) -> list[str]:
    """The characters of a text; one outside the basic plane is two, each half of a pair."""
    units = text.encode("utf-16-le")
    return [units[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(units), 2)]


def _chunk(delta: dict[str, str], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _event({"object": "chat.completion.chunk", "model": MODEL, "choices": [choice]})


def _event(payload: object) -> str:
    return f"data: {json.dumps(payload)}\n\n"


def _usage(script: Script) -> dict[str, int]:
    count = len(script.pieces)
    total = script.prompt_tokens + count
    return {
        "prompt_tokens": script.prompt_tokens,
        "completion_tokens": count,
        "total_tokens": total,
    }
