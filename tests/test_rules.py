"""The rules that may rule a claim out, each with claims it must catch and traps it must not."""

from __future__ import annotations

import pytest

from rag.answering.rules import comparators, direction, names, negation, numbers, substance
from rag.answering.rules.language import differs, language

NUMBERS = [
    ("Accuracy reaches 76.2%.", "Accuracy reaches 72.6%.", True),
    ("Accuracy reaches 76.2%.", r"Accuracy reaches 76.2\%.", False),
    ("Accuracy is about 76%.", "Accuracy is 76.2%.", False),
    ("Accuracy is 76%.", "Accuracy is 81.2%.", True),
    ("It has 10K steps.", "It has 10,000 steps.", False),
    ("It has 10K steps.", "It has 1,000 steps.", True),
    ("The set has 1.2M images.", "The set has 1.2 million images.", False),
    ("The set has 1.2M images.", "The set has 1.2 billion images.", True),
    ("We use three encoders.", "We use 3 encoders.", False),
    ("We use five encoders.", "We use three encoders.", True),
    ("It is tested on three tasks.", "It is tested on parsing, tagging and chunking.", False),
    ("Half of the cases were severe.", "50% of the cases were severe.", False),
    ("Memory falls to half.", "Memory falls by 2x.", False),
    ("It is twice as fast.", "It is 2x as fast.", False),
    ("It is twice as fast.", "It is 5x as fast.", True),
    ("It was released in 2019.", "It was released in 2017.", True),
    ("Between 2 and 4 layers help.", "Using 2-4 layers helps.", False),
    ("GPT-4 wins.", "The large model wins.", False),
    ("A 239-amino-acid protein is encoded.", "It encodes a 139-amino-acid protein.", True),
    ("Twenty-four of 29 were absent.", "Of 29, 24 were absent.", False),
    ("Search takes 12 minutes.", "Search takes 12 hours.", True),
    ("More than 100 models were run.", "We ran 112 models.", False),
    ("Costs rise from 208 000 to 379 000.", "Costs rise from 208,000 to 379,000.", False),
    (
        "It covers five translation runs.",
        "It covers two translation runs and five tagging tasks.",
        True,
    ),
    ("Die Genauigkeit liegt bei 76,2 %.", "Accuracy is 76.2%.", False),
    ("It wins by 0.5 points.", "It wins by a wide margin.", True),
]

NAMES = [
    ("It was tested on LibriSpeech.", "It was tested on the Wall Street Journal data.", True),
    ("Results use GPT-3.5.", "Results use GPT-4.", True),
    ("Results use LLaMA-7B.", "Results use LLaMA 7B.", False),
    ("It fine-tunes LLaMA-13B.", "It fine-tunes LLaMA-7B.", True),
    ("It relies on LLMs.", "It relies on large language models.", False),
    ("Large Language Models fail.", "LLMs (large language models) fail.", False),
    ("VAEs are studied.", "We study variational autoencoders.", False),
    ("RL agents explore.", "Agents of reinforcement learning explore.", False),
    ("Training is faster.", "The optimizer learns in less time.", False),
    ("The TinyImageNet data is used.", "We use Tiny ImageNet.", False),
    ("A Vietnamese cohort was followed.", "A cohort in Vietnam was followed.", False),
    ("It uses Gaussian noise.", "It uses uniform noise.", True),
    ("BERT's layers are pruned.", "We prune the layers of BERT.", False),
    ("It runs for 10 ms on 3 layers.", "It is quick.", False),
    ("The Adam optimizer was used.", "We train by stochastic gradient descent.", True),
    ("LXA4 has an effect.", "LXA(4) has an effect.", False),
    ("An mGluR response is seen.", "A calcium response is seen.", True),
]

NEGATION = [
    ("Pruning does not improve accuracy.", "Pruning improves accuracy.", True),
    ("Pruning improves test accuracy.", "Pruning does not improve test accuracy.", True),
    ("Models fail to generalize well.", "Models generalize well.", True),
    ("The grammar can be learned.", "The grammar cannot be learned.", True),
    ("The drug had no effect on growth.", "The drug had an effect on growth.", True),
    ("Training works without labels.", "Training works with labels.", True),
    ("Neither drug lowers pressure.", "The drug lowers pressure.", True),
    ("Pruning does not improve accuracy.", "Pruning fails to improve accuracy.", False),
    ("The score is unrelated to age.", "The score is not related to age.", False),
    ("The method is unable to scale.", "The method cannot scale.", False),
    ("It not only helps but also scales.", "It helps and scales.", False),
    ("Labels are not needed.", "The method is unsupervised.", False),
    ("It is no worse than the baseline.", "It is on par with the baseline.", False),
    ("Only labels help.", "Nothing but labels helps.", False),
    ("Pruning saves memory.", "Pruning saves memory, but does not change speed.", False),
]

DIRECTION = [
    ("Dropout increases test error.", "Dropout decreases test error.", True),
    ("Dropout raises the test error rate.", "Dropout reduces the test error rate.", True),
    ("The larger model is slower at inference.", "The model is faster at inference.", True),
    ("It maximizes the mutual information.", "It minimizes mutual information.", True),
    ("A shallow network suffices.", "A deep network suffices.", True),
    ("An upper bound is derived.", "A lower bound is derived.", True),
    ("It has high variance.", "It has low variance.", True),
    ("It needs fewer parameters.", "It needs more parameters.", True),
    ("All tasks gain.", "Some tasks gain.", True),
    ("The bound grows with depth.", "The bound grows with depth.", False),
    ("MILk has worse quality than MMA.", "MMA has better quality than MILk.", False),
    ("LSTM learns slower than GRU.", "GRU learns faster than LSTM.", False),
    ("It does not increase test error.", "It decreases test error.", False),
    ("It lowers cost and raises accuracy.", "It reduces cost while accuracy increases.", False),
    ("Error drops.", "Accuracy increases.", False),
    ("It improves accuracy.", "It reduces the error rate.", False),
    ("Slow learners gain.", "The fast algorithm runs.", False),
]

COMPARATORS = [
    ("It gains at least 6% on each task.", "It gains up to 6% on each task.", True),
    ("It gains up to 6% on each task.", "It gains at least 6% on each task.", True),
    ("Fewer than 50 samples suffice.", "More than 50 samples suffice.", True),
    ("More than 50 samples suffice.", "At least 50 samples suffice.", False),
    ("It needs at most 5 steps.", "It needs up to 5 steps.", False),
    ("BERT outperforms SesameBERT.", "SesameBERT outperforms BERT.", True),
    ("BERT was outperformed by ELMo.", "ELMo outperforms BERT.", False),
    ("ELMo outperforms BERT.", "ELMo outperforms BERT by far.", False),
    ("Recurrence is used instead of attention.", "Attention is used instead of recurrence.", True),
    ("Dogs are faster than cats.", "Cats are faster than dogs.", True),
    ("Dogs are faster than cats.", "Dogs are faster than most cats.", False),
    ("We model phase rather than amplitude.", "We model amplitude rather than phase.", True),
    ("Rats exceed mice in weight.", "Rats exceed mice.", False),
    ("It uses 6% of the data.", "It uses at least 6% of the data.", False),
]

ODYSSEY = "ODYSSEY holds 40 skills, and GPT-4 states goals of states."
SUBSTANCE = [
    ("nothing", ODYSSEY, True),
    ("It does.", ODYSSEY, True),
    ("Sure!", ODYSSEY, True),
    ("The evidence does not state this.", ODYSSEY, True),
    ("This statement is not correct.", ODYSSEY, True),
    ("Bees dance in spring.", ODYSSEY, True),
    ("Bees dance 40 times.", ODYSSEY, True),
    ("It is 40.", ODYSSEY, False),
    ("ODYSSEY has skills.", ODYSSEY, False),
    ("Goals are given by an LLM.", ODYSSEY, False),
    ("奥德赛有四十种技能。", "奥德赛包含四十种技能和目标。", False),
]

CASES = [
    pytest.param(rule, claim, evidence, vetoed, id=f"{name}-{number}")
    for name, rule, rows in (
        ("numbers", numbers.veto, NUMBERS),
        ("names", names.veto, NAMES),
        ("negation", negation.veto, NEGATION),
        ("direction", direction.veto, DIRECTION),
        ("comparators", comparators.veto, COMPARATORS),
        ("substance", substance.veto, SUBSTANCE),
    )
    for number, (claim, evidence, vetoed) in enumerate(rows)
]


@pytest.mark.parametrize(("rule", "claim", "evidence", "vetoed"), CASES)
def test_a_rule_vetoes_what_it_should_and_nothing_else(rule, claim, evidence, vetoed) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    reason = rule(claim, [evidence])
    assert (reason is not None) is vetoed, reason


def test_the_reason_names_both_values() -> None:
    reason = numbers.veto("Accuracy reaches 76.2%.", ["Accuracy reaches 72.6%."])
    assert reason == "the claim says 76.2%, the evidence says 72.6%"


def test_the_reason_sets_a_measured_value_against_a_measured_value() -> None:
    evidence = "GeneGPT achieves an average score of 0.83, over eight GeneTuring tasks."
    reason = numbers.veto("GeneGPT scores 0.99 on GeneTuring tasks.", [evidence])
    assert reason == "the claim says 0.99, the evidence says 0.83"


def test_a_missing_number_is_named_where_the_evidence_has_none() -> None:
    reason = numbers.veto("Accuracy reaches 76.2%.", ["Accuracy is good."])
    assert reason == "the claim says 76.2%, the evidence gives no number"


def test_a_name_is_excused_by_the_rest_of_the_paper() -> None:
    claim, sentence = "In DIORA, trees are induced.", "Trees are induced."
    assert names.veto(claim, [sentence]) is not None
    assert names.veto(claim, [sentence, "We propose DIORA."]) is None


def test_without_the_rest_of_the_paper_a_name_needs_a_rival() -> None:
    assert names.veto_swapped("In DIORA, trees are induced.", ["Trees are induced."]) is None
    reason = names.veto_swapped("Tested on LibriSpeech data.", ["It was tested on TIMIT data."])
    assert reason == "the claim names LibriSpeech, the evidence does not; it names TIMIT"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The model is trained with a new loss and it is faster than the others.", "English"),
        ("Das Modell ist mit einer neuen Methode nicht schneller als die anderen.", "German"),
        ("Le modèle est plus rapide que les autres dans la plupart des cas.", "French"),
        ("El modelo es más rápido que los otros en la mayoría de los casos.", "Spanish"),
        ("Модель быстрее других.", "Cyrillic"),
        ("MMA beats MILk.", None),
        ("", None),
    ],
)
def test_little_words_tell_the_language(text: str, expected: str | None) -> None:
    assert language(text) == expected


def test_a_language_differs_only_where_both_are_known() -> None:
    english = "The model is trained with a new loss and it is faster than the others."
    assert differs("Das Modell ist nicht schneller als die anderen.", [english]) == "German"
    assert differs("MMA beats MILk.", [english]) is None


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("We prompt GPT-5.", 0.0),
        ("We prompt GPT 5 and others.", 0.0),
        ("We prompt gpt-3.5-turbo and GPT-4.", 1.0),
        ("We prompt GPT models 5 times.", 1.0),
        ("We prompt GPT-50.", 1.0),
    ],
)
def test_the_number_of_a_version_belongs_to_its_name(text: str, share: float) -> None:
    assert names.missing_share("What was GPT-5 trained on?", [text]) == share
