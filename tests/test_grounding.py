"""``check(claim, evidence)``: tiers in order, and that it never raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.grounding import EXACT, RULES, check, is_verbatim, verbatim_run
from rag.schema import Status, Verdict

SENTENCES = (
    "Transformers reach 76.2% on ImageNet.",
    "They are slower than convolutional networks.",
    "No labels are needed.",
)
TEXTS = st.text(max_size=120)
NOT_BLANK = TEXTS.filter(lambda text: bool(text.strip()))


@dataclass
class Fixed:
    """A checker that always says the same, and remembers what it was asked."""

    multilingual = True
    status: Status
    name: str = "T2 fixed"
    asked: list[str] = field(default_factory=list)

    def check(self, claim: str, evidence: Sequence[str], title: str = "") -> Verdict:
        self.asked.append(claim)
        return Verdict(self.status, self.name, "fixed", 0.5)


def test_a_sentence_of_the_evidence_is_supported_as_exact() -> None:
    verdict = check(SENTENCES[1], SENTENCES)
    assert (verdict.status, verdict.check) == (Status.SUPPORTED, EXACT)


def test_neighbouring_sentences_are_exact_but_not_with_one_left_out() -> None:
    assert is_verbatim(" ".join(SENTENCES[:2]), SENTENCES)
    assert is_verbatim(" ".join(SENTENCES), SENTENCES)
    assert not is_verbatim(f"{SENTENCES[0]} {SENTENCES[2]}", SENTENCES)
    assert verbatim_run(" ".join(SENTENCES[1:]), SENTENCES) == range(1, 3)
    assert verbatim_run("Bees dance.", SENTENCES) == range(0)


def test_remnants_of_markup_and_the_final_stop_do_not_matter() -> None:
    assert is_verbatim("Accuracy is 80%", [r"Accuracy is  80\%."])
    assert is_verbatim("It’s “good”.", ['It\'s "good".'])


def test_a_part_of_a_sentence_is_not_exact() -> None:
    assert not is_verbatim("labels are needed", SENTENCES)


def test_no_evidence_is_unsupported_and_an_empty_claim_unchecked() -> None:
    assert check("Anything.", []).status is Status.UNSUPPORTED
    assert check("Anything.", ["  "]).status is Status.UNSUPPORTED
    assert check(" ", SENTENCES).status is Status.UNCHECKED


@pytest.mark.parametrize(
    ("claim", "rule", "said"),
    [
        ("Transformers reach 72.6% on ImageNet.", "T1 numbers", "72.6%"),
        ("Transformers are faster than convolutional networks.", "T1 direction", "faster"),
        ("Labels are needed.", "T1 negation", "No … labels"),
        ("Transformers reach 76.2% on CIFAR.", "T1 names", "CIFAR"),
    ],
)
def test_a_veto_names_its_rule_and_what_was_wrong(claim: str, rule: str, said: str) -> None:
    verdict = check(claim, SENTENCES)
    assert (verdict.status, verdict.check) == (Status.UNSUPPORTED, rule)
    assert said in verdict.reason


def test_rules_alone_never_call_a_claim_supported() -> None:
    verdict = check("On ImageNet, transformers reach 76.2%.", SENTENCES)
    assert (verdict.status, verdict.check) == (Status.UNCHECKED, RULES)


def test_the_first_checker_that_decides_ends_it() -> None:
    silent, sure = Fixed(Status.UNCHECKED), Fixed(Status.SUPPORTED, "T3 sure")
    last = Fixed(Status.UNSUPPORTED, "T4 last")
    verdict = check("Transformers learn well.", SENTENCES, checkers=[silent, sure, last])
    assert (verdict.check, verdict.probability) == ("T3 sure", 0.5)
    assert (len(silent.asked), len(sure.asked), len(last.asked)) == (1, 1, 0)


def test_a_veto_comes_before_any_checker() -> None:
    sure = Fixed(Status.SUPPORTED)
    verdict = check("Transformers reach 72.6%.", SENTENCES, checkers=[sure])
    assert verdict.status is Status.UNSUPPORTED
    assert not sure.asked


def test_a_name_may_stand_in_the_rest_of_the_paper() -> None:
    claim, context = "ViT models are slower than ConvNets.", ["ViT and ConvNets compared."]
    assert check(claim, SENTENCES[1:2], context=context).status is Status.UNCHECKED
    assert check(claim, SENTENCES[1:2], context=["Something."]).check == "T1 names"


def test_a_claim_in_another_language_is_unchecked_unless_its_number_is_wrong() -> None:
    evidence = ["The accuracy of the model is 76.2% on the test set of the benchmark."]
    verdict = check("Die Genauigkeit ist bei der Prüfung nicht über 76,2 %.", evidence)
    assert (verdict.status, verdict.check) == (Status.UNCHECKED, RULES)
    assert "German" in verdict.reason
    wrong = check("Die Genauigkeit ist bei der Prüfung auf 67,2 % gestiegen.", evidence)
    assert (wrong.status, wrong.check) == (Status.UNSUPPORTED, "T1 numbers")


@given(NOT_BLANK, st.lists(TEXTS, max_size=3))
def test_a_sentence_is_always_supported_by_itself(sentence: str, others: list[str]) -> None:
    assert check(sentence, [*others, sentence]).status is Status.SUPPORTED


@given(TEXTS, st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=2))
def test_no_text_makes_it_raise(claim: str, evidence: list[str], context: list[str]) -> None:
    verdict = check(claim, evidence, context=context)
    assert verdict.reason


@given(
    st.sampled_from(["Accuracy reaches {}% on the test set.", "It was run in {} languages."]),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
def test_a_changed_number_is_vetoed(sentence: str, there: int, claimed: int) -> None:
    verdict = check(sentence.format(claimed), [sentence.format(there)])
    expected = Status.SUPPORTED if there == claimed else Status.UNSUPPORTED
    assert verdict.status is expected
