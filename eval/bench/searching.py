"""Search over a large collection, with stand-in vectors: embedding has no part in it."""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import time
from functools import partial
from pathlib import Path

import numpy as np

from eval.bench.abstracts import write_papers
from eval.bench.timing import peak_memory_mb, percentiles, seconds_of
from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.schema import Filters
from rag.store.words import STOP_WORDS

SOURCE = "abstracts-50k.jsonl.gz"
_PAPERS = 50_000
_QUESTIONS = 200
_SEED = 20_261_121

stand_in = partial(StandInEmbedder, without=STOP_WORDS)
"""Makes the embedder of the collections that are made to measure everything but embedding."""


def search(arguments: argparse.Namespace) -> None:
    """Latency and memory of search over tens of thousands of real abstracts."""
    source = arguments.data / SOURCE
    if not source.exists():
        print(f"left out: {source} is not there")
        return
    papers = arguments.papers or _PAPERS
    assistant = _collection(arguments.work / f"scale-{papers}", source, papers)
    questions = questions_from(source, papers)
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


def questions_from(source: Path, papers: int) -> list[str]:
    """200 questions: a dozen words of an abstract, in their order, out of the middle.

    Args:
        source: gzipped JSON lines of papers.
        papers: how many of them, from the first, to choose from.
    """
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["abstract"] for line in itertools.islice(lines, papers)]
    random = np.random.default_rng(_SEED)
    count = min(_QUESTIONS, len(texts))
    chosen = [texts[i].split() for i in random.choice(len(texts), count, replace=False)]
    return ["what is known about " + " ".join(words[20:32] or words) for words in chosen]


def _collection(directory: Path, source: Path, papers: int) -> Assistant:
    assistant = Assistant.open(directory, embedder=stand_in())
    if assistant.counts()["papers"] and not assistant.counts()["unembedded"]:
        return assistant
    file = directory.with_suffix(".jsonl")
    write_papers(source, file, papers)
    started = time.perf_counter()
    report = assistant.add(file)
    took = time.perf_counter() - started
    print(f"added: {report}; {report.added / took:.0f} papers/s")
    return assistant
