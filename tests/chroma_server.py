"""A real Chroma server on this machine (``chroma run``), and a gateway that stands before it."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

_START_S = 120.0
_ATTEMPTS = 5


class ChromaServer:
    """``chroma run`` over a directory, from `start` to `stop`; it keeps its port when restarted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._log = directory.with_suffix(".log")
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Run it, and wait until it answers."""
        for _ in range(_ATTEMPTS):
            self._port = self._port or free_port()
            if self._comes_up():
                return
            self.stop()
            self._port = 0  # somebody else took it
        raise AssertionError(self._log.read_text(errors="replace")[-2000:])

    def _comes_up(self) -> bool:
        program = Path(sys.executable).with_name("chroma")
        place = ["--path", str(self.directory), "--host", "127.0.0.1", "--port", str(self._port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "run", *place], stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/api/v2/heartbeat", timeout=5).is_success:
                    return True
            except httpx.TransportError:
                time.sleep(0.05)
        return False

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def names(self) -> set[str]:
        """What its collections are called."""
        path = "/api/v2/tenants/default_tenant/databases/default_database/collections"
        return {found["name"] for found in httpx.get(self.url + path, timeout=30).json()}

    def drop(self, name: str) -> None:
        """Delete a collection behind everybody's back."""
        path = f"/api/v2/tenants/default_tenant/databases/default_database/collections/{name}"
        httpx.delete(self.url + path, timeout=30).raise_for_status()


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gateway:
    """Answers while it is entered; ``requests`` holds method, path and Authorization of each.

    What is longer than ``most_bytes`` is refused.

    ``mode`` says how: ``pass`` (on to ``upstream``, if the bearer token is ``token``), ``html``
    (200, with a page), ``empty`` (200, with ``{}``), ``hang`` (never), ``echo`` (403, with the
    request's token in the text), or a status such as ``502``.
    """

    def __init__(
        self, mode: str, upstream: str = "", token: str | None = None, most_bytes: int = 2**30
    ) -> None:
        self.mode = mode
        self.upstream = urlsplit(upstream).netloc
        self.token = token
        self.most_bytes = most_bytes
        self.requests: list[tuple[str, str, str | None]] = []
        self.leaving = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

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
    owner: Gateway

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers["Authorization"]
        self.owner.requests.append((self.command, self.path, given))
        mode = self.owner.mode
        if mode == "hang":
            self.owner.leaving.wait()
        elif mode == "html":
            self._send(200, b"<html>Welcome</html>")
        elif mode == "empty":
            self._send(200, b"{}")
        elif mode == "echo":
            self._send(403, f"{given} may not do that".encode())
        elif mode != "pass":
            self._send(int(mode), b"<html>broken on purpose</html>")
        elif len(body) > self.owner.most_bytes:
            self._send(413, b"too large")
        elif self.owner.token and given != f"Bearer {self.owner.token}":
            self._send(401, b"who are you?")
        else:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        connection = http.client.HTTPConnection(self.owner.upstream, timeout=60)
        connection.request(
            self.command, self.path, body, {"Content-Type": "application/json"} if body else {}
        )
        answer = connection.getresponse()
        self._send(answer.status, answer.read())
        connection.close()

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
