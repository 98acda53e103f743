"""The claim says "up" where the evidence says "down" of the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rag.answering.rules.comparators import compared
from rag.answering.rules.negation import CUES
from rag.answering.rules.words import Word, stem, words

# One axis a line: the words of one pole, a bar, the words of the other; "2:" asks for two shared
# neighbours. Chosen on 5,995 hand-written claims (train split): axes that were often wrong with
# one shared neighbour ask for two, or went: "with | without" (60% of 52 vetoes right),
# "before | after" (3 of 6), "dependent | independent" (2 of 10).
_AXES = """
2: increase raise grow grew grown growth elevate elevation upregulate upregulation upregulated \
enhance higher greater larger bigger rise rose boost promote accelerate gain \
| decrease reduce reduction lower drop decline diminish downregulate downregulation fewer smaller \
shrink attenuate suppress cut fell impair lessen inhibit
2: improve improvement better enhance boost superior strengthen best \
| worsen degrade degradation deteriorate worse impair hurt harm inferior weaken poorer worst
more | less fewer
faster quicker accelerate fast fastest speedup | slower slow slowdown decelerate slowest
outperform exceed surpass beat | underperform trail lag
2: activate activation induce stimulate promote facilitate enable \
| inhibit inhibition suppress block prevent repress abolish hinder
earlier early earliest | later late latest
2: robust resistant resilient immune | vulnerable susceptible sensitive fragile
2: strong stronger strongest | weak weaker weakest
high highest higher | low lowest lower
large larger largest big bigger | small smaller smallest
deep deeper deepest | shallow shallower
long longer longest | short shorter shortest
2: easy easier easily | hard harder difficult
positive positively | negative negatively inversely
upper | lower
wide wider broad broader | narrow narrower
cheap cheaper inexpensive | expensive costlier
simple simpler simplest | complex complicated
linear linearly | nonlinear quadratic quadratically exponential exponentially
convex | nonconvex
maximize maximise maximum maximal | minimize minimise minimum minimal
overestimate overestimation | underestimate underestimation
encoder | decoder
above | below
upstream | downstream
offline | online
2: similar same alike identical | different differ dissimilar distinct
common frequent often commonly frequently | rare uncommon rarely infrequent seldom
all every | none some
global globally | local locally
dense | sparse
static | dynamic
known | unknown
related | unrelated
consistent | inconsistent
stable | unstable
effective | ineffective
efficient efficiently | inefficient inefficiently
2: discrete | continuous
gain | loss
dominant | recessive
acute | chronic
benign | malignant
win | lose
"""
_REACH = 4
"""Words on each side of a pole that may name what it is said of."""


@dataclass(frozen=True, slots=True)
class Pole:
    """A word that takes a side: its axis and side, how many shared neighbours it asks for.

    ``near`` are the stems of the content words within four words of it; ``following`` is the word
    right after it. ``denied`` marks a negation shortly before. ``sides`` are the content
    stems before the word and after "than", where it compares.
    """

    axis: int
    side: int
    asks: int
    word: Word
    near: frozenset[str]
    following: str
    denied: bool
    sides: tuple[frozenset[str], frozenset[str]] | None


def _table() -> dict[str, list[tuple[int, int, int]]]:
    table: dict[str, list[tuple[int, int, int]]] = {}
    for axis, line in enumerate(_AXES.strip().splitlines()):
        asks = 2 if line.startswith("2:") else 1
        for side, pole in enumerate(line.removeprefix("2:").split("|")):
            for word in pole.split():
                place = (axis, side, asks)
                if place not in table.setdefault(stem(word), []):
                    table[stem(word)].append(place)
    return table


_SIDES = _table()


def veto(claim: str, evidence: Sequence[str]) -> str | None:
    """The reason why a direction rules the claim out, or None.

    An axis speaks only where claim and evidence each take one side of it, not both, and the words
    around name the same thing; a denied pole ("does not increase") is left to other checks.
    """
    mine = list(poles(words(claim)))
    theirs = [pole for sentence in evidence for pole in poles(words(sentence))]
    for pole in mine:
        if pole.denied or len(_sides(mine, pole.axis)) > 1 or len(_sides(theirs, pole.axis)) > 1:
            continue
        for other in theirs:
            if other.axis == pole.axis and other.side != pole.side and _of_the_same(pole, other):
                return f"the claim says “{pole.word.text}”, the evidence says “{other.word.text}”"
    return None


def poles(found: Sequence[Word]) -> Iterator[Pole]:
    """The words of a text that take a side, in order."""
    for place, word in enumerate(found):
        for axis, side, asks in _SIDES.get(word.stem, ()):
            around = [*found[max(0, place - _REACH) : place], *found[place + 1 :][:_REACH]]
            near = frozenset(w.stem for w in around if w.is_content and w.stem not in _SIDES)
            before = found[max(0, place - 3) : place]
            yield Pole(
                axis,
                side,
                asks,
                word,
                near,
                found[place + 1].stem if place + 1 < len(found) else "",
                any(w.lower in CUES for w in before),
                compared(found, place),
            )


def _sides(found: Iterable[Pole], axis: int) -> set[int]:
    return {pole.side for pole in found if pole.axis == axis}


def _of_the_same(pole: Pole, other: Pole) -> bool:
    if other.denied or _turned_round(pole, other):
        return False
    if pole.following and pole.following == other.following and pole.following in pole.near:
        return True
    return len(pole.near & other.near) >= pole.asks


def _turned_round(pole: Pole, other: Pole) -> bool:
    """Whether both compare, and not clearly in the same order.

    "A is worse than B" may stand for "B is better than A": most of the first cut's 22 false alarms
    (2,398 supported claims) were that; 5 were left.
    """
    if not (pole.sides or other.sides):
        return False
    if not (pole.sides and other.sides):
        return True
    (left, right), (their_left, their_right) = pole.sides, other.sides
    straight = len(left & their_left) + len(right & their_right)
    return straight <= len(left & their_right) + len(right & their_left)
