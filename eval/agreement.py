"""How far a check of support agrees with people, on labelled claim-evidence pairs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.statistics import Interval, cohen_kappa, wilson
from rag.answering.grounding import VETOES, Checker, check, is_verbatim
from rag.answering.rules import names
from rag.answering.rules.words import overlap, words
from rag.answering.support import SupportChecker
from rag.errors import FileError, InputError
from rag.ingest.sentences import split_sentences
from rag.models.bundled import BundledEmbedder
from rag.models.crossencoder import BundledCrossEncoder
from rag.models.embedder import Embedder
from rag.schema import Status

READER, SCIFACT = "reader-data", "bench/grounding/scifact.jsonl.gz"
TIERS = ("T0", "T1", "T2")
_ROW = "{:11} {:18} {:>5} {:>8} {:>20} {:>20} {:>8} {:>6}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim with the sentences it cites, and whether they support it according to people.

    ``title`` is the paper's, empty where it stands in the evidence; ``context`` is the rest of the
    paper: title and whole abstract. ``kind`` names what is wrong
    with an unsupported claim (``number``, ``direction`` …); empty for a supported one.
    """

    claim: str
    evidence: tuple[str, ...]
    context: tuple[str, ...]
    supported: bool
    kind: str = ""
    title: str = ""


Judge = Callable[[Pair], Status]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a check agrees with the labels; every figure is None over nothing.

    ``sensitivity`` is the share of truly supported pairs that are called supported,
    ``specificity`` the share of unsupported pairs that are called unsupported, ``balanced`` the
    mean of the two; ``kappa`` is Cohen's. ``kinds`` gives, by what is wrong with the claim, the
    share of unsupported pairs that are called so. ``unscored`` pairs got no verdict and count in
    no figure; of a tier that can only veto (``vetoes``) "not vetoed" counts as supported.
    """

    name: str
    data: str
    n: int
    unscored: int
    vetoes: bool
    sensitivity: Interval | None
    specificity: Interval | None
    balanced: float | None
    kappa: float | None
    kinds: Mapping[str, Interval] = field(default_factory=dict)


def agreement(
    judge: Judge | Checker,
    pairs: Sequence[Pair],
    *,
    name: str = "",
    data: str = "",
    vetoes: bool = False,
) -> Agreement:
    """Measure a checker, or a function from pair to status, on labelled pairs.

    Intervals are Wilson's, at 95%.
    """
    status_of = judge if callable(judge) else _statuses(judge)
    verdicts = [(pair, status_of(pair)) for pair in pairs]
    scored = [
        (pair, status is not Status.UNSUPPORTED)
        for pair, status in verdicts
        if vetoes or status is not Status.UNCHECKED
    ]
    kept = [said for pair, said in scored if pair.supported]
    caught = [(pair.kind, not said) for pair, said in scored if not pair.supported]
    sensitivity = wilson(sum(kept), len(kept))
    specificity = wilson(sum(found for _, found in caught), len(caught))
    return Agreement(
        name=name,
        data=data,
        n=len(pairs),
        unscored=len(pairs) - len(scored),
        vetoes=vetoes,
        sensitivity=sensitivity,
        specificity=specificity,
        balanced=_mean(sensitivity, specificity),
        kappa=cohen_kappa([pair.supported for pair, _ in scored], [said for _, said in scored]),
        kinds=_by_kind(caught),
    )


def _mean(one: Interval | None, other: Interval | None) -> float | None:
    return None if one is None or other is None else (one.value + other.value) / 2


def _by_kind(caught: Sequence[tuple[str, bool]]) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for kind in sorted({kind for kind, _ in caught}):
        mine = [hit for other, hit in caught if other == kind]
        interval = wilson(sum(mine), len(mine))
        if interval is not None:
            found[kind] = interval
    return found


def _statuses(checker: Checker) -> Judge:
    return lambda pair: checker.check(pair.claim, pair.evidence, pair.title).status


def load_pairs(path: Path, *, split: str | None = None, whole: bool = False) -> list[Pair]:
    """Read labelled pairs: reader-data (``.jsonl``) or SciFact's grounding pairs (``.jsonl.gz``).

    Evidence is the sentences that a claim cites, or with ``whole`` the title and every sentence
    of the abstract, which is all that SciFact's pairs have. ``split`` keeps the rows that say so.

    Raises:
        FileError: If the file cannot be read, or a line in it is no such record.
    """
    try:
        text = path.read_bytes()
        if path.suffix == ".gz":
            text = gzip.decompress(text)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}; see --data") from error
    pairs: list[Pair] = []
    for number, line in enumerate(text.decode("utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            if split is None or row.get("split") == split:
                pairs += _claims(row, whole=whole) if "claims" in row else [_grounding(row)]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise FileError(f"{path}:{number} holds no labelled claim: {error!r}") from error
    return pairs


def _claims(row: Mapping[str, Any], *, whole: bool) -> Iterator[Pair]:
    context = (row["title"], *row["sentences"])
    for claim in row["claims"]:
        cited = tuple(row["sentences"][place] for place in claim["sents"])
        supported = _label(claim["label"])
        evidence = context if whole else cited
        title = "" if whole else row["title"]
        yield Pair(claim["c"], evidence, context, supported, claim.get("edit", ""), title)


def _grounding(row: Mapping[str, Any]) -> Pair:
    text = row["evidence"]
    sentences = tuple(text[start:end] for start, end in split_sentences(text))
    supported = _label(row["label"])
    kind = "" if supported else row["label_orig"].lower()
    return Pair(row["claim"], sentences, sentences, supported, kind)


def _label(label: str) -> bool:
    if label not in ("supported", "unsupported"):
        raise ValueError(f"label must be supported or unsupported, got {label!r}")
    return label == "supported"


def exact(pair: Pair) -> Status:
    """T0 alone: supported only where the claim stands in the evidence word for word."""
    return Status.SUPPORTED if is_verbatim(pair.claim, pair.evidence) else Status.UNSUPPORTED


def rules(pair: Pair) -> Status:
    """T0, then every rule of T1; names are looked up in the paper's other sentences too."""
    return check(pair.claim, pair.evidence, context=pair.context).status


def cited_only(pair: Pair) -> Status:
    """T0 and T1 without the paper's other sentences."""
    return check(pair.claim, pair.evidence).status


def one_rule(name: str) -> Judge:
    """One rule of T1 by itself."""

    def judge(pair: Pair) -> Status:
        if name == "names":
            reason = names.veto(pair.claim, [*pair.evidence, *pair.context])
        else:
            reason = VETOES[name](pair.claim, pair.evidence)
        return Status.UNCHECKED if reason is None else Status.UNSUPPORTED

    return judge


def word_overlap(pair: Pair) -> float:
    """The share of the claim's content words that stand in the evidence, from 0 to 1."""
    return overlap(words(pair.claim), words(" \n ".join(pair.evidence)))


class Cosine:
    """The largest cosine of the claim to a sentence of the evidence, from -1 to 1."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def __call__(self, pair: Pair) -> float:
        """The likeness of one pair."""
        pieces = [piece for sentence in pair.evidence for piece in self._fitting(sentence)]
        vectors = self._embedder.embed(pieces)
        return float((vectors @ self._embedder.embed([pair.claim])[0]).max())

    def _fitting(self, sentence: str) -> Iterator[str]:
        """The sentence, halved until each piece is one that the embedder takes."""
        if self._embedder.count_tokens(sentence) <= self._embedder.max_tokens:
            yield sentence
            return
        held = sentence.split()
        yield from self._fitting(" ".join(held[: len(held) // 2]))
        yield from self._fitting(" ".join(held[len(held) // 2 :]))


def best_threshold(scores: Sequence[float], pairs: Sequence[Pair]) -> float:
    """The score from which "supported" is said with the best balanced accuracy on these pairs.

    The lowest such score on a tie; infinity over nothing.
    """

    def balanced(threshold: float) -> float:
        kept = [s >= threshold for s, pair in zip(scores, pairs, strict=True) if pair.supported]
        cut = [s < threshold for s, pair in zip(scores, pairs, strict=True) if not pair.supported]
        return sum(kept) / max(1, len(kept)) + sum(cut) / max(1, len(cut))

    return max(sorted(set(scores)), key=balanced, default=float("inf"))


def run(data: Path, tiers: Sequence[str] = TIERS) -> str:
    """Measure the tiers, each rule and two baselines on all labelled pairs under ``data``.

    The baselines' thresholds are chosen on reader-data's dev split, where they are flattered.

    Raises:
        InputError: If a tier is unknown.
        FileError: If the pairs are not there.
    """
    unknown = [tier for tier in tiers if tier not in TIERS]
    if unknown:
        raise InputError(f"there is no tier {unknown[0]!r}; expected: {', '.join(TIERS)}")
    reader = data / READER
    sets = {
        "reader dev": load_pairs(reader / "dev.jsonl"),
        "reader test": load_pairs(reader / "test.jsonl"),
        "scifact dev": load_pairs(data / SCIFACT, split="dev"),
    }
    measured = [
        measure
        for label, pairs in sets.items()
        for tier in tiers
        for measure in _tier(tier, label, pairs)
    ]
    for label, score in (("word overlap", word_overlap), ("cosine", Cosine(BundledEmbedder()))):
        measured += _baseline(label, score, sets)
    return report(measured)


def judged(data: Path, judge: Checker) -> Agreement:
    """Measure a language-model judge, with the exact check and the rules before it.

    On reader-data's test split: one call for every pair that those leave open (about 430).
    """
    pairs = load_pairs(data / READER / "test.jsonl")

    def status(pair: Pair) -> Status:
        return _with(judge, pair)

    return agreement(status, pairs, name=f"T0+T1+{judge.name}", data="reader test")


def _with(checker: Checker, pair: Pair) -> Status:
    """The exact check, the rules, and a further tier."""
    verdict = check(
        pair.claim, pair.evidence, title=pair.title, context=pair.context, checkers=[checker]
    )
    return verdict.status


def _tier(tier: str, data: str, pairs: Sequence[Pair]) -> Iterator[Agreement]:
    if tier == "T0":
        yield agreement(exact, pairs, name="T0 exact", data=data)
        return
    if tier == "T2":
        checker = SupportChecker(BundledCrossEncoder())
        yield agreement(checker, pairs, name=checker.name, data=data)
        yield agreement(lambda pair: _with(checker, pair), pairs, name="T0+T1+T2", data=data)
        return
    yield agreement(rules, pairs, name="T0+T1", data=data, vetoes=True)
    yield agreement(cited_only, pairs, name="T0+T1 cited only", data=data, vetoes=True)
    for name in (*VETOES, "names"):
        yield agreement(one_rule(name), pairs, name=f"T1 {name}", data=data, vetoes=True)


def _baseline(
    name: str, score: Callable[[Pair], float], sets: Mapping[str, Sequence[Pair]]
) -> Iterator[Agreement]:
    scores = {label: [score(pair) for pair in pairs] for label, pairs in sets.items()}
    dev = next(iter(sets))
    threshold = best_threshold(scores[dev], sets[dev])
    for label, pairs in sets.items():
        given = dict(zip(map(id, pairs), scores[label], strict=True))

        def judge(pair: Pair, given: Mapping[int, float] = given) -> Status:
            return Status.SUPPORTED if given[id(pair)] >= threshold else Status.UNSUPPORTED

        yield agreement(judge, pairs, name=f"{name} ≥ {threshold:.2f}", data=label)


def report(agreements: Sequence[Agreement]) -> str:
    """Two plain tables: agreement by check, and what share of each kind of error it finds."""
    lines = [
        "sensitivity: supported pairs called supported; specificity: unsupported called so",
        "checks marked * only veto: not vetoed counts as supported",
        _ROW.format(
            "data",
            "check",
            "n",
            "unscored",
            "sensitivity",
            "specificity",
            "balanced",
            "kappa",
        ),
    ]
    lines += [
        _ROW.format(
            one.data,
            one.name + "*" * one.vetoes,
            one.n,
            one.unscored,
            _shown(one.sensitivity),
            _shown(one.specificity),
            _number(one.balanced),
            _number(one.kappa),
        )
        for one in agreements
    ]
    lines += ["", "unsupported pairs found, by what is wrong with them"]
    for one in agreements:
        lines.append(f"{one.data:12} {one.name}")
        lines += [f"  {kind:14} {value.n:4} {_shown(value)}" for kind, value in one.kinds.items()]
    return "\n".join(lines)


def _shown(value: Interval | None) -> str:
    return "-" if value is None else f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
