"""Whether what is said stands in what was read: claims against what was retrieved.

Unlike citation recall, any retrieved text may carry the claim, footnoted or not (Es et al. 2024).
The verdict comes from outside; None means unscored, which is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from eval.schema import GivenClaim, Response

Verdict = Callable[[GivenClaim], bool | None]
"""Is the claim supported by what was retrieved? None: unscored."""


def supported_share(response: Response, verdict: Verdict) -> float | None:
    """Supported claims over scored claims, from 0 to 1.

    None if declined or if no claim was scored; 0 for an answer that is empty without declining.
    """
    if response.declined is not None:
        return None
    if not response.claims:
        return 0.0
    scored = [result for claim in response.claims if (result := verdict(claim)) is not None]
    return sum(scored) / len(scored) if scored else None


def fully_grounded(response: Response, verdict: Verdict) -> float | None:
    """1 if every claim is supported, 0 if one is not or the answer is empty.

    None if declined, or if a claim is unscored and none is known to be unsupported.
    """
    if response.declined is not None:
        return None
    results = [verdict(claim) for claim in response.claims]
    if not results or False in results:
        return 0.0
    return None if None in results else 1.0
