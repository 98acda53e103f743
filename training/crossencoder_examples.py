"""What the cross-encoder learns from, and what it is measured on.

Every epoch draws anew, from its own seed: neighbouring abstracts that do not answer, abstracts
with the answering sentences taken out, claims with other sentences than theirs. Nothing of the
sample collection or of the evaluation's cases is used. Of SciFact, only rows whose claim lies in
the tuning half (see `eval.bench.scifact`) and whose document is in no split but `train`.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.ingest.cleaning import display
from rag.ingest.sentences import split_sentences

Item = Mapping[str, Any]

BLOCK = 50  # of SciFact's ids; even blocks tune, odd ones report
NEIGHBOURS = 12


@dataclass(frozen=True, slots=True)
class Example:
    """A query and a text with what is known of them; None where a head has nothing to learn."""

    query: str
    title: str
    sentences: tuple[str, ...]
    answering: tuple[float, ...] | None = None
    answerable: float | None = None
    support: float | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """How often each kind of example is drawn in an epoch, from 0 to 1 of what there is."""

    neighbour: float = 0.7
    taken_out: float = 0.35
    miscited: float = 0.25
    whole_abstract: float = 0.4
    titled: float = 0.6


@dataclass(frozen=True, slots=True)
class Sources:
    """The training data, read once."""

    abstracts: Sequence[Item]
    neighbours: Mapping[str, Sequence[Item]]
    scifact_claims: Sequence[Example]
    scifact_queries: Sequence[tuple[str, Item, Sequence[Item]]]
    across: Sequence[Example] = ()
    shares: Shares = field(default_factory=Shares)


def read_split(data: Path, split: str) -> list[dict[str, Any]]:
    """The abstracts of one split of the reader data."""
    text = (data / "reader-data" / f"{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def merge(abstracts: Sequence[dict[str, Any]], more: Path) -> list[dict[str, Any]]:
    """The abstracts with the questions and claims of ``questions.jsonl`` put to theirs."""
    added: dict[str, list[Item]] = defaultdict(list)
    for line in (more / "questions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        added[row["id"]].append(row)
    names = ("questions", "unanswerable", "claims")
    return [
        {**item, **{n: sum((row.get(n, []) for row in added[item["id"]]), item[n]) for n in names}}
        for item in abstracts
    ]


def across(abstracts: Sequence[Item], more: Path) -> list[Example]:
    """The questions of ``across.jsonl``, each with the abstracts that give part of the answer.

    And with those, as unanswered, that look as if they did.
    """
    held = {item["id"]: item for item in abstracts}
    examples = []
    for line in (more / "across.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        for id_, sents in row["answers"].items():
            item = held[id_]
            marks = tuple(float(i in sents) for i in range(len(item["sentences"])))
            texts = tuple(item["sentences"])
            examples.append(Example(row["q"], item["title"], texts, marks, 1.0))
        others = [held[id_] for id_ in row["not"]]
        examples += [_unanswered(row["q"], item["title"], item["sentences"]) for item in others]
    return examples


def epoch(sources: Sources, seed: int) -> list[Example]:
    """One epoch's examples, shuffled; the same for the same seed."""
    rng = random.Random(seed)
    examples: list[Example] = []
    for item in sources.abstracts:
        examples += questions(item)
        examples += _negatives(item, sources, rng)
        examples += _claims(item, sources.shares, rng)
    examples += sources.scifact_claims
    examples += sources.across
    examples += _scifact_queries(sources, rng)
    rng.shuffle(examples)
    return examples


def questions(item: Item) -> Iterator[Example]:
    """An abstract's questions, those it answers and those it does not."""
    title, sentences = item["title"], tuple(item["sentences"])
    for question in item["questions"]:
        yield Example(question["q"], title, sentences, _marks(question, sentences), 1.0)
    for question in item["unanswerable"]:
        yield Example(question, title, sentences, (0.0,) * len(sentences), 0.0)


def _marks(question: Item, sentences: Sequence[str]) -> tuple[float, ...]:
    return tuple(float(i in question["sents"]) for i in range(len(sentences)))


def _negatives(item: Item, sources: Sources, rng: random.Random) -> Iterator[Example]:
    """The abstract's questions with texts that do not answer them."""
    for question in item["questions"]:
        if rng.random() < sources.shares.neighbour:
            other = rng.choice(sources.neighbours[item["id"]])
            yield _unanswered(question["q"], other["title"], other["sentences"])
        if rng.random() < sources.shares.taken_out:
            left = [s for i, s in enumerate(item["sentences"]) if i not in question["sents"]]
            if len(left) > 1:
                yield _unanswered(question["q"], item["title"], left)


def _unanswered(query: str, title: str, sentences: Sequence[str]) -> Example:
    return Example(query, title, tuple(sentences), (0.0,) * len(sentences), 0.0)


def _claims(item: Item, shares: Shares, rng: random.Random) -> Iterator[Example]:
    """The abstract's claims, over the sentences named for them or, where none is, all of it."""
    sentences: list[str] = item["sentences"]
    for claim in item["claims"]:
        cited = sorted(set(claim["sents"]))
        supported = float(claim["label"] == "supported")
        title = item["title"] if rng.random() < shares.titled else ""
        if not cited or rng.random() < shares.whole_abstract:
            marks = tuple(float(i in cited) for i in range(len(sentences)))
            yield Example(claim["c"], title, tuple(sentences), marks, None, supported)
        else:
            shown = tuple(sentences[i] for i in cited)
            yield Example(claim["c"], title, shown, None, None, supported)
        others = [i for i in range(len(sentences)) if i not in cited]
        if supported and others and rng.random() < shares.miscited:
            wrong = sorted(rng.sample(others, min(len(others), rng.choice((1, 1, 2)))))
            yield Example(claim["c"], title, tuple(sentences[i] for i in wrong), None, None, 0.0)


def _scifact_queries(sources: Sources, rng: random.Random) -> Iterator[Example]:
    for query, document, others in sources.scifact_queries:
        yield Example(query, document["title"], tuple(document["sentences"]), None, 1.0)
        for other in rng.sample(list(others), min(2, len(others))):
            yield _unanswered(query, other["title"], other["sentences"])


def nearest(
    queries: NDArray[np.float32], documents: NDArray[np.float32], count: int
) -> NDArray[np.intp]:
    """The ``count`` nearest documents of each query, by cosine; best first."""
    return np.argsort(-(queries @ documents.T), axis=1)[:, :count]


def neighbours_of(abstracts: Sequence[Item], vectors: NDArray[np.float32]) -> dict[str, list[Item]]:
    """For each abstract the others that are most like it."""
    order = nearest(vectors, vectors, NEIGHBOURS + 1)
    return {
        item["id"]: [abstracts[j] for j in row if j != i][:NEIGHBOURS]
        for i, (item, row) in enumerate(zip(abstracts, order.tolist(), strict=True))
    }


def scifact_rows(data: Path, split: str) -> list[Item]:
    """The rows of one split of the grounding pairs: a claim and an abstract."""
    with gzip.open(data / "bench/grounding/scifact.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [row for row in map(json.loads, lines) if row["split"] == split]


def claim_number(row: Item) -> int:
    """The number of a row's claim among SciFact's training claims."""
    return int(row["id"].split("-")[2])


def whole(row: Item) -> Example:
    """A row with its title and abstract, and the rationale's sentences where they are known."""
    title, *sentences = split(row["evidence"])
    why = [re.sub(r"\W", "", s) for s in row["rationale"]]
    marks = tuple(float(re.sub(r"\W", "", s) in why) for s in sentences)
    answerable = None if row["label_orig"] == "NEI" else 1.0
    supported = float(row["label"] == "supported")
    known = marks if any(marks) else None
    return Example(row["claim"], title, tuple(sentences), known, answerable, supported)


def scifact_claims(data: Path, held_out: set[str]) -> list[Example]:
    """The training rows of the tuning half, over the whole abstract and over the rationale."""
    examples = []
    for row in scifact_rows(data, "train"):
        if row["doc_id"] in held_out or not tunes(claim_number(row)):
            continue
        example = whole(row)
        examples.append(example)
        if example.answering is not None:
            marked = zip(example.sentences, example.answering, strict=True)
            shown = tuple(sentence for sentence, mark in marked if mark)
            bare = Example(example.query, example.title, shown, None, None, example.support)
            examples.append(bare)
    return examples


def split(text: str) -> list[str]:
    """The sentences of an abstract, as they are displayed."""
    return [display(text[start:end]) for start, end in split_sentences(text)]


def tunes(number: int) -> bool:
    """Whether a SciFact claim lies in the half that settings may be chosen on."""
    return number // BLOCK % 2 == 0


def scifact_corpus(data: Path) -> dict[str, dict[str, Any]]:
    """SciFact's documents by id, with the abstract in sentences."""
    corpus = {}
    with gzip.open(data / "bench/scifact/corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            corpus[str(row["id"])] = {**row, "sentences": split(row["abstract"])}
    return corpus


def scifact_judgements(data: Path) -> dict[str, set[str]]:
    """The relevant documents of each SciFact training query."""
    relevant = defaultdict(set)
    with (data / "bench/scifact/qrels_train.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if int(row["score"]) > 0:
                relevant[row["query-id"]].add(row["corpus-id"])
    return relevant


def scifact_queries(data: Path) -> dict[str, str]:
    """The queries of the tuning half by id."""
    with (data / "bench/scifact/queries_train.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["id"]: row["text"] for row in rows if tunes(int(row["id"]))}
