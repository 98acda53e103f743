"""What the cross-encoder reaches on a split of the reader data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from rag.models.bundled import BundledEmbedder
from rag.models.crossencoder import Pair, Reading
from training import crossencoder_examples as data


class Reader(Protocol):
    """A cross-encoder, trained or in training."""

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        """One `Reading` for each pair, in order."""


def read(reader: Reader, examples: Sequence[data.Example]) -> list[Reading]:
    """What a cross-encoder says of examples."""
    return reader.read([Pair(e.query, e.title, e.sentences) for e in examples])


def measure_dev(folder: Path, reader: Reader) -> dict[str, float]:
    """The dev figures of a point of the learning curve."""
    answered, look_alike, neighbouring = questions(folder, "dev")
    readings = read(reader, [*answered, *look_alike, *neighbouring])
    chances = np.array([reading.answerable for reading in readings])
    n, m = len(answered), len(answered) + len(look_alike)
    first, second = best_right(answered, [reading.sentences for reading in readings[:n]])
    claims, labels = claim_examples(folder, "dev")
    support = np.array([reading.support for reading in read(reader, claims)])
    pairs, held = scifact_examples(folder)
    scifact = np.array([reading.support for reading in read(reader, pairs)])
    false, true, _ = roc_curve(labels, support)
    return {
        "top1": first,
        "top2": second,
        "answerable_look_alike": auc(chances[:n], chances[n:m]),
        "answerable_neighbour": auc(chances[:n], chances[m:]),
        "answerable": auc(chances[:n], chances[n:]),
        "support": round(float(roc_auc_score(labels, support)), 4),
        "support_bacc": round(float(((true + 1 - false) / 2).max()), 4),
        "scifact": round(float(roc_auc_score(held, scifact)), 4),
    }


def auc(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> float:
    """The chance that one of ``right`` scores above one of ``wrong``."""
    labels = [1] * len(right) + [0] * len(wrong)
    return round(float(roc_auc_score(labels, [*right, *wrong])), 4)


def best_right(
    examples: Sequence[data.Example], scores: Sequence[Sequence[float]]
) -> tuple[float, float]:
    """How often the best sentence answers, and one of the two best."""
    hits = []
    for example, logits in zip(examples, scores, strict=True):
        order = np.argsort(-np.array(logits))
        assert example.answering is not None
        marks = [example.answering[i] == 1 for i in order]
        hits.append((marks[0], any(marks[:2])))
    first, second = np.mean(hits, axis=0)
    return round(float(first), 4), round(float(second), 4)


@cache
def questions(
    folder: Path, split: str
) -> tuple[list[data.Example], list[data.Example], list[data.Example]]:
    """Answered questions, look-alikes that are not, and the answered ones over a neighbour.

    The neighbour is the nearest of the split's and the training abstracts, other than its own.
    """
    items = data.read_split(folder, split)
    pool = [*items, *data.read_split(folder, "train")]
    embedder = BundledEmbedder()
    vectors = np.stack(
        [embedder.embed_query(f"{p['title']}. {' '.join(p['sentences'])}") for p in pool]
    )
    answered: list[data.Example] = []
    look_alike: list[data.Example] = []
    neighbouring = []
    for place, item in enumerate(items):
        for example in data.questions(item):
            (answered if example.answerable else look_alike).append(example)
        for question in item["questions"]:
            near = data.nearest(embedder.embed_query(question["q"])[None], vectors, 2)[0]
            other = pool[next(int(i) for i in near if i != place)]
            neighbouring.append(
                data.Example(question["q"], other["title"], tuple(other["sentences"]))
            )
    return answered, look_alike, neighbouring


@cache
def claim_examples(folder: Path, split: str) -> tuple[list[data.Example], list[bool]]:
    """Claims over the title and the sentences that they cite, and whether these support them."""
    examples, labels = [], []
    for item in data.read_split(folder, split):
        for claim in item["claims"]:
            shown = tuple(item["sentences"][i] for i in sorted(set(claim["sents"])))
            examples.append(data.Example(claim["c"], item["title"], shown))
            labels.append(claim["label"] == "supported")
    return examples, labels


@cache
def scifact_examples(folder: Path) -> tuple[list[data.Example], list[bool]]:
    """SciFact's training claims that are not trained on (odd blocks), over whole abstracts."""
    rows = data.scifact_rows(folder, "train")
    kept = [row for row in rows if not data.tunes(data.claim_number(row))]
    examples = [data.whole(row) for row in kept]
    return examples, [row["label"] == "supported" for row in kept]
