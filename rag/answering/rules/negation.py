"""The claim denies what the evidence affirms, or the other way round."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answering.rules.words import Word, content, overlap, stem, words

CUES = frozenset(
    """not no never without cannot neither nor none nothing unable fail fails failed failing failure
    lack lacks lacked lacking hardly doesn't don't didn't isn't aren't wasn't weren't can't couldn't
    won't absent absence""".split()
)
"""Words that deny what follows them in their clause."""

_SOFT = frozenset(
    """only few little limited less rather instead however avoid avoids avoiding prevent prevents
    eliminate eliminates eliminating free unlike difficult hard challenge challenging remove removes
    removing ignore ignores contrast unknown unclear impossible difficulty barely rarely seldom
    little minimal negligible abolish abolished abolishes block blocked blocks loss lost lose miss
    missing restricted neglect neglects neglected prohibitive infeasible refuse independent
    independently regardless avoided omit omitted exclude excluded overlook overlooked insufficient
    inadequate deficient deficiency reject rejected contrary suffer suffers inability incapable
    impossible drop drops dropped disregard discards discard refrain besides alone beyond sparing
    spare spares dispense eschew eschewing short poor poorly bypass bypasses bypassing zero nor
    than overlooked obviate obviates obviating relax relaxes relaxing devoid unchanged same similar
    ceases stop stops stopped deny insensitive invariant irrespective unrelated any negative
    """.split()
)
"""Words that can carry a denial in other ways: where they stand, this rule keeps silent."""

_PREFIXES = ("un", "in", "im", "ir", "il", "non", "dis")
_SIMILAR = 0.6


def veto(claim: str, evidence: Sequence[str]) -> str | None:
    """The reason why a negation rules the claim out, or None.

    Compares the claim with the sentence of the evidence that holds most of its words; says
    nothing where that is less than 60% of them.
    """
    mine = words(claim)
    sentences = [words(sentence) for sentence in evidence]
    nearest = max(sentences, key=lambda sentence: overlap(mine, sentence), default=())
    if overlap(mine, nearest) < _SIMILAR:
        return None
    everything = tuple(word for sentence in sentences for word in sentence)
    return (
        _denied(mine, nearest, everything)
        or _affirmed(mine, nearest, everything)
    )


def _denied(mine: Sequence[Word], nearest: Sequence[Word], everything: Sequence[Word]) -> str | None:
    """The claim says "not X", the sentence X without any sign of denial."""
    if _wavers(nearest):
        return None
    affirmed = content(nearest)
    for cue, head in _heads(mine):
        if head.stem in affirmed:
            return f"the claim says “{cue.text} … {head.text}”, the evidence says it without “{cue.text}”"
    return None


def _affirmed(
    mine: Sequence[Word], nearest: Sequence[Word], everything: Sequence[Word]
) -> str | None:
    """The sentence says "not X", the claim X without any sign of denial."""
    if _wavers(mine):
        return None
    asserted = content(mine)
    for cue, head in _heads(nearest):
        if head.stem in asserted:
            return f"the evidence says “{cue.text} … {head.text}”, the claim says it without “{cue.text}”"
    return None


def _wavers(found: Sequence[Word]) -> bool:
    return any(
        word.lower in CUES
        or word.lower in _SOFT
        or word.lower.endswith(("n't", "n’t", "less", "free"))
        or (word.lower.startswith(_PREFIXES) and len(word.lower) > 5)
        for word in found
    )


def _heads(found: Sequence[Word]) -> list[tuple[Word, Word]]:
    """Each cue with the content words it denies: up to two after it in its clause."""
    pairs = []
    for place, cue in enumerate(found):
        if cue.lower in CUES:
            if cue.lower == "not" and found[place + 1 : place + 2] and found[place + 1].lower in (
                "only", "just", "merely", "necessarily", "limited", "yet", "all",
            ):
                continue
            after = [w for w in found[place + 1 : place + 6] if w.clause == cue.clause]
            pairs += [(cue, word) for word in [w for w in after if w.is_content][:2]]
    return pairs
