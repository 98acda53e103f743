"""Whether the right papers were found: over a ranking of paper ids, best first.

A paper that is listed twice counts once, at its first place. Every measure is from 0 to 1, and
None where nothing is relevant.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence


def recall_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float | None:
    """Share of the gold papers among the first ``k`` (the divisor is all gold papers)."""
    wanted = set(gold)
    return len(wanted & set(_first(ranking, k))) / len(wanted) if wanted else None


def all_gold_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float | None:
    """1 if every gold paper is among the first ``k``, else 0: what a comparison needs."""
    wanted = set(gold)
    return float(wanted <= set(_first(ranking, k))) if wanted else None


def reciprocal_rank(ranking: Sequence[str], gold: Collection[str]) -> float | None:
    """1 over the rank of the first gold paper, 0 if there is none; its mean is MRR."""
    if not gold:
        return None
    places = enumerate(dict.fromkeys(ranking), 1)
    return next((1 / rank for rank, paper in places if paper in gold), 0.0)


def ndcg_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float | None:
    """`graded_ndcg_at` where every gold paper has grade 1."""
    return graded_ndcg_at(ranking, dict.fromkeys(gold, 1), k)


def graded_ndcg_at(ranking: Sequence[str], grades: Mapping[str, int], k: int) -> float | None:
    """Normalised discounted cumulative gain of the first ``k``.

    Gains ``2**grade - 1`` over ``log2(rank + 1)``, divided by the same of the best possible
    ranking (Järvelin & Kekäläinen 2002; these gains: Burges et al. 2005).
    """
    best = _gain(sorted(grades.values(), reverse=True)[:k])
    if not best > 0:
        return None
    return _gain([grades.get(paper, 0) for paper in _first(ranking, k)]) / best


def _gain(grades: Sequence[int]) -> float:
    return math.fsum((2.0**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def _first(ranking: Sequence[str], k: int) -> list[str]:
    return list(dict.fromkeys(ranking))[:k]
