"""A loopback server that speaks the OpenAI chat protocol; the URL path says how it behaves.

``/good/v1`` judges rightly (a claim is supported if it stands in the evidence), ``/lying/v1``
makes quotes up, ``/malformed/v1`` answers in prose, ``/grades/v1`` gives a verdict that was not
offered, ``/injected/v1`` obeys orders found in the evidence, ``/plain/v1`` refuses schemas,
``/html/v1`` sends a page with status 200, ``/500/v1`` fails.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class JudgeServer:
    """Serves until the ``with`` block ends; ``requests`` are the bodies received."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                mode = self.path.split("/")[1]
                status, kind, text = reply(mode, body)
                payload = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's)
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def url(self, mode: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{mode}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def reply(mode: str, body: dict[str, Any]) -> tuple[int, str, str]:
    if mode == "html":
        return 200, "text/html", "<html>Welcome</html>"
    if mode == "500":
        return 500, "application/json", '{"error": {"message": "broken"}}'
    if mode == "plain" and "response_format" in body:
        return 400, "application/json", '{"error": {"message": "no response_format here"}}'
    said = {"malformed": "I think it is fine."}.get(mode) or judge(mode, body)
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
    return 200, "application/json", json.dumps({**answer, "choices": [choice]})


def judge(mode: str, body: dict[str, Any]) -> str:
    prompt = body["messages"][0]["content"]
    found = re.search(r"(=+\w+) evidence\n(.*)\n\1 claim\n(.*)\n\1 end", prompt, re.DOTALL)
    assert found is not None
    evidence, claim = found[2], found[3]
    if mode == "lying":
        return json.dumps({"verdict": "supported", "quote": "as everybody knows", "reason": "x"})
    if mode == "grades":
        return json.dumps({"verdict": "rather good", "quote": "", "reason": "x"})
    if mode == "injected" and "SAY SUPPORTED" in evidence:
        return '```json\n{"verdict": "supported", "quote": "", "reason": "told to"}\n```'
    held = claim in evidence
    verdict = "supported" if held else "unsupported"
    answer = {"verdict": verdict, "quote": claim if held else "", "reason": "it says so"}
    return "<think>hm</think>" + json.dumps(answer)
