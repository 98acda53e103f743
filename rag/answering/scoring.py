"""Which sentences answer a question, and whether an abstract answers it at all.

`SentenceScorer` is the seam: similarity serves until a trained cross-encoder stands in its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rag.answering.rules.names import missing_share
from rag.ingest.cleaning import display
from rag.models.crossencoder import CrossEncoder
from rag.reranking import logit, pair_of
from rag.store.catalog import Catalog, content_words, stems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.models.embedder import Embedder
    from rag.schema import Paper


@dataclass(frozen=True, slots=True)
class Abstract:
    """A paper to be read for an answer.

    ``sentences`` are verbatim; ``nearness`` is how near its best passage is to the question
    (cosine, -1 to 1).
    """

    paper: Paper
    sentences: tuple[str, ...]
    nearness: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What a scorer says of one abstract, in probabilities from 0 to 1.

    ``sentences``: that each one answers; ``answerable``: that the abstract answers at all, on which
    declining rests; ``relevance``: that it is the paper asked about, on which the choice among
    papers rests.
    """

    sentences: tuple[float, ...]
    answerable: float
    relevance: float


class SentenceScorer(Protocol):
    """Reads a question and abstracts."""

    def judge(self, question: str, abstracts: Sequence[Abstract]) -> list[Judged]:
        """One `Judged` for each abstract, in order."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression: ``sigmoid(weights · features + bias)``."""

    weights: tuple[float, ...]
    bias: float

    def __call__(self, *features: float) -> float:
        """The probability, from 0 to 1."""
        total = math.fsum(w * f for w, f in zip(self.weights, features, strict=True))
        return 1 / (1 + math.exp(-(total + self.bias)))


# Fitted by training/fit_similarity.py on ../shared/reader-data's train split; what they reach is
# in eval/RESULTS.md. Features: see `SimilarityScorer`.
SENTENCE = Logistic((2.71, -1.79, 3.98), -3.04)
ANSWERABLE = Logistic((1.53, 5.01, 3.42), -4.94)


class SimilarityScorer:
    """Scores by likeness: an embedder's cosine, and the share of the question's words.

    A word counts by its rarity in the collection (inverse document frequency). For a sentence the
    features are its cosine to the question, the share of the question's words it holds, and that
    share among words which the title does not hold already: what is asked *about* the paper. For
    an abstract they are the nearness of its passage, its best sentence's cosine, and the share of
    the question's words that it holds.
    """

    def __init__(self, embedder: Embedder, catalog: Catalog) -> None:
        self._embedder = embedder
        self._catalog = catalog

    def judge(self, question: str, abstracts: Sequence[Abstract]) -> list[Judged]:
        """One `Judged` for each abstract, in order."""
        features = self.features(question, abstracts)
        return [
            Judged(tuple(SENTENCE(*sentence) for sentence in sentences), chance, chance)
            for sentences, abstract in features
            for chance in [ANSWERABLE(*abstract)]
        ]

    def features(
        self, question: str, abstracts: Sequence[Abstract]
    ) -> list[tuple[list[tuple[float, float, float]], tuple[float, float, float]]]:
        """For each abstract, the features of its sentences and its own."""
        texts = [display(text) for abstract in abstracts for text in abstract.sentences]
        if not texts:
            return [([], (abstract.nearness, 0.0, 0.0)) for abstract in abstracts]
        cosines = iter((self._vectors(texts) @ self._embedder.embed_query(question)).tolist())
        titles = [abstract.paper.title for abstract in abstracts]
        asked, *found = map(set, stems([" ".join(content_words(question)), *titles, *texts]))
        weights = self._rarity(asked)
        in_titles, in_texts = found[: len(titles)], iter(found[len(titles) :])
        result = []
        for abstract, in_title in zip(abstracts, in_titles, strict=True):
            sentences, held = [], set(in_title)
            for _ in abstract.sentences:
                inside = next(in_texts)
                held |= inside
                sentences.append(
                    (
                        next(cosines),
                        _share(asked, inside, weights),
                        _share(asked - in_title, inside, weights),
                    )
                )
            best = max((sentence[0] for sentence in sentences), default=0.0)
            result.append((sentences, (abstract.nearness, best, _share(asked, held, weights))))
        return result

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        limit = self._embedder.max_tokens
        fitting = [text for text in texts if self._embedder.count_tokens(text) <= limit]
        vectors = iter(self._embedder.embed(fitting))
        chosen = set(fitting)
        # A sentence that exceeds the window (hundreds of CJK characters) is read in windows.
        return np.stack(
            [next(vectors) if t in chosen else self._embedder.embed_query(t) for t in texts]
        )

    def _rarity(self, terms: set[str]) -> dict[str, float]:
        frequencies = self._catalog.frequencies(terms)
        papers = self._catalog.counts()["papers"]
        return {
            term: math.log1p((papers - f + 0.5) / (f + 0.5))
            for term in terms
            for f in [frequencies.get(term, 0)]
        }


# Fitted by training/fit_reading.py on ../shared/reader-data's dev split, which the cross-encoder
# was not trained on. Features: see `ReadingScorer`.
READ_SENTENCE = Logistic((0.89, 1.33, -1.11, 1.03), -0.42)
READ_RELEVANCE = Logistic((0.65, 0.38, 2.10, 5.87, 2.74, -1.19), -6.66)
READ_ANSWERABLE = Logistic((0.39, 0.43, -2.26), 0.11)


class ReadingScorer:
    """Scores by reading: a cross-encoder's word, weighed with likeness.

    For a sentence the features are the logit of its reading and the three of `SimilarityScorer`.
    For an abstract they are the logits of "answerable" and of its best sentence, the three, and the
    share of the question's names that it does not hold. Its relevance rests on all of these,
    whether it answers on the two logits and the last only: a look-alike is as near as the paper
    that answers.
    """

    def __init__(self, encoder: CrossEncoder, similarity: SimilarityScorer) -> None:
        self._encoder = encoder
        self._similarity = similarity

    def judge(self, question: str, abstracts: Sequence[Abstract]) -> list[Judged]:
        """One `Judged` for each abstract, in order."""
        return [
            Judged(
                tuple(READ_SENTENCE(*s) for s in sentences),
                READ_ANSWERABLE(*whole[:2], whole[-1]),
                READ_RELEVANCE(*whole),
            )
            for sentences, whole in self.features(question, abstracts)
        ]

    def features(
        self, question: str, abstracts: Sequence[Abstract]
    ) -> list[tuple[list[tuple[float, ...]], tuple[float, ...]]]:
        """For each abstract, the features of its sentences and its own."""
        likeness = self._similarity.features(question, abstracts)
        readings = self._encoder.read(
            [pair_of(question, a.paper.title, a.sentences) for a in abstracts]
        )
        result: list[tuple[list[tuple[float, ...]], tuple[float, ...]]] = []
        for abstract, reading, (like, whole) in zip(abstracts, readings, likeness, strict=True):
            logits = [logit(chance) for chance in reading.sentences]
            sentences = [(read, *rest) for read, rest in zip(logits, like, strict=True)]
            best = max(logits, default=logit(0.0))
            texts = [display(text) for text in (abstract.paper.title, *abstract.sentences)]
            missing = missing_share(question, texts)
            result.append((list(sentences), (logit(reading.answerable), best, *whole, missing)))
        return result


def _share(asked: set[str], inside: set[str], weights: Mapping[str, float]) -> float:
    """The part of what is asked that is inside, by weight, from 0 to 1; 0 if nothing is asked."""
    total = math.fsum(weights[term] for term in asked)
    return math.fsum(weights[term] for term in asked & inside) / total if total else 0.0
