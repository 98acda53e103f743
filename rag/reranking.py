"""Re-ranking: the cross-encoder reads the best papers whole, and the order follows."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rag.ingest.cleaning import display
from rag.models.crossencoder import CrossEncoder, Pair
from rag.schema import Hit
from rag.store.catalog import StoredPaper

DEPTH = 20
"""How many papers are read."""

WEIGHT = 0.5
"""What a unit of the reading's logit counts, against one standard deviation of the fused score."""

_CUT = 7.0  # logits beyond it say no more


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brings: hits, best first, and their papers, best first, with sentences."""

    hits: tuple[Hit, ...]
    held: tuple[StoredPaper, ...]


def pair_of(query: str, title: str, sentences: Sequence[str]) -> Pair:
    """A paper as it is read against a question: as displayed, its sentences verbatim otherwise."""
    return Pair(query, display(title), tuple(display(text) for text in sentences))


def rerank(
    query: str,
    found: Found,
    encoder: CrossEncoder,
    *,
    weight: float = WEIGHT,
    also: Collection[str] = (),
) -> Found:
    """The same hits in the order of fused score plus reading; what is beyond `DEPTH` stays last.

    The papers with the ids ``also`` are read wherever they stand.

    Hits gain ``scores["answerable"]``: the probability, from 0 to 1, that their paper answers.
    """
    read = [h for place, h in enumerate(found.held) if place < DEPTH or h.paper.id in also]
    readings = encoder.read([pair_of(query, held.paper.title, held.texts) for held in read])
    chance = {
        held.paper.id: reading.answerable for held, reading in zip(read, readings, strict=True)
    }
    scored = [
        replace(
            hit,
            score=hit.score + weight * logit(chance[hit.paper.id]),
            scores={**hit.scores, "answerable": chance[hit.paper.id]},
        )
        for hit in found.hits
        if hit.paper.id in chance
    ]
    # sorted() is stable: equal scores keep the order of the search.
    ordered = sorted(scored, key=lambda hit: -hit.score)
    ordered += [hit for hit in found.hits if hit.paper.id not in chance]
    ranked = tuple(replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1))
    places = {id_: place for place, id_ in enumerate(dict.fromkeys(h.paper.id for h in ranked))}
    return Found(ranked, tuple(sorted(found.held, key=lambda held: places[held.paper.id])))


def logit(probability: float) -> float:
    """The log-odds of a probability, cut at ±7."""
    if probability <= 0 or probability >= 1:
        return math.copysign(_CUT, probability - 0.5)
    return max(-_CUT, min(_CUT, math.log(probability / (1 - probability))))
