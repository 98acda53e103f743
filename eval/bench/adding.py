"""How fast papers are added, beside the raw speed of the model on the same texts."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from eval.bench import steps
from eval.bench.abstracts import write_papers
from eval.bench.figures import FILE_NAME, Figures, Kept, told
from eval.bench.searching import SOURCE, questions_from
from eval.bench.timing import in_own_process, load, seconds_of
from rag.adding import AddReport
from rag.assistant import Assistant
from rag.ingest.passages import PassageParser, cut_passages
from rag.ingest.reading import read_papers
from rag.ingest.sentences import split_sentences
from rag.models.embedder import BundledEmbedder
from rag.schema import Paper, Record

SAMPLE = Path("data/daily_papers")
_RAW_PAPERS = 3_000


def sample(_: argparse.Namespace) -> None:
    """The sample collection from a cold start, and again."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "ui", "add", "-c", f"{home}/c", str(SAMPLE)]
        for name in ("first add", "second add"):
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
            took = time.perf_counter() - started
            print(f"{name}, cold process: {took:.1f} s ({done.stdout.splitlines()[0]})")


def against_raw(arguments: argparse.Namespace) -> None:
    """Adding beside embedding the same passages and nothing else.

    The sample collection; with ``--papers``, so many real abstracts.
    """
    if arguments.papers is None:
        _sample_against_raw()
        return
    source = arguments.data / SOURCE
    if not source.exists():
        print(f"left out: {source} is not there")
        return
    _real_against_raw(source, arguments.work, arguments.papers)


def _sample_against_raw() -> None:
    """Raw and whole take turns, three times each; the best of each is compared."""
    texts = passage_texts(SAMPLE)
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


def _real_against_raw(source: Path, work: Path, papers: int) -> None:
    """One add between two runs of the model alone, each in a process of its own.

    The model alone reads the passages of 3,000 papers at most. The collection is kept, and asked
    how much of the exact search its index finds among the model's vectors.
    """
    file, directory = work / f"abstracts-{papers}.jsonl", work / f"embedded-{papers}"
    part = work / f"abstracts-{min(papers, _RAW_PAPERS)}.jsonl"
    write_papers(source, file, papers)
    write_papers(source, part, min(papers, _RAW_PAPERS))
    shutil.rmtree(directory, ignore_errors=True)
    kept = Kept(work / FILE_NAME)
    before = in_own_process(raw_model, part)
    print(f"raw model: {told(before)}", flush=True)
    whole = in_own_process(steps.whole_add, file, directory, BundledEmbedder)
    print(f"add: {told(whole)}", flush=True)
    after = in_own_process(raw_model, part)
    print(f"raw model: {told(after)}", flush=True)
    raw = 2 / (1 / before["passages_per_s"] + 1 / after["passages_per_s"])
    ratio = whole["passages_per_s"] / raw
    kept.add("embed", papers, {**whole, "raw_per_s": raw, "ratio": ratio})
    first, last = tenths([memory for _, memory in whole["samples"]])
    print(f"ratio: {ratio:.2f}")
    print(f"memory: {first:.0f} MB in the first tenth, {last:.0f} MB in the last")
    found = in_own_process(
        steps.searched, directory, questions_from(source, papers), BundledEmbedder
    )
    kept.add("embedded search", papers, found)
    print(f"search: {told(found)}")


def tenths(values: list[float]) -> tuple[float, float]:
    """The mean of the first tenth of the values, and of the last."""
    share = max(1, len(values) // 10)
    return float(np.mean(values[:share])), float(np.mean(values[-share:]))


def raw_model(file: Path) -> Figures:
    """The bundled model on the passages of a file's papers."""
    texts = passage_texts(file)
    embedder = BundledEmbedder()
    embedder.embed_query("warm up")
    before = load()
    took = seconds_of(lambda: embedder.embed(texts))
    return {
        "passages": len(texts),
        "took_s": took,
        "passages_per_s": len(texts) / took,
        "load": before,
    }


def passage_texts(path: Path) -> list[str]:
    """What the bundled embedder is given of the papers of a path, each paper once."""
    embedder = BundledEmbedder()
    parser = PassageParser(max_tokens=embedder.max_tokens, count=embedder.count_tokens)
    records = {item.title: item for item in read_papers(path) if isinstance(item, Record)}.values()
    papers = [
        (Paper("", record.title, record.abstract), split_sentences(record.abstract))
        for record in records
    ]
    return [text for passages in cut_passages(parser, papers) for _, text in passages]
