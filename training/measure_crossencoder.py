"""What the bundled cross-encoder reaches, beside its baselines; prints tables for RESULTS.md.

    python training/measure_crossencoder.py ../shared [--split dev]

Needs scikit-learn beside the installed project. Baselines that learn (question-only, claim-only)
are logistic regressions over words and word pairs, trained on the train split.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from eval.agreement import SCIFACT, Cosine, load_pairs, word_overlap  # noqa: E402
from eval.agreement import Pair as Labelled  # noqa: E402
from eval.statistics import Interval, expected_calibration_error, wilson  # noqa: E402
from rag.answering.grounding import check  # noqa: E402
from rag.answering.rules.words import words  # noqa: E402
from rag.answering.support import SUPPORTED_FROM, SupportChecker  # noqa: E402
from rag.models.bundled import BundledEmbedder  # noqa: E402
from rag.models.crossencoder import BundledCrossEncoder, Pair  # noqa: E402
from rag.schema import Status  # noqa: E402
from training import crossencoder_examples as data  # noqa: E402
from training.crossencoder_measures import best_right, claim_examples, questions, read  # noqa: E402

Floats = NDArray[np.float64]
ROUNDS = 2_000


def main(folder: Path, split: str) -> None:
    """Measure everything on a split."""
    encoder, embedder = BundledCrossEncoder(), BundledEmbedder()
    _sentences_and_answerable(folder, split, encoder, embedder)
    _support(folder, split, encoder, embedder)
    _scifact(folder, encoder, embedder)


def _cosines(embedder: BundledEmbedder, example: data.Example) -> list[float]:
    vectors = np.stack([embedder.embed_query(s) for s in example.sentences])
    return [float(c) for c in vectors @ embedder.embed_query(example.query)]


def _overlaps(example: data.Example) -> list[float]:
    asked = set(words(example.query))
    return [len(asked.intersection(words(s))) / max(1, len(asked)) for s in example.sentences]


def _sentences_and_answerable(
    folder: Path, split: str, encoder: BundledCrossEncoder, embedder: BundledEmbedder
) -> None:
    answered, alike, neighbouring = questions(folder, split)
    everything = [*answered, *alike, *neighbouring]
    readings = read(encoder, everything)
    cosines = [_cosines(embedder, e) for e in everything]
    print(f"\n## Sentences ({split}, n={len(answered)})\nscorer | best right | one of two best")
    for name, scores in (
        ("cross-encoder", [r.sentences for r in readings]),
        ("similarity", cosines),
        ("word overlap", [_overlaps(e) for e in everything]),
    ):
        first, second = best_right(answered, scores[: len(answered)])
        n = len(answered)
        print(f"{name} | {_share(first, n)} | {_share(second, n)}")
    n, m = len(answered), len(answered) + len(alike)
    only = _texts_only(
        [
            (e.query, e.answerable)
            for i in data.read_split(folder, "train")
            for e in data.questions(i)
        ]
    )
    print(f"\n## Answerable ({split}): AUC against look-alikes (n={len(alike)}), neighbours, both")
    for name, chances in (
        ("cross-encoder", [r.answerable for r in readings]),
        ("similarity (best sentence)", [max(c) for c in cosines]),
        ("word overlap (best sentence)", [max(_overlaps(e)) for e in everything]),
        ("question only", only([e.query for e in everything])),
    ):
        score = np.array(chances)
        columns = [_auc(score[:n], part) for part in (score[n:m], score[m:], score[n:])]
        print(f"{name} | {' | '.join(columns)}")
    labels = np.array([1] * n + [0] * (len(everything) - n))
    sure = np.array([r.answerable for r in readings])
    print(f"ECE of answerable: {expected_calibration_error(sure, labels):.3f}")


def _support(
    folder: Path, split: str, encoder: BundledCrossEncoder, embedder: BundledEmbedder
) -> None:
    examples, labels = claim_examples(folder, split)
    truth = np.array(labels)
    chance = np.array([r.support for r in read(encoder, examples)])
    dev, dev_labels = claim_examples(folder, "dev")
    dev_truth = np.array(dev_labels)
    bare = [data.Example(e.query, "", e.sentences) for e in examples]
    pairs = load_pairs(folder / "reader-data" / f"{split}.jsonl")
    likeness = Cosine(embedder)
    train = [
        (c["c"], float(c["label"] == "supported"))
        for i in data.read_split(folder, "train")
        for c in i["claims"]
    ]
    only = _texts_only(train)
    dev_pairs = load_pairs(folder / "reader-data/dev.jsonl")
    threshold = SUPPORTED_FROM
    print(f"\n## Support ({split}, n={len(truth)}); thresholds from dev; ours {threshold:.3f}")
    print("check | AUC | balanced accuracy | sensitivity | specificity")
    _line("cross-encoder", chance, truth, threshold)
    bare_chance = np.array([r.support for r in read(encoder, bare)])
    _line("cross-encoder, no title", bare_chance, truth, threshold)
    tiers = _tiers(pairs, [e.title for e in examples], encoder, threshold)
    _line("T0+T1+T2", tiers, truth, 0.5)
    for name, score, dev_score in (
        ("word overlap", [word_overlap(p) for p in pairs], [word_overlap(p) for p in dev_pairs]),
        ("similarity", [likeness(p) for p in pairs], [likeness(p) for p in dev_pairs]),
        ("claim only", only([e.query for e in examples]), only([e.query for e in dev])),
    ):
        _line(name, np.array(score), truth, _threshold(np.array(dev_score), dev_truth))
    print(f"ECE of support: {expected_calibration_error(chance, truth):.3f}")
    kinds = defaultdict(list)
    for pair, own, all_tiers in zip(pairs, chance < threshold, tiers < 0.5, strict=True):
        if not pair.supported:
            kinds[pair.kind].append((own, all_tiers))
    print("kind | n | found by the cross-encoder | by T0+T1+T2")
    for kind, found in sorted(kinds.items(), key=lambda item: -len(item[1])):
        own, all_tiers = np.mean(found, axis=0)
        print(
            f"{kind} | {len(found)} | {_share(own, len(found))} | {_share(all_tiers, len(found))}"
        )


def _tiers(
    pairs: Sequence[Labelled],
    titles: Sequence[str],
    encoder: BundledCrossEncoder,
    threshold: float,
) -> Floats:
    checker = SupportChecker(encoder, supported_from=threshold)
    verdicts = [
        check(p.claim, p.evidence, title=title, context=p.context, checkers=[checker])
        for p, title in zip(pairs, titles, strict=True)
    ]
    return np.array([float(v.status is Status.SUPPORTED) for v in verdicts])


def _scifact(folder: Path, encoder: BundledCrossEncoder, embedder: BundledEmbedder) -> None:
    """The dev rows; thresholds from the train rows that were not trained on (odd blocks)."""
    train = [
        pair
        for pair, number in zip(
            load_pairs(folder / SCIFACT, split="train"), _claim_numbers(folder), strict=True
        )
        if not data.tunes(number)
    ]
    dev = load_pairs(folder / SCIFACT, split="dev")
    likeness = Cosine(embedder)

    def chances(pairs: Sequence[Labelled]) -> Floats:
        texts = [Pair(p.claim, p.evidence[0], tuple(p.evidence[1:])) for p in pairs]
        return np.array([r.support for r in encoder.read(texts)])

    def scores(measure: Callable[[Labelled], float], pairs: Sequence[Labelled]) -> Floats:
        return np.array([measure(p) for p in pairs])

    truth = np.array([p.supported for p in dev])
    train_truth = np.array([p.supported for p in train])
    print(f"\n## SciFact dev rows (n={len(dev)}); thresholds from {len(train)} other rows")
    own, threshold = chances(dev), _threshold(chances(train), train_truth)
    _line("cross-encoder", own, truth, threshold)
    right = own >= threshold
    for name, measure in (("word overlap", word_overlap), ("similarity", likeness)):
        score, cut = scores(measure, dev), _threshold(scores(measure, train), train_truth)
        _line(name, score, truth, cut)
        print(f"  better by {_difference(right, score >= cut, truth)}")


def _claim_numbers(folder: Path) -> list[int]:
    import gzip

    with gzip.open(folder / SCIFACT, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [int(r["id"].split("-")[2]) for r in rows if r["split"] == "train"]


def _texts_only(labelled: Sequence[tuple[str, float | None]]) -> Callable[[list[str]], list[float]]:
    """A baseline that sees one side of the pair; returns its scores."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), LogisticRegression(C=4)
    )
    model.fit([text for text, _ in labelled], [label == 1 for _, label in labelled])
    return lambda texts: model.predict_proba(texts)[:, 1].tolist()


def _threshold(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """The score from which "supported" has the best balanced accuracy."""
    return float(max(np.unique(scores), key=lambda cut: _balanced(scores >= cut, truth)))


def _balanced(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def _line(name: str, scores: Floats, truth: NDArray[np.bool_], threshold: float) -> None:
    said = scores >= threshold
    low, high = _bootstrap(lambda i: _balanced(said[i], truth[i]), truth)
    kept, cut = said[truth], ~said[~truth]
    print(
        f"{name} | {_auc(scores[truth], scores[~truth])} | "
        f"{_balanced(said, truth):.3f} ({low:.3f} to {high:.3f}) | "
        f"{_share(kept.mean(), len(kept))} | {_share(cut.mean(), len(cut))}"
    )


def _difference(one: NDArray[np.bool_], other: NDArray[np.bool_], truth: NDArray[np.bool_]) -> str:
    low, high = _bootstrap(
        lambda i: _balanced(one[i], truth[i]) - _balanced(other[i], truth[i]), truth
    )
    return f"{_balanced(one, truth) - _balanced(other, truth):+.3f} ({low:+.3f} to {high:+.3f})"


def _bootstrap(
    measure: Callable[[NDArray[np.intp]], float], truth: NDArray[np.bool_]
) -> tuple[float, float]:
    """A 95% percentile interval, resampled within each class."""
    rng = np.random.default_rng(7)
    places = [np.flatnonzero(truth), np.flatnonzero(~truth)]
    values = [
        measure(np.concatenate([rng.choice(place, len(place)) for place in places]))
        for _ in range(ROUNDS)
    ]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _auc(right: Floats, wrong: Floats) -> str:
    labels = np.array([True] * len(right) + [False] * len(wrong))
    scores = np.concatenate([right, wrong])
    rng = np.random.default_rng(7)
    values = []
    for _ in range(500):
        i = np.concatenate([rng.integers(0, len(right), len(right)),
                            rng.integers(len(right), len(labels), len(wrong))])  # fmt: skip
        values.append(roc_auc_score(labels[i], scores[i]))
    low, high = np.quantile(values, (0.025, 0.975))
    return f"{roc_auc_score(labels, scores):.3f} ({low:.3f} to {high:.3f})"


def _share(share: float, n: int) -> str:
    interval = wilson(round(share * n), n)
    assert isinstance(interval, Interval)
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    arguments = parser.parse_args()
    main(arguments.data, arguments.split)
