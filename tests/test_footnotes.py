"""Which footnotes a checked claim keeps: those that support it, of those that the model named."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from rag.answering.context import pack
from rag.answering.drafts import Draft
from rag.answering.verifying import RECITED_FROM, Checked, Verifier
from rag.schema import Status, Verdict
from tests.test_context import HELD, stored, words
from tests.test_verifying import CONTEXT, KEYS, RULES, Sure

GROKKING, SIGHT, MINDS = KEYS["We call this"], KEYS["Our encoder "], KEYS["Theory of mi"]
STEPS, FAIL = KEYS["It happens a"], KEYS["Large models"]
BARELY = 0.5
CLAIM = "Grokking of the encoder happens late in training."


class Chances:
    """A further tier: the probability is a function of the first words of what is cited."""

    name, multilingual = "T2 test", False

    def __init__(self, chance: Callable[[frozenset[str]], float]) -> None:
        self.chance = chance

    def check(self, claim: str, evidence: Sequence[str], title: str = "") -> Verdict:
        chance = self.chance(frozenset(KEYS[sentence[:12]] for sentence in evidence))
        status = Status.SUPPORTED if chance >= BARELY else Status.UNSUPPORTED
        return Verdict(status, self.name, "so it says", chance)


def checked(chance: Callable[[frozenset[str]], float], claim: str, *keys: str) -> Checked:
    return Verifier(CONTEXT, HELD, (Chances(chance),)).verify(Draft(claim, keys))


def cited(found: Checked) -> set[str]:
    return {entry.key for entry in found.evidence}


def test_a_needless_footnote_does_not_make_a_claim_fail() -> None:
    found = checked(lambda keys: BARELY if keys == {GROKKING} else 0.1, CLAIM, GROKKING, SIGHT)
    assert (found.fails, found.recited, cited(found)) == (False, False, {GROKKING})
    assert BARELY < RECITED_FROM


def test_two_sentences_of_one_paper_may_support_what_neither_does() -> None:
    both = {GROKKING, STEPS}
    found = checked(lambda keys: BARELY if keys == both else 0.1, CLAIM, GROKKING, STEPS, SIGHT)
    assert (found.fails, cited(found)) == (False, both)


def test_of_several_footnotes_that_support_a_claim_the_surest_stays() -> None:
    chances = {frozenset({GROKKING}): 0.6, frozenset({STEPS}): 0.7}
    found = checked(lambda keys: chances.get(keys, 0.1), CLAIM, GROKKING, STEPS, SIGHT)
    assert cited(found) == {STEPS}


@pytest.mark.parametrize(("chance", "stands"), [(BARELY, False), (RECITED_FROM, True)])
def test_leaving_out_what_contradicts_a_claim_takes_more(chance: float, stands: bool) -> None:
    paper = stored(7, "Beliefs", "Three models agree. Models agree on beliefs of others.")
    context = pack([paper], [None], "?", budget=100, count=words)
    sure = Sure("beliefs", chance)
    draft = Draft("Two models agree on beliefs.", tuple(context.evidence))
    found = Verifier(context, [paper], (sure,)).verify(draft)
    assert found.fails is not stands
    assert [entry.sentence for entry in found.evidence] == ([1] if stands else [0, 1])


def test_a_claim_that_stands_word_for_word_cites_only_where_it_stands() -> None:
    text = "Our encoder reaches 76.2% on ImageNet."
    found = RULES.verify(Draft(text, (GROKKING, SIGHT, MINDS)))
    assert (found.verdict.check, cited(found)) == ("T0 exact", {SIGHT})
    run = "Theory of mind is the ability to ascribe beliefs to others. Large models fail at it."
    assert cited(RULES.verify(Draft(run, (GROKKING, MINDS, FAIL)))) == {MINDS, FAIL}


def test_a_paper_that_adds_nothing_is_not_cited() -> None:
    found = checked(lambda keys: 0.8 if GROKKING in keys else 0.1, CLAIM, GROKKING, SIGHT)
    assert (cited(found), found.recited) == ({GROKKING}, False)


def test_papers_that_each_support_a_claim_are_all_cited() -> None:
    chances = {frozenset({GROKKING}): 0.9, frozenset({SIGHT}): 0.8}
    found = checked(lambda keys: chances.get(keys, 0.7), CLAIM, GROKKING, SIGHT)
    assert cited(found) == {GROKKING, SIGHT}


def test_a_paper_without_which_a_claim_is_less_sure_stays() -> None:
    chances = {frozenset({GROKKING}): 0.6, frozenset({SIGHT}): 0.1}
    found = checked(lambda keys: chances.get(keys, 0.7), CLAIM, GROKKING, SIGHT)
    assert cited(found) == {GROKKING, SIGHT}


def test_a_heading_is_checked_against_the_question_and_the_titles() -> None:
    verifier = Verifier(CONTEXT, HELD, (), "What is grokking?")
    assert not verifier.verify(Draft("Grokking", (), heading=True)).is_left_out
    assert not verifier.verify(Draft("Seeing with language", (), heading=True)).is_left_out
    assert verifier.verify(Draft("Bees dance", (), heading=True)).is_left_out
    assert not verifier.verify(Draft("Bees dance.", ())).is_left_out
