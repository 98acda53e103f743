"""Embedding over an endpoint that takes its time: what requests side by side are worth."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from multiprocessing.connection import Connection

from eval.bench.timing import seconds_of
from rag.models.embedder import EndpointEmbedder
from rag.models.endpoint import BATCH_SIZE

ANSWER_S = 0.05
REQUESTS = (1, 2, 4, 8)
_BATCHES = 160
_VECTOR = [(i % 97 - 48.5) / 1000 for i in range(384)]


def endpoint(_: argparse.Namespace) -> None:
    """Texts a second by the number of requests, also where the consumer takes its time as well."""
    texts = [f"text {i} about something" for i in range(_BATCHES * BATCH_SIZE)]
    milliseconds = f"{ANSWER_S * 1000:.0f} ms"
    print(f"a server that answers {BATCH_SIZE} texts after {milliseconds}")
    alone_s: float | None = None
    with _serving() as url:
        for requests in REQUESTS:
            embedder = EndpointEmbedder("stand-in", base_url=url, requests=requests)
            embedder.embed_query("warm up")
            took_s = seconds_of(lambda: embedder.embed(texts))  # noqa: B023 (called at once)
            writing_s = seconds_of(lambda: _write(embedder, texts))  # noqa: B023
            embedder.close()
            alone_s = alone_s or took_s
            print(
                f"{requests} at a time: {len(texts) / took_s:,.0f} texts/s "
                f"({alone_s / took_s:.2f} times one); with a consumer that takes {milliseconds} "
                f"for each {BATCH_SIZE}: {len(texts) / writing_s:,.0f} texts/s"
            )


def _write(embedder: EndpointEmbedder, texts: list[str]) -> None:
    vectors = embedder.embed_stream(texts)
    while list(islice(vectors, BATCH_SIZE)):
        time.sleep(ANSWER_S)


@contextmanager
def _serving() -> Iterator[str]:
    """The address of a server in a process of its own, so that its work is not the client's."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def _serve(there: Connection) -> None:
    server = _Server(("127.0.0.1", 0), _Handler)
    there.send(server.server_port)
    server.serve_forever()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Answer with the same vector for every text."""
        began = time.perf_counter()
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        rows = [
            {"object": "embedding", "index": i, "embedding": _VECTOR} for i in range(len(texts))
        ]
        body = json.dumps({"object": "list", "data": rows, "model": "m", "usage": {}}).encode()
        time.sleep(max(0.0, ANSWER_S - (time.perf_counter() - began)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's)
        """Say nothing."""
