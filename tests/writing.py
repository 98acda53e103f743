"""What tests of written answers share: a small collection, and replies that cite by words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.models.crossencoder import CrossEncoder
from rag.models.llm import EndpointModel, RetryBudget
from rag.store.collection import Collection
from rag.store.history import History
from tests.makers import PAPERS, put
from tests.openai_server import KEY, OpenAIServer, Reply, Request

QUESTION = "What is grokking?"
ONCE = RetryBudget(tries=1)

_CITED = re.compile(r"\[\[(.+?)\]\]")


def keyed(text: str, prompt: str) -> str:
    """The text with ``[[words]]`` replaced by the key of the sentence that holds the words."""

    def key(match: re.Match[str]) -> str:
        found = re.search(rf"^(\S+) .*{re.escape(match[1])}", prompt, re.MULTILINE)
        assert found, f"no sentence holds {match[1]!r}"
        return f"[{found[1]}]"

    return _CITED.sub(key, text)


def kind_of(request: Request) -> str:
    """Which prompt a request was made with."""
    for start, kind in (
        ("Rewrite the last question", "condense"),
        ("Each of these claims", "repair"),
        ("A collection of abstracts", "split"),
    ):
        if request.prompt.startswith(start):
            return kind
    return "answer"


def writes(answer: str, **others: str) -> Callable[[Request], Reply]:
    """Replies by kind of prompt; ``[[words]]`` in the answer become keys."""

    def reply(request: Request) -> Reply:
        kind = kind_of(request)
        return keyed(answer, request.prompt) if kind == "answer" else others[kind]

    return reply


@contextmanager
def assistant_at(
    directory: Path,
    server: OpenAIServer,
    mode: str = "ok",
    *,
    crossencoder: CrossEncoder | None = None,
    history: bool = False,
    window: int = 8192,
) -> Iterator[Assistant]:
    """An assistant over three small papers whose model is the server's."""
    collection = Collection(directory, create=True)
    if not collection.catalog.counts()["papers"]:
        put(collection, *PAPERS)
    model = EndpointModel(
        "loopback-1", base_url=server.url(mode), api_key=KEY, retries=ONCE, window=window
    )
    kept = History(collection.directory) if history else None
    with Assistant(collection, StandInEmbedder(), crossencoder, model, kept) as assistant:
        yield assistant
