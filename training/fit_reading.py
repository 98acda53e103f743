"""Fit the logistic regressions that weigh the cross-encoder's reading with likeness.

    python training/fit_reading.py ../shared/reader-data

Needs scikit-learn beside the installed project. Fits on the dev split, which the cross-encoder was
not trained on, in a collection of the dev abstracts and half of the training ones; prints weights
to copy into ``rag/answering/scoring.py``, and what they reach in five-fold cross-validation by
abstract.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rag.answering.scoring import Abstract, ReadingScorer, SimilarityScorer  # noqa: E402
from rag.assistant import Assistant  # noqa: E402
from rag.models.bundled import BundledEmbedder  # noqa: E402
from rag.models.crossencoder import BundledCrossEncoder  # noqa: E402
from rag.schema import Paper  # noqa: E402
from training.fit_similarity import build, read, show  # noqa: E402

Item = dict[str, Any]
READ = 5  # papers read for a question


def sentence_groups(
    scorer: ReadingScorer, items: Sequence[Item]
) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """For each question, its abstract's sentences: features, and which of them answer."""
    groups = []
    for item in items:
        paper = Paper(item["id"], item["title"], " ".join(item["sentences"]))
        abstract = Abstract(paper, tuple(item["sentences"]), 0.0)
        for question in item["questions"]:
            [(sentences, _)] = scorer.features(question["q"], [abstract])
            marks = [i in question["sents"] for i in range(len(sentences))]
            groups.append((np.array(sentences), np.array(marks)))
    return groups


def own_rows(scorer: ReadingScorer, items: Sequence[Item]) -> list[tuple[list[float], bool]]:
    """For each question, what its own abstract lacks, and whether it answers."""
    rows = []
    for item in items:
        paper = Paper(item["id"], item["title"], " ".join(item["sentences"]))
        abstract = Abstract(paper, tuple(item["sentences"]), 0.0)
        asked = [(q["q"], True) for q in item["questions"]]
        asked += [(q, False) for q in item["unanswerable"]]
        for question, answerable in asked:
            [(_, whole)] = scorer.features(question, [abstract])
            rows.append(([*whole[:2], whole[-1]], answerable))
    return rows


def abstract_rows(
    assistant: Assistant, scorer: ReadingScorer, items: Sequence[Item]
) -> list[tuple[NDArray[np.float64], NDArray[np.bool_], bool]]:
    """For each question, the papers found: features, which is its own, and whether any answers."""
    rows = []
    for item in items:
        asked = [(q["q"], True) for q in item["questions"]]
        asked += [(q, False) for q in item["unanswerable"]]
        for question, answerable in asked:
            hits = assistant.search(question, limit=READ, reread=True)
            abstracts = [
                Abstract(
                    hit.paper,
                    tuple(
                        hit.paper.abstract[s.start : s.end]
                        for s in assistant.sentences(hit.paper.id)
                    ),
                    hit.scores.get("dense", 0.0),
                )
                for hit in hits
            ]
            features = np.array([f for _, f in scorer.features(question, abstracts)])
            own = np.array([hit.paper.title == item["title"] for hit in hits])
            rows.append((features, own & answerable, answerable))
    return rows


def rivals(
    found: Sequence[tuple[NDArray[np.float64], NDArray[np.bool_], bool]],
) -> list[list[float] | None]:
    """For each question the abstract that seems to answer it most, of those that do not."""
    best = []
    for features, own, _ in found:
        others = features[~own]
        row = others[int(np.argmax(others[:, 0]))] if len(others) else None
        best.append(None if row is None else [*row[:2], row[-1]])
    return best


def main(data: Path) -> None:
    """Fit on dev."""
    train, dev = read(data / "train.jsonl"), read(data / "dev.jsonl")
    with tempfile.TemporaryDirectory() as directory:
        assistant = build(Path(directory), [*dev, *train[::2]])
        similarity = SimilarityScorer(BundledEmbedder(), assistant._collection.catalog)
        scorer = ReadingScorer(BundledCrossEncoder(), similarity)
        _fit_sentences(sentence_groups(scorer, dev))
        found = abstract_rows(assistant, scorer, dev)
        _fit_answerable(own_rows(scorer, dev), rivals(found))
        _fit_relevance(found)


def _fit_sentences(groups: list[tuple[NDArray[np.float64], NDArray[np.bool_]]]) -> None:
    def fitted(some: list[int]) -> LogisticRegression:
        x = np.concatenate([groups[i][0] for i in some])
        return LogisticRegression(C=10).fit(x, np.concatenate([groups[i][1] for i in some]))

    right, alone = [], []
    places = list(range(len(groups)))
    for inside, outside in GroupKFold(5).split(places, groups=[i // 3 for i in places]):
        model = fitted(inside.tolist())
        for i in outside:
            x, marks = groups[i]
            order = np.argsort(-model.decision_function(x))
            right.append((marks[order[0]], marks[order[:2]].any()))
            order = np.argsort(-x[:, 0])
            alone.append((marks[order[0]], marks[order[:2]].any()))
    show("READ_SENTENCE", fitted(places))
    print(
        "best right, one of two: weighed", np.mean(right, axis=0), "alone", np.mean(alone, axis=0)
    )


def _fit_answerable(
    own: Sequence[tuple[list[float], bool]], other: Sequence[list[float] | None]
) -> None:
    rows = [*own, *((features, False) for features in other if features)]
    x, y = np.array([features for features, _ in rows]), np.array([label for _, label in rows])
    chance = np.zeros(len(y))
    groups = [i % len(own) // 4 for i in range(len(y))]
    for inside, outside in GroupKFold(5).split(x, groups=groups):
        # Both kinds count alike: how often questions cannot be answered is not known beforehand.
        model = LogisticRegression(C=10, class_weight="balanced").fit(x[inside], y[inside])
        chance[outside] = model.predict_proba(x[outside])[:, 1]
    show("READ_ANSWERABLE", LogisticRegression(C=10, class_weight="balanced").fit(x, y))
    print(f"answerable against look-alike: AUC {roc_auc_score(y, chance):.3f}")
    print(f"  by the reading alone: {roc_auc_score(y, x[:, 0]):.3f}")
    for threshold in np.arange(0.1, 0.65, 0.05):
        print(
            f"below {threshold:.2f}: {np.mean(chance[y] < threshold):.3f} of answerable refused, "
            f"{np.mean(chance[~y] < threshold):.3f} of look-alikes declined"
        )


def _fit_relevance(rows: list[tuple[NDArray[np.float64], NDArray[np.bool_], bool]]) -> None:
    def fitted(some: list[int]) -> LogisticRegression:
        x = np.concatenate([rows[i][0] for i in some])
        return LogisticRegression(C=10).fit(x, np.concatenate([rows[i][1] for i in some]))

    places, first = list(range(len(rows))), []
    for inside, outside in GroupKFold(5).split(places, groups=[i // 4 for i in places]):
        model = fitted(inside.tolist())
        for i in outside:
            if rows[i][2]:
                chances = model.predict_proba(rows[i][0])[:, 1]
                first.append(rows[i][1][int(np.argmax(chances))])
    show("READ_RELEVANCE", fitted(places))
    print(f"own paper most relevant: {np.mean(first):.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
