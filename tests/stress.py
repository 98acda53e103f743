"""Kill a writer with SIGKILL at random moments and look at what is left: ``make stress``.

    python -m tests.stress [ROUNDS]

The writer is a process of its own that adds papers with stand-in vectors and prints how many
records it has reported as read and how many papers as embedded. After every kill the collection
must open, hold at least what was reported, find it, and be whole; then the next writer goes on.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from eval.standin import StandInEmbedder
from rag.adding import Stage, add_papers
from rag.health import examine
from rag.store.collection import Collection

PAPERS = 1_500
ROUNDS = 200
_TOPICS = ("grokking", "neutrinos", "zebrafish", "glaciers", "compilers", "enzymes", "quasars")


@dataclass
class Reported:
    """What the killed writer had said was done."""

    read: int = 0
    embedded: int = 0


def write_papers(path: Path, papers: int) -> None:
    """A JSON Lines file of ``papers`` different papers."""
    with path.open("w", encoding="utf-8") as file:
        for n in range(papers):
            topic = _TOPICS[n % len(_TOPICS)]
            abstract = f"Paper number {n} is about {topic}. It measures the value {n * 7}. " * 3
            file.write(json.dumps({"title": f"{topic} {n}", "abstract": abstract}) + "\n")


def write(directory: Path, papers: Path) -> None:
    """What the writer process does."""

    def on_progress(stage: str, done: int, total: int | None) -> None:
        print(json.dumps({"stage": stage, "done": done}), flush=True)

    add_papers(
        Collection(directory, create=True),
        StandInEmbedder(),
        [papers],
        on_progress,
        lambda *_: None,
    )
    on_progress("end", 0, None)


def one_round(directory: Path, papers: Path, after_s: float) -> tuple[Reported, bool]:
    """Start a writer, kill it after a while; returns what it reported and whether it ended."""
    command = [sys.executable, "-m", "tests.stress", "write", str(directory), str(papers)]
    reported, ended = Reported(), False
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        killer = threading.Timer(after_s, writer.kill)
        assert writer.stdout is not None
        for number, line in enumerate(writer.stdout):
            # The clock starts with the first commit: kills fall on writing, not on start-up.
            if number == 0:
                killer.start()
            said = json.loads(line)
            ended = ended or said["stage"] == "end"
            if said["stage"] == Stage.READING:
                reported.read = said["done"]
            elif said["stage"] == Stage.EMBEDDING:
                reported.embedded = said["done"]
        killer.cancel()
    return reported, ended


def look(directory: Path, reported: Reported, embedded_before: int) -> int:
    """Check what is left; returns how many papers are embedded."""
    collection = Collection(directory, create=False)
    counts = collection.catalog.counts()
    embedded = counts["papers"] - counts["unembedded"]
    assert counts["papers"] >= reported.read, (counts, reported)
    assert embedded >= embedded_before + reported.embedded, (counts, reported, embedded_before)
    if counts["papers"]:
        assert collection.catalog.lexical("grokking 0")
    if embedded:
        vector = StandInEmbedder().embed_query("grokking 0 Paper number 0 is about grokking")
        assert collection.nearest(vector, 5)
    collection.close()
    return embedded


def stress(rounds: int, papers: int, longest_s: float, seed: int) -> str:
    """Kill and look, ``rounds`` times, over as many collections as that takes."""
    chance = random.Random(seed)
    kills = finished = 0
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "papers.jsonl"
        write_papers(file, papers)
        directory, embedded = Path(name) / "0", 0
        for number in range(rounds):
            reported, ended = one_round(directory, file, chance.uniform(0, longest_s))
            kills += not ended
            embedded = look(directory, reported, embedded)
            if ended:
                finished += 1
                assert embedded == papers
                _assert_whole(directory)
                directory, embedded = Path(name) / str(number + 1), 0
        if directory.exists():
            assert one_round(directory, file, 3600)[1]
            assert look(directory, Reported(papers, 0), 0) == papers
            _assert_whole(directory)
    return f"{kills} kills, {finished + 1} collections completed, nothing lost"


def _assert_whole(directory: Path) -> None:
    collection = Collection(directory, create=False)
    findings = [finding for finding in examine(collection, StandInEmbedder()) if not finding.well]
    assert not findings, findings
    collection.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
        print(stress(rounds, PAPERS, longest_s=3.0, seed=int(time.time())))
