"""A loopback server for ``POST /v1/embeddings``; the first part of the path says how it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from zlib import crc32

DIMENSION = 8
KEY = "sk-loopback-0123456789"


def vector_of(text: str) -> list[float]:
    """A vector of no particular length that depends on the text alone."""
    return [float((crc32(f"{i}{text}".encode()) % 1000) - 500) + 0.5 for i in range(DIMENSION)]


class EmbeddingServer:
    """Serves while it is entered; ``requests`` holds the parsed bodies.

    ``url("ok")`` answers as it should. The other modes: a status such as ``401``, also with a wait
    (``429-after-2``: ``Retry-After: 2``); ``echo`` (401, with the key in the message); ``most-8``
    (413 for more than 8 texts) and ``batch-8`` (400 for more, in words); ``short``, ``wide``,
    ``ragged``, ``nan``, ``zero``, ``words``, ``huge``, ``scalar`` (wrong vectors); ``reversed``,
    ``unnumbered``, ``lettered`` (wrong indexes); ``html``, ``array`` and ``empty`` (another body);
    ``drop`` (closes half way); ``hang`` (never answers); ``trickle`` (goes on for 10 s, a byte at
    a time); ``flaky`` (500 on the first request only); ``grows`` (a wider vector from the second
    request on).

    ``choose``, if given, is called with the texts of each request, on a thread of its own, and may
    wait; what it returns is the mode, whatever the address says. ``most_at_once`` is how many
    requests were under way at a time, at most.
    """

    def __init__(self, choose: Callable[[list[str]], str] | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.leaving = threading.Event()
        self.most_at_once = 0
        self.choose = choose
        self._at_once = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        # So many may connect before they are accepted.
        server = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 64})
        self._server = server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def url(self, mode: str) -> str:
        """The base URL that fails in this way."""
        return f"http://127.0.0.1:{self._server.server_port}/{mode}/v1"

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as under way."""
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leaving.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: EmbeddingServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.requests.append(body)
        self.owner.keys.append(self.headers.get("Authorization"))
        with self.owner.counted():
            choose, mode = self.owner.choose, self.path.split("/")[1]
            mode = choose(body["input"]) if choose else mode
        with suppress(ConnectionError):  # the client has left
            self._answer(mode, body["input"])

    def _answer(self, mode: str, texts: list[str]) -> None:
        rows = [vector_of(text) for text in texts]
        if mode == "flaky" and len(self.owner.requests) == 1:
            mode = "500"
        if mode == "grows" and len(self.owner.requests) > 1:
            mode = "wide"
        kind, _, limit = mode.rpartition("-")
        if kind in ("most", "batch"):
            mode = "ok" if len(texts) <= int(limit) else kind
        if mode == "most":
            self._send(413, b"<html>Request Entity Too Large</html>", "text/html")
        elif mode == "batch":
            self._error(400, f"batch size is invalid, it should not be larger than {limit}.")
        elif mode[:3].isdigit():
            status, _, wait_s = mode.partition("-after-")
            self._error(int(status), "it is broken on purpose", wait_s)
        elif mode == "echo":
            self._error(401, f"Incorrect API key provided: {self.headers['Authorization']}")
        elif mode == "html":
            self._send(200, b"<html>Welcome</html>", "text/html")
        elif mode == "array":
            self._send(200, b"[1, 2]")
        elif mode == "empty":
            self._send(200, b"{}")
        elif mode == "hang":
            self.owner.leaving.wait(10)
        elif mode == "trickle":
            self._trickle()
        elif mode == "drop":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b'{"data": [')
            self.close_connection = True
        else:
            self._send_rows(mode, rows)

    def _trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        with suppress(OSError):
            for _ in range(200):
                self.wfile.write(b" ")
                if self.owner.leaving.wait(0.05):
                    return
        self.close_connection = True

    def _send_rows(self, mode: str, rows: list[Any]) -> None:
        places: list[Any] = list(range(len(rows)))
        if mode == "short":
            rows, places = rows[:-1], places[:-1]
        elif mode == "wide":
            rows = [[*row, 1.0] for row in rows]
        elif mode == "ragged":
            rows[-1] = rows[-1][:-1]
        elif mode == "nan":
            rows[-1][0] = float("nan")
        elif mode == "zero":
            rows[-1] = [0.0] * DIMENSION
        elif mode == "scalar":
            rows[-1] = 5
        elif mode == "lettered":
            places[-1] = "b"
        elif mode == "words":
            rows[-1] = ["a"] * DIMENSION
        elif mode == "huge":
            rows[-1] = [10**400] * DIMENSION
        elif mode == "reversed":
            rows, places = rows[::-1], places[::-1]
        elif mode == "unnumbered":
            places = [0] * len(rows)
        data = [
            {"object": "embedding", "index": place, "embedding": row}
            for place, row in zip(places, rows, strict=True)
        ]
        answer = {"object": "list", "data": data, "model": "m", "usage": {}}
        self._send(200, json.dumps(answer).encode())

    def _error(self, status: int, message: str, wait_s: str = "") -> None:
        self._send(status, json.dumps({"error": {"message": message}}).encode(), wait_s=wait_s)

    def _send(
        self, status: int, body: bytes, kind: str = "application/json", wait_s: str = ""
    ) -> None:
        self.send_response(status)
        if wait_s:
            self.send_header("Retry-After", wait_s)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
