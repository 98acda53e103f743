"""How fast papers are added, beside the raw speed of the model on the same texts."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eval.bench.timing import seconds_of
from rag.adding import AddReport
from rag.assistant import Assistant
from rag.ingest.passages import PassageParser, cut_passages
from rag.ingest.reading import read_papers
from rag.ingest.sentences import split_sentences
from rag.models.embedder import BundledEmbedder
from rag.schema import Paper, Record

SAMPLE = Path("data/daily_papers")


def sample(_: argparse.Namespace) -> None:
    """The sample collection from a cold start, and again."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "ui", "add", "-c", f"{home}/c", str(SAMPLE)]
        for name in ("first add", "second add"):
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
            took = time.perf_counter() - started
            print(f"{name}, cold process: {took:.1f} s ({done.stdout.splitlines()[0]})")


def against_raw(_: argparse.Namespace) -> None:
    """Adding the sample collection beside embedding its passages and nothing else.

    Raw and whole take turns, three times each; the best of each is compared.
    """
    texts = _passage_texts()
    raw, whole = [], []
    for _turn in range(3):
        embedder = BundledEmbedder()
        embedder.embed_query("warm up")
        raw.append(seconds_of(lambda: embedder.embed(texts)))  # noqa: B023 (called at once)
        with tempfile.TemporaryDirectory() as home:
            assistant = Assistant.open(Path(home) / "c", embedder=embedder)
            started = time.perf_counter()
            report: AddReport = assistant.add(SAMPLE)
            whole.append(time.perf_counter() - started)
            assistant.close()
        if report.passages != len(texts):
            raise RuntimeError(f"{report.passages} passages were added, {len(texts)} expected")
    print(f"raw model: {len(texts) / min(raw):.1f} passages/s ({len(texts)} passages)")
    print(f"add: {len(texts) / min(whole):.1f} passages/s, from files to Chroma")
    print(f"ratio: {min(raw) / min(whole):.2f}")


def _passage_texts() -> list[str]:
    embedder = BundledEmbedder()
    parser = PassageParser(max_tokens=embedder.max_tokens, count=embedder.count_tokens)
    records = {
        item.title: item for item in read_papers(SAMPLE) if isinstance(item, Record)
    }.values()
    return [
        text
        for record in records
        for _, text in cut_passages(
            parser,
            Paper("", record.title, record.abstract),
            split_sentences(record.abstract),
        )
    ]
