"""What all scenarios share: their shape, the papers, and how a collection is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from eval.standin import StandInEmbedder
from rag.adding import add_papers
from rag.assistant import Assistant
from rag.backup.checks import check_catalog
from rag.health import examine
from rag.store.collection import Collection
from rag.store.database import FILE_NAME

Say = Callable[..., None]
"""Prints one JSON object a line; what was said counts as acknowledged."""

Said = Sequence[dict[str, Any]]

_TOPICS = ("grokking", "neutrinos", "zebrafish", "glaciers", "compilers", "enzymes", "quasars")


class Scenario:
    """A command that is killed while it works, and what must be left then."""

    name: ClassVar[str]

    def prepare(self, place: Path) -> None:
        """Make what the command works on, in an empty directory."""
        raise NotImplementedError

    def work(self, place: Path, say: Say) -> None:
        """What the process does that is killed; it knows only the place."""
        raise NotImplementedError

    def look(self, place: Path, said: Said, *, ended: bool) -> None:
        """See that nothing is lost; ``ended`` where the process came to its end.

        Raises:
            AssertionError: something is.
        """
        raise NotImplementedError

    def change(self, place: Path) -> None:
        """Between two processes: change something, so that before and after differ."""

    def renew(self, place: Path) -> None:
        """After a process that came to its end: make something to do again."""

    def close(self) -> None:
        """Let go of what was prepared outside of the place."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a collection holds, by which two states of it are told apart."""

    fingerprint: str
    papers: int
    unembedded: int


def paper(number: int) -> dict[str, Any]:
    """A paper that differs from all others."""
    topic = _TOPICS[number % len(_TOPICS)]
    text = f"Paper number {number} is about {topic}. It measures the value {number * 7}. "
    return {"title": f"{topic} {number}", "abstract": text * 3}


def write_papers(path: Path, numbers: Sequence[int]) -> Path:
    """A file of JSON lines with these papers."""
    path.write_text("".join(json.dumps(paper(number)) + "\n" for number in numbers), "utf-8")
    return path


def fill(directory: Path, numbers: Sequence[int]) -> None:
    """Add these papers to a collection, which is made if there is none."""
    file = write_papers(directory.with_name("some.jsonl"), numbers)
    with closing(Collection(directory, create=True)) as collection:
        add_papers(collection, StandInEmbedder(), [file], lambda *_: None, lambda *_: None)
    file.unlink()


def assistant(directory: Path) -> Assistant:
    """An assistant over a collection that the stand-in embeds."""
    return Assistant.open(directory, embedder=StandInEmbedder(), crossencoder="none", create=False)


def whole(directory: Path) -> Held:
    """Check every row of a catalog: pages, offsets, vectors, fingerprint.

    Raises:
        DamagedError: something cannot be true.
    """
    with closing(check_catalog(directory / FILE_NAME)) as catalog:
        counts = catalog.counts()
        fingerprint = catalog.meta().get("fingerprint", "")
        return Held(fingerprint, counts["papers"], counts["unembedded"])


def searched(directory: Path, numbers: Sequence[int]) -> None:
    """See that these papers are found, by words and, if they are embedded, by vectors."""
    embedder = StandInEmbedder()
    with closing(Collection(directory, create=False)) as collection:
        for number in numbers:
            values = paper(number)
            found = collection.catalog.find(values["title"])
            assert found is not None, values["title"]
            assert found.paper.abstract.strip() == values["abstract"].strip()
            assert collection.catalog.lexical(values["title"]), f"{values['title']}: no words"
            if collection.catalog.passages_of([found.number]):
                vector = embedder.embed_query(f"{values['title']}\n{values['abstract']}")
                assert found.number in collection.nearest(vector, 20), f"{number}: no vectors"


def well(directory: Path) -> None:
    """See that there is nothing that ``footnoted doctor`` would complain of."""
    with closing(Collection(directory, create=False)) as collection:
        findings = [f for f in examine(collection, StandInEmbedder()) if not f.well]
    assert not findings, findings
