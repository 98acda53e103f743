"""Search over a large collection, with stand-in vectors: embedding has no part in it."""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from eval.bench.timing import peak_memory_mb, percentiles, seconds_of
from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.schema import Filters

_SEED = 20_261_121


def search(arguments: argparse.Namespace) -> None:
    """Latency and memory of search over tens of thousands of real abstracts."""
    source = arguments.data / "abstracts-50k.jsonl.gz"
    if not source.exists():
        print(f"left out: {source} is not there")
        return
    assistant = _collection(arguments.work / f"search-{arguments.papers}", source, arguments.papers)
    questions = _questions(source, arguments.papers)
    print(f"{assistant.counts()}, stand-in vectors")
    for name, filters in (
        ("no filter", None),
        ("one year", Filters(year_from=2019, year_to=2019)),
        ("from 2015", Filters(year_from=2015)),
        ("author 'wang'", Filters(author="wang")),
        ("venue 'acl'", Filters(venue="acl")),
    ):
        assistant.search(questions[0], filters=filters)
        times = [
            seconds_of(lambda: assistant.search(question, filters=filters))  # noqa: B023
            for question in questions
        ]
        found = sum(1 for _ in itertools.islice(assistant.papers(filters), 1_000_000))
        print(f"{name} ({found:,} papers): {percentiles(times)}")
    print(f"peak memory of this process: {peak_memory_mb():.0f} MB")


def _rows(source: Path, papers: int) -> list[dict[str, Any]]:
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in itertools.islice(lines, papers)]


def _questions(source: Path, papers: int) -> list[str]:
    """200 questions: a dozen words of an abstract, in their order, out of the middle."""
    random = np.random.default_rng(_SEED)
    rows = _rows(source, papers)
    chosen = [rows[i]["abstract"].split() for i in random.choice(len(rows), 200, replace=False)]
    return ["what is known about " + " ".join(words[20:32] or words) for words in chosen]


def _collection(directory: Path, source: Path, papers: int) -> Assistant:
    part = directory.with_suffix(".jsonl")
    assistant = Assistant.open(directory, embedder=StandInEmbedder())
    if assistant.counts()["papers"] and not assistant.counts()["unembedded"]:
        return assistant
    with gzip.open(source, "rb") as lines, part.open("wb") as out:
        out.writelines(itertools.islice(lines, papers))
    started = time.perf_counter()
    report = assistant.add(part)
    took = time.perf_counter() - started
    print(f"added: {report}; {report.added / took:.0f} papers/s")
    part.unlink()
    return assistant
