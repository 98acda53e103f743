"""What tests are made of: small papers, and collections filled without files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.standin import StandInEmbedder
from rag.schema import Passage, Record
from rag.store.collection import Collection, Writing, identity

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "daily_papers"
SHARED = ROOT.parent / "shared"

GROKKING = Record(
    "Grokking in small transformers",
    "Networks first memorise and then generalise suddenly. We call this grokking. "
    "It happens after 10,000 steps of training on modular addition.",
    source="a.txt",
)
SIGHT = Record(
    "Seeing with language",
    "Vision encoders can be trained from captions alone. Our encoder reaches 76.2% on ImageNet.",
    source="a.txt",
)
MINDS = Record(
    "Minds of machines",
    "Theory of mind is the ability to ascribe beliefs to others. Large models fail at it.",
    source="b.txt",
)
PAPERS = (GROKKING, SIGHT, MINDS)


def put(collection: Collection, *records: Record) -> list[str]:
    """Take records in and give every waiting paper one passage a sentence; returns outcomes."""
    embedder = StandInEmbedder()
    with collection.writing(embedder) as writing:
        outcomes = writing.catalog.put(records)
        fill(writing, embedder)
        return [str(outcome) for outcome in outcomes]


def fill(writing: Writing, embedder: StandInEmbedder, limit: int = 1000) -> None:
    """Give up to ``limit`` waiting papers one passage a sentence."""
    writing.catalog.set_meta(**identity(embedder))
    for held in writing.catalog.unembedded(0, limit):
        passages = [Passage(0, "", i, i + 1, s, e) for i, (s, e) in enumerate(held.spans)]
        texts = [held.paper.abstract[p.start : p.end] for p in passages]
        writing.catalog.put_passages([(held.number, passages, embedder.embed(texts))])
    writing.follow()


def nearest_ids(collection: Collection, text: str, limit: int = 5) -> list[str]:
    """Paper ids nearest to a text by the stand-in's vectors."""
    vector = np.asarray(StandInEmbedder().embed_query(text))
    numbers: Sequence[int] = collection.nearest(vector, limit)
    held = collection.catalog.papers(numbers)
    return [held[number].paper.id for number in numbers]
