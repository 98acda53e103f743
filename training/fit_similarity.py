"""Fit the two logistic regressions of `rag.answering.scoring` and report what they reach.

    python training/fit_similarity.py ../shared/reader-data

Needs scikit-learn beside the installed project. Fits on the train split: half of its abstracts
form a collection, the questions on the other half are those that it does not hold. Prints weights
to copy into ``rag/answering/scoring.py`` and figures on the dev split.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from rag.answering.scoring import Abstract, SimilarityScorer
from rag.assistant import Assistant
from rag.models.embedder import BundledEmbedder
from rag.schema import Paper

Rows = list[tuple[float, ...]]


def read(path: Path) -> list[dict[str, Any]]:
    """The abstracts of one split."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def build(directory: Path, abstracts: Sequence[dict[str, Any]]) -> Assistant:
    """A collection of these abstracts."""
    lines = [
        json.dumps({"title": a["title"], "abstract": " ".join(a["sentences"])}) for a in abstracts
    ]
    file = directory / "papers.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    assistant = Assistant.open(directory / "collection")
    assistant.add(file)
    return assistant


def sentence_rows(
    scorer: SimilarityScorer, abstracts: Sequence[dict[str, Any]]
) -> Iterator[tuple[Rows, list[bool]]]:
    """For each question, the features of its abstract's sentences and which of them answer."""
    for item in abstracts:
        paper = Paper(item["id"], item["title"], " ".join(item["sentences"]))
        abstract = Abstract(paper, tuple(item["sentences"]), 0.0)
        for question in item["questions"]:
            [(sentences, _)] = scorer.features(question["q"], [abstract])
            yield list(sentences), [i in question["sents"] for i in range(len(sentences))]


def answerable_rows(
    assistant: Assistant, scorer: SimilarityScorer, questions: Sequence[str]
) -> Rows:
    """The features of the abstract that looks most answerable, for each question."""
    rows: Rows = []
    for question in questions:
        hits = assistant.search(question, limit=5)
        abstracts = [
            Abstract(
                hit.paper,
                tuple(
                    hit.paper.abstract[s.start : s.end] for s in assistant.sentences(hit.paper.id)
                ),
                hit.scores.get("dense", 0.0),
            )
            for hit in hits
        ]
        rows.append(max((f for _, f in scorer.features(question, abstracts)), key=sum))
    return rows


def first_right(model: LogisticRegression, groups: Sequence[tuple[Rows, list[bool]]]) -> float:
    """The share of questions whose best-scored sentence answers."""
    return float(np.mean([y[int(np.argmax(model.decision_function(x)))] for x, y in groups]))


def show(name: str, model: LogisticRegression) -> None:
    """Print a model as source."""
    weights = ", ".join(f"{w:.2f}" for w in model.coef_[0])
    print(f"{name} = Logistic(({weights}), {model.intercept_[0]:.2f})")


def labelled(
    assistant: Assistant,
    scorer: SimilarityScorer,
    held: Sequence[dict[str, Any]],
    foreign: Sequence[dict[str, Any]],
) -> tuple[Rows, NDArray[np.bool_]]:
    """Features and labels of questions on held abstracts (true) and on foreign ones (false)."""
    inside = [q["q"] for item in held for q in item["questions"]]
    outside = [q["q"] for item in foreign for q in item["questions"]]
    rows = answerable_rows(assistant, scorer, [*inside, *outside])
    return rows, np.array([True] * len(inside) + [False] * len(outside))


def main(data: Path) -> None:
    """Fit on train, report on dev."""
    train, dev = read(data / "train.jsonl"), read(data / "dev.jsonl")
    held, foreign = train[::2], train[1::2]
    with tempfile.TemporaryDirectory() as directory:
        assistant = build(Path(directory), [*held, *dev[::2]])
        scorer = SimilarityScorer(BundledEmbedder(), assistant._collection.catalog)
        groups = list(sentence_rows(scorer, train[:600]))
        x = [row for rows, _ in groups for row in rows]
        y = [label for _, labels in groups for label in labels]
        sentence = LogisticRegression(C=1e3).fit(x, y)
        show("SENTENCE", sentence)
        dev_groups = list(sentence_rows(scorer, dev))
        print(f"best sentence right: dev {first_right(sentence, dev_groups):.3f}")
        rows, labels = labelled(assistant, scorer, held[:300], foreign[:300])
        answerable = LogisticRegression(C=1e3).fit(rows, labels)
        show("ANSWERABLE", answerable)
        rows, labels = labelled(assistant, scorer, dev[::2], dev[1::2])
        chances = answerable.predict_proba(rows)[:, 1]
        print(f"answerable against not held: dev AUC {roc_auc_score(labels, chances):.3f}")
        near = answerable_rows(assistant, scorer, [q for d in dev[::2] for q in d["unanswerable"]])
        close = answerable.predict_proba(near)[:, 1]
        for threshold in np.arange(0.1, 0.65, 0.05):
            refused = float(np.mean(chances[labels] < threshold))
            caught = float(np.mean(chances[~labels] < threshold))
            print(
                f"below {threshold:.2f}: {refused:.3f} of held refused, {caught:.3f} of not held "
                f"and {np.mean(close < threshold):.3f} of look-alikes declined"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
