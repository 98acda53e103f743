"""T2: the cross-encoder's word on whether evidence supports a claim."""

from __future__ import annotations

from collections.abc import Sequence

from rag.ingest.cleaning import display
from rag.models.crossencoder import CrossEncoder, Pair
from rag.schema import Status, Verdict

SUPPORTED_FROM = 0.27
"""The probability from which a claim counts as supported.

It has the best balanced accuracy on the reader data's dev split, where two claims in five are."""


class SupportChecker:
    """A `rag.answering.grounding.Checker` over a cross-encoder; reads English only."""

    name = "T2 cross-encoder"
    multilingual = False

    def __init__(self, encoder: CrossEncoder, *, supported_from: float = SUPPORTED_FROM) -> None:
        self._encoder = encoder
        self._supported_from = supported_from

    def check(self, claim: str, evidence: Sequence[str], title: str = "") -> Verdict:
        """The verdict on one claim over the sentences that it cites, with its probability."""
        sentences = tuple(display(sentence) for sentence in evidence)
        [reading] = self._encoder.read([Pair(display(claim), display(title), sentences)])
        chance = reading.support
        if chance >= self._supported_from:
            return Verdict(Status.SUPPORTED, self.name, "the evidence supports it", chance)
        reason = "the evidence does not seem to support it"
        return Verdict(Status.UNSUPPORTED, self.name, reason, chance)
