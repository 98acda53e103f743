"""The claim denies what the evidence affirms, or the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.answering.rules.words import Word, content, overlap, vocabulary, words

CUES = vocabulary(
    """not no never without cannot neither nor none nothing unable fail fails failed failing failure
    lack lacks lacked lacking hardly doesn't don't didn't isn't aren't wasn't weren't can't couldn't
    won't absent absence"""
)
"""Words that deny what follows them in their clause."""

_SOFT = vocabulary(
    """only few little limited less rather instead however avoid avoids avoiding prevent prevents
    eliminate eliminates eliminating free unlike difficult hard challenge challenging remove removes
    removing ignore ignores contrast unknown unclear impossible difficulty barely rarely seldom
    minimal negligible abolish abolished abolishes block blocked blocks loss lost lose miss
    missing restricted neglect neglects neglected prohibitive infeasible refuse independent
    independently regardless avoided omit omitted exclude excluded overlook overlooked insufficient
    inadequate deficiency reject rejected contrary suffer suffers inability incapable
    drop drops dropped disregard discards discard refrain besides alone beyond sparing
    spare spares dispense eschew eschewing short poor poorly bypass bypasses bypassing zero nor
    than obviate obviates obviating relax relaxes relaxing devoid unchanged same similar
    ceases stop stops stopped deny insensitive invariant irrespective unrelated any negative non
    compromise compromises compromising intact deprivation deprived deletion deleted deficient"""
)
"""Words that can carry a denial in other ways: where they stand, this rule keeps silent."""

_NOT_DENYING = frozenset({"only", "just", "merely", "necessarily", "limited", "yet", "all"})
_DENYING_PREFIX = re.compile(
    r"un(?!der|i[^nm]|til)|non|dis(?!t|c[ou]|ea|pl)|ir(?=r)|il(?=l[^u])|im(?=po|pr[ae]|pe|ma|mu)"
    r"|in(?=ef|ac|se|com|con|cor|val|var|ab|fea|trac|dep|dis|suf|cap)"
)
DENIED_FROM, AFFIRMED_FROM = 0.6, 0.5
"""The share of the claim's words that the sentence has to hold. Chosen on the train split, at a
first cut of the rule: of claims that deny, 36 vetoes were right and 6 wrong with one word after
"not" (42 and 14 with two); of claims that affirm, 57 and 2 with two words (44 and 1 with one)."""


def veto(claim: str, evidence: Sequence[str]) -> str | None:
    """The reason why a negation rules the claim out, or None.

    Compares the claim with the sentence of the evidence that holds most of its words; says
    nothing where that is less than half of them.
    """
    mine = words(claim)
    sentences = [words(sentence) for sentence in evidence]
    nearest = max(sentences, key=lambda sentence: overlap(mine, sentence), default=())
    similar = overlap(mine, nearest)
    twice = sum(word.lower in CUES for word in mine) > 1  # "does not work without it"
    if similar >= DENIED_FROM and not twice and not _wavers(nearest):
        # "not X" against a sentence that says X without any sign of denial
        for cue, head in _heads(mine, 1):
            if head.stem in content(nearest):
                return f"the claim says “{cue.text} … {head.text}”, the evidence does not deny it"
    if similar >= AFFIRMED_FROM and not _wavers(mine):
        for cue, head in _heads(nearest, 2):
            if head.stem in content(mine):
                return f"the evidence says “{cue.text} … {head.text}”, the claim does not deny it"
    return None


def _wavers(found: Sequence[Word]) -> bool:
    return any(
        word.lower in CUES
        or word.lower in _SOFT
        or word.lower.endswith(("n't", "n’t", "less", "free"))
        or (len(word.lower) > 5 and _DENYING_PREFIX.match(word.lower) is not None)
        for word in found
    )


def _heads(found: Sequence[Word], most: int) -> Iterator[tuple[Word, Word]]:
    """Each cue with the content words it denies: up to ``most`` after it in its clause."""
    for place, cue in enumerate(found):
        after = [word for word in found[place + 1 : place + 6] if word.clause == cue.clause]
        if cue.lower not in CUES or (after and after[0].lower in _NOT_DENYING):
            continue
        yield from ((cue, word) for word in [word for word in after if word.is_content][:most])
