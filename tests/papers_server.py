"""A loopback server in the place of the arXiv API and of Daily Papers, and its failures.

``/arxiv`` answers with a feed of ``papers`` (newest first), ``/daily`` with the papers of the
``days``. Each request takes the next of ``troubles`` first, and answers as it should without one.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

TROUBLES: Mapping[str, str] = {
    "fine": "answers as it should",
    "NUMBER": "answers with that status",
    "NUMBER-after-VALUE": "and a Retry-After",
    "400-says": "refuses in JSON, saying why",
    "hang": "never answers",
    "stall": "sends half an answer and no more, the connection stays open",
    "drop": "closes the connection half way",
    "truncated": "ends in the middle, as if that were all",
    "html": "a web page with status 200",
    "exceeded": "status 200, and 'Rate exceeded.' as text",
    "empty": "a feed without entries, or an empty list",
    "short": "half the papers of the page",
    "error": "a feed that says what is wrong, status 200",
    "error-400": "the same, status 400",
    "object": "a JSON object",
    "redirect": "sends elsewhere, where it is fine",
    "round": "sends round and round",
    "total-NUMBER": "announces another total",
    "together": "waits a moment for another request to be under way as well",
}

_FEED = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" \
xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/l0opb4ck</id>
  <title>arXiv Query: search_query=all:testing&amp;id_list=&amp;start=0&amp;max_results=10</title>
  <updated>2026-04-12T22:10:08Z</updated>
  <link href="https://arxiv.org/api/query?search_query=all:testing" type="application/atom+xml"/>
  <opensearch:itemsPerPage>{size}</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
{entries}</feed>
"""
_ENTRY = """  <entry>
    <id>http://arxiv.org/abs/{id}v{version}</id>
    <title>{title}</title>
    <updated>2025-03-14T15:05:19Z</updated>
    <link href="https://arxiv.org/abs/{id}v{version}" rel="alternate" type="text/html"/>
    <link href="https://arxiv.org/pdf/{id}v{version}" rel="related" type="application/pdf" \
title="pdf"/>
    <summary>{abstract}</summary>
    <category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/>
    <published>2025-03-13T15:05:19Z</published>
    <arxiv:primary_category term="cs.CL"/>
    <author>
      <name>Ada Lovelace</name>
    </author>
    <author>
      <name>Srinivasa Ramanujan</name>
    </author>
  </entry>
"""
_ERROR = """  <entry>
    <id>https://arxiv.org/api/errors#incorrect_query</id>
    <title>Error</title>
    <updated>2026-04-12T00:00:00Z</updated>
    <link href="https://arxiv.org/api/errors#incorrect_query" rel="alternate" type="text/html"/>
    <summary>incorrect query: cat without a value</summary>
    <author>
      <name>arXiv api core</name>
    </author>
  </entry>
"""
_PAGE = "<!DOCTYPE html>\n<html><head><title>Sorry</title></head><body>Back soon</body></html>\n"


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper as arXiv has it."""

    id: str
    title: str
    abstract: str
    version: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: its parameters, who asked, and from which port."""

    parameters: Mapping[str, str]
    agent: str | None
    port: int


def made(count: int, first: int = 1) -> list[Paper]:
    """Papers that differ in every word that counts."""
    return [
        Paper(
            f"2503.{number:05}",
            f"Paper number {number} & its <sequel>",
            f"Method{number} beats baseline{number} on corpus{number}. It reaches {number}.5%.",
        )
        for number in range(first, first + count)
    ]


class PapersServer:
    """What the server has, what it will do wrong, and what it was asked."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        self.papers = list(papers)
        self.days: dict[str, list[Paper]] = {}
        self.pages_known = True
        """Whether ``p`` is understood; else every page is the first."""
        self.troubles: deque[str] = deque()
        self.requests: list[Request] = []
        self.together = 0
        """The most requests that were under way at once."""
        self.leaving = threading.Event()
        self.port = 0
        self.active = 0
        self.changed = threading.Condition()

    @property
    def arxiv(self) -> str:
        """The address in the place of the arXiv API."""
        return f"http://127.0.0.1:{self.port}/arxiv"

    @property
    def daily(self) -> str:
        """The address in the place of the Daily Papers API."""
        return f"http://127.0.0.1:{self.port}/daily"

    @property
    def starts(self) -> list[int]:
        """From which paper on each request to arXiv asked."""
        return [int(request.parameters["start"]) for request in self.requests]

    def feed(self, parameters: Mapping[str, str], trouble: str) -> str:
        """The answer of the arXiv API."""
        start, size = int(parameters["start"]), int(parameters["max_results"])
        if trouble.startswith("error"):
            return _FEED.format(size=1, total=1, start=0, entries=_ERROR)
        total = trouble.removeprefix("total-") if trouble.startswith("total") else len(self.papers)
        shown = _some(self.papers[start : start + size], trouble)
        entries = "".join(
            _ENTRY.format(
                id=paper.id,
                version=paper.version,
                title=escape(paper.title),
                abstract=escape(paper.abstract),
            )
            for paper in shown
        )
        return _FEED.format(size=size, total=total, start=start, entries=entries)

    def list(self, parameters: Mapping[str, str], trouble: str) -> str:
        """The answer of the Daily Papers API."""
        if trouble == "object":
            return '{"error": "none"}'
        page = int(parameters["p"]) if self.pages_known else 0
        size = min(100, int(parameters["limit"]))
        day = self.days.get(parameters["date"], [])
        return json.dumps([_listed(p) for p in _some(day[page * size :][:size], trouble)])


def _some(papers: Sequence[Paper], trouble: str) -> Sequence[Paper]:
    if trouble == "empty":
        return ()
    return papers[: len(papers) // 2] if trouble == "short" else papers


def _listed(paper: Paper) -> dict[str, Any]:
    return {
        "paper": {
            "id": paper.id,
            "authors": [
                {"_id": "67d3", "name": "Ada Lovelace", "hidden": False},
                {"_id": "67d4", "name": "Srinivasa Ramanujan", "hidden": False},
            ],
            "publishedAt": "2025-03-13T15:05:19.000Z",
            "submittedOnDailyAt": "2025-03-14T00:41:52.154Z",
            "title": paper.title,
            "submittedOnDailyBy": {"fullname": "Somebody", "user": "somebody", "type": "user"},
            "summary": paper.abstract,
            "upvotes": 12,
            "discussionId": "67d3",
        },
        "publishedAt": "2025-03-13T11:05:19.000Z",
        "title": paper.title,
        "summary": paper.abstract,
        "thumbnail": "https://example.org/thumbnail.png",
        "numComments": 2,
        "submittedBy": {"fullname": "Somebody", "name": "somebody", "type": "user"},
        "isAuthorParticipating": False,
    }


@contextmanager
def papers_server(papers: Sequence[Paper] = ()) -> Iterator[PapersServer]:
    """Serve while entered."""
    served = PapersServer(papers)
    handler = type("Handler", (_Handler,), {"served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        served.leaving.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: PapersServer
    protocol_version = "HTTP/1.1"  # connections stay open

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        parameters = dict(parse_qsl(parts.query))
        served = self.served
        trouble = served.troubles.popleft() if served.troubles else "fine"
        with served.changed:
            agent = self.headers["User-Agent"]
            served.requests.append(Request(parameters, agent, self.client_address[1]))
            served.active += 1
            served.together = max(served.together, served.active)
            served.changed.notify_all()
            if trouble == "together":
                served.changed.wait_for(lambda: served.active > 1, 0.2)
        try:
            self._answer(parts.path, parameters, trouble)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait for the end
        finally:
            with served.changed:
                served.active -= 1

    def _answer(self, path: str, parameters: Mapping[str, str], trouble: str) -> None:
        status, _, after = trouble.partition("-after-")
        if trouble == "hang":
            self._leave()
        elif status.isdigit():
            self._send(_PAGE, int(status), {"Retry-After": after} if after else {})
        elif trouble == "400-says":
            self._send('{"error": "Invalid date"}', 400)
        elif trouble == "redirect":
            self._send("", 301, {"Location": f"/elsewhere{self.path}"})
        elif trouble == "round":
            self.served.troubles.append("round")
            self._send("", 302, {"Location": self.path})
        elif trouble == "html":
            self._send(_PAGE)
        elif trouble == "exceeded":
            self._send("Rate exceeded.")
        else:
            answer = self.served.list if path.endswith("/daily") else self.served.feed
            self._send_whole_or_not(answer(parameters, trouble), trouble)

    def _send_whole_or_not(self, text: str, trouble: str) -> None:
        if trouble == "truncated":
            self._send(text[: len(text) * 2 // 3])
        elif trouble in ("drop", "stall"):
            self._head(200, len(text.encode()), {})
            self.wfile.write(text.encode()[: len(text) // 2])
            self.wfile.flush()
            if trouble == "stall":
                self._leave()
            self.close_connection = True
        else:
            self._send(text, 400 if trouble == "error-400" else 200)

    def _leave(self) -> None:
        self.served.leaving.wait(20)
        self.close_connection = True

    def _send(self, text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = text.encode()
        self._head(status, len(body), headers or {})
        self.wfile.write(body)

    def _head(self, status: int, size: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
