"""What people do with a collection, each on the same small one, to be disturbed by faults."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from eval.standin import StandInEmbedder
from rag.adding import Stage, add_papers
from rag.backup.archive import opened
from rag.backup.importing import import_collection
from rag.backup.manifest import BACKUP, SHARED
from rag.backup.restoring import restore
from rag.backup.saving import back_up
from rag.backup.sharing import PAPERS, VECTORS, export_collection
from rag.backup.snapshot import CATALOG, HISTORY
from rag.errors import RagError
from rag.fetch.arxiv import ArxivQuery
from rag.fetch.taking import fetch_papers
from rag.schema import Answer
from rag.store.collection import Collection
from rag.store.history import History
from tests.fetching import Clock, client_of
from tests.papers_server import made, papers_server
from tests.stress.scenario import Held, assistant, fill, paper, searched, whole, write_papers

HELD = 60
MORE = 40

_QUESTION = "What is grokking?" + " Really?" * 2_000
_ANSWER = Answer(_QUESTION, _QUESTION, (), None, "", (), (), "extractive")
_SAYS_WHAT_TO_DO = re.compile(
    r"\b(run|check|name|restore|choose|wait|copy|use|move|make|update|do without)\b", re.IGNORECASE
)


def template(place: Path) -> Path:
    """A collection with an answer, a backup, a shared one, and a file of more papers."""
    place.mkdir(parents=True, exist_ok=True)
    fill(place / "source", range(HELD, HELD + MORE))
    export_collection(place / "source", place / "shared.zip")
    shutil.rmtree(place / "source")
    fill(place / "papers", range(HELD))
    with assistant(place / "papers") as asked:
        asked.ask("What is grokking?")
    back_up(place / "papers", place / "file.zip", history=False)
    write_papers(place / "more.jsonl", range(HELD, HELD + MORE))
    return place


def _add(place: Path) -> None:
    with closing(Collection(place / "papers", create=True)) as collection:
        add_papers(collection, StandInEmbedder(), [place / "more.jsonl"], _silent, lambda *_: None)


def _fetch(place: Path) -> None:
    with (
        papers_server(made(MORE)) as server,
        client_of(server.arxiv, Clock()) as client,
        closing(Collection(place / "papers", create=True)) as collection,
    ):
        source, embedder = ArxivQuery("cat:cs.CL"), StandInEmbedder()
        fetch_papers(
            collection,
            embedder,
            source,
            client,
            max_papers=None,
            on_progress=_silent,
            on_estimate=lambda *_: None,
        )


def _import(place: Path) -> None:
    with closing(Collection(place / "papers", create=True)) as collection:
        file, embedder = place / "shared.zip", StandInEmbedder()
        import_collection(collection, embedder, file, _silent, lambda *_: None)


def _remove(place: Path) -> None:
    with assistant(place / "papers") as opened_:
        opened_.remove(paper(HELD - 1)["title"])


def _rebuild(place: Path) -> None:
    with assistant(place / "papers") as opened_:
        opened_.rebuild()


def _back_up(place: Path) -> None:
    back_up(place / "papers", place / "file.zip")


def _restore(place: Path) -> None:
    restored = restore(place / "file.zip", place / "papers", force=True)
    if restored.aside is not None:
        shutil.rmtree(restored.aside)


def _export(place: Path) -> None:
    export_collection(place / "papers", place / "shared.zip")


def _keep_answer(place: Path) -> None:
    history = History(place / "papers")
    try:
        for _ in range(30):
            history.record(_ANSWER)
    finally:
        history.close()


def _silent(stage: Stage, done: int, total: int | None) -> None:
    """Listen to no progress."""


COMMANDS: Mapping[str, Callable[[Path], None]] = {
    "add": _add,
    "fetch": _fetch,
    "import": _import,
    "remove": _remove,
    "rebuild": _rebuild,
    "backup": _back_up,
    "restore --force": _restore,
    "export collection": _export,
    "keeping an answer": _keep_answer,
}


def refused(command: str, place: Path) -> str:
    """Run a command; returns the message it was refused with, empty if it was not.

    Raises:
        AssertionError: the message is not one line that says what to do.
    """
    try:
        COMMANDS[command](place)
    except RagError as error:
        return clear(error)
    return ""


def clear(error: RagError) -> str:
    """The message of an error, which must be one line that says what to do."""
    message = str(error)
    assert "\n" not in message, message
    assert _SAYS_WHAT_TO_DO.search(message), f"it says not what to do: {message}"
    return message


def intact(place: Path) -> Held:
    """See that the collection and both files are whole; returns what the collection holds."""
    held = whole(place / "papers")
    assert HELD - 1 <= held.papers <= HELD + MORE
    with opened(place / "file.zip", BACKUP, [CATALOG], HISTORY) as archive:
        for member in archive.manifest.members:
            archive.check(member)
    with opened(place / "shared.zip", SHARED, [PAPERS, VECTORS]) as archive:
        for member in archive.manifest.members:
            archive.check(member)
    searched(place / "papers", [0, HELD // 2])
    return held
