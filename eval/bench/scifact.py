"""Ranking quality on SciFact's training queries, whose half we tune on and half we report.

Queries are split by id in blocks of 50 (ids are alphabetical, so a claim and its negation stay
together): even blocks tune, odd blocks report. nDCG@10 after Järvelin & Kekäläinen (2002) with
gains 2**grade - 1, the mean over queries with a judged document.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.assistant import Assistant
from rag.retrieval import Fusion

_BLOCK = 50
_SEED = 20_261_121
_PREFIX = "10.5555/scifact."
Judgements = Mapping[str, Mapping[str, int]]
Ranker = Callable[[str], Sequence[str]]


def scifact(arguments: argparse.Namespace) -> None:
    """Fused ranking beside BM25 alone and dense alone; ``--tune`` shows a grid of weights."""
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
    for name, fusion in (("BM25 alone", Fusion(0.0, 1.0)), ("dense alone", Fusion(1.0, 0.0))):
        other = _scores(_ranker(assistant, fusion), reporting, judgements)
        low, high = paired_interval(fused, other)
        print(
            f"{name}: {other.mean():.4f}; fused is better by {(fused - other).mean():.4f} "
            f"(95% paired bootstrap {low:+.4f} to {high:+.4f})"
        )


def paired_interval(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """95% percentile bootstrap of the mean of ``a - b`` over queries (10,000 resamples)."""
    random = np.random.default_rng(_SEED)
    differences = a - b
    picks = random.integers(0, len(differences), (10_000, len(differences)))
    low, high = np.percentile(differences[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first ``k``, from 0 to 1."""

    def total(gains: Sequence[int]) -> float:
        return math.fsum(
            (2.0**gain - 1) / math.log2(rank + 1) for rank, gain in enumerate(gains, 1)
        )

    best = total(sorted(grades.values(), reverse=True)[:k])
    return total([grades.get(document, 0) for document in ranking[:k]]) / best


def _ranker(assistant: Assistant, fusion: Fusion) -> Ranker:
    def rank(query: str) -> list[str]:
        hits = assistant.search(query, limit=10, fusion=fusion)
        return [str(hit.paper.doi).removeprefix(_PREFIX) for hit in hits]

    return rank


def _scores(
    rank: Ranker, queries: Mapping[str, str], judgements: Judgements
) -> NDArray[np.float64]:
    return np.array([ndcg(rank(text), judgements[id_]) for id_, text in queries.items()])


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
