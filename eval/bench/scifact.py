"""Ranking quality on SciFact's training queries, whose half we tune on and half we report.

Queries are split by id in blocks of 50 (ids are alphabetical, so a claim and its negation stay
together): even blocks tune, odd blocks report. nDCG@10 is the mean over queries with a relevant
document.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.measures.retrieval import graded_ndcg_at
from eval.statistics import paired_bootstrap
from rag.assistant import Assistant
from rag.retrieval import Fusion

_BLOCK = 50
_PREFIX = "10.5555/scifact."
Judgements = Mapping[str, Mapping[str, int]]
Ranker = Callable[[str], Sequence[str]]


def scifact(arguments: argparse.Namespace) -> None:
    """Re-ranked beside fused, BM25 alone and dense alone; ``--tune`` shows grids of weights."""
    data = arguments.data / "scifact"
    if not data.exists():
        print(f"left out: {data} is not there")
        return
    assistant = _collection(arguments.work / "scifact", data)
    judgements = _judgements(data / "qrels_train.tsv")
    tuning, reporting = _halves(data / "queries_train.jsonl", judgements)
    if arguments.tune:
        for dense in (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
            values = _scores(_ranker(assistant, Fusion(dense, 1 - dense)), tuning, judgements)
            print(f"dense {dense:.1f}: nDCG@10 {values.mean():.4f} (n={len(values)}, tuning half)")
        return
    fused = _scores(_ranker(assistant, Fusion()), reporting, judgements)
    print(f"fused: nDCG@10 {fused.mean():.4f} (n={len(fused)}, reporting half)")
    read = _scores(_ranker(assistant, Fusion(), reread=True), reporting, judgements)
    gain = paired_bootstrap(read, fused)
    assert gain is not None
    print(
        f"re-ranked: nDCG@10 {read.mean():.4f}, better than fused by {gain.value:.4f} "
        f"(95% paired bootstrap {gain.low:+.4f} to {gain.high:+.4f})"
    )
    for name, fusion in (("BM25 alone", Fusion(0.0, 1.0)), ("dense alone", Fusion(1.0, 0.0))):
        other = _scores(_ranker(assistant, fusion), reporting, judgements)
        better = paired_bootstrap(fused, other)
        if better is None:
            continue
        print(
            f"{name}: {other.mean():.4f}; fused is better by {better.value:.4f} "
            f"(95% paired bootstrap {better.low:+.4f} to {better.high:+.4f})"
        )


def _ranker(assistant: Assistant, fusion: Fusion, *, reread: bool = False) -> Ranker:
    def rank(query: str) -> list[str]:
        hits = assistant.search(query, limit=10, fusion=fusion, reread=reread)
        return [str(hit.paper.doi).removeprefix(_PREFIX) for hit in hits]

    return rank


def _scores(
    rank: Ranker, queries: Mapping[str, str], judgements: Judgements
) -> NDArray[np.float64]:
    values = (graded_ndcg_at(rank(text), judgements[id_], 10) for id_, text in queries.items())
    return np.array([value for value in values if value is not None])


def _judgements(path: Path) -> Judgements:
    judgements: dict[str, dict[str, int]] = defaultdict(dict)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            judgements[row["query-id"]][row["corpus-id"]] = int(row["score"])
    return judgements


def _halves(path: Path, judgements: Judgements) -> tuple[dict[str, str], dict[str, str]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    halves: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for row in rows:
        if judgements.get(row["id"]):
            halves[int(row["id"]) // _BLOCK % 2][row["id"]] = row["text"]
    return halves


def _collection(directory: Path, data: Path) -> Assistant:
    """SciFact's corpus as a collection; a document's id is kept as a made-up DOI."""
    assistant = Assistant.open(directory)
    if not assistant.counts()["papers"]:
        part = directory.with_suffix(".jsonl")
        with gzip.open(data / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        part.write_text(
            "\n".join(
                json.dumps(
                    {
                        "title": row["title"],
                        "abstract": row["abstract"],
                        "doi": f"{_PREFIX}{row['id']}",
                    }
                )
                for row in rows
            ),
            encoding="utf-8",
        )
        print(f"embedding {len(rows):,} abstracts once, kept in {directory}")
        print(assistant.add(part))
        part.unlink()
    return assistant
