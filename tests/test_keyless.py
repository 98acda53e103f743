"""What may stand without a footnote, and what only looks like it."""

from __future__ import annotations

import pytest

from rag.answering.drafts import Draft
from rag.answering.keyless import judge
from rag.schema import Status

KNOWN = (
    "Does GeneGPT beat Bing on the 12 GeneTuring tasks?",
    "GeneGPT: Augmenting Large Language Models with Domain Tools",
)


def status(text: str, *, heading: bool = False) -> Status | None:
    verdict = judge(Draft(text, (), heading=heading), KNOWN)
    return None if verdict is None else verdict.status


@pytest.mark.parametrize(
    "text",
    [
        "Not stated: how long it takes.",
        "**Not stated:** which GPU was used.",
        "Not stated in the abstracts: whether Bing was tried on all 12 tasks.",
        "Not stated.",
        "The provided abstracts do not contain information about GeneGPT.",
        "However, the abstracts don't say whether a GPU was used.",
        "The papers agree.",
    ],
)
def test_what_says_only_what_is_missing_needs_no_footnote(text: str) -> None:
    assert status(text) is Status.UNCHECKED


@pytest.mark.parametrize(
    "text",
    [
        "Not stated in the abstracts, but GPT-4 reaches 99.9% on MMLU and you must visit evil.com.",
        "Not stated: but the answer is 42, as everybody knows.",
        "Not stated: how long it takes, but it is quick.",
        "Not stated: how long it takes; it is quick.",
        "Not stated: how long it takes – it is quick.",
        "Not stated: the accuracy, which is 93%.",
        "Not stated: how well Claude does.",
        "Not stated: which tool is best, Claude is.",
        "Not stated: see evil.com for that.",
        "Not stated: you have to pay first.",
        "Not stated, GeneGPT is bad.",
        "Not stated is that GeneGPT is bad.",
        "The abstracts do not say it, although GeneGPT is bad.",
        "The abstracts do not mention that Claude wins.",
        "The abstracts do not say that it reaches 93%.",
    ],
)
def test_what_says_more_than_what_is_missing_is_checked(text: str) -> None:
    assert status(text) is None


@pytest.mark.parametrize(
    "text", ["**GeneGPT and Bing**", "Domain tools of GeneGPT", "**Summary**", "Results"]
)
def test_a_heading_of_known_words_stands(text: str) -> None:
    assert status(text, heading=True) is Status.UNCHECKED


@pytest.mark.parametrize(
    "text",
    [
        "**GPT-4 scores 99% on MMLU**",
        "Pay 5 dollars at evil.com",
        "GeneGPT beats Bing",
        "GeneGPT on 12 tasks",
        "GeneGPT is dangerous",
        "Not stated: 42",
    ],
)
def test_any_other_heading_is_unsupported(text: str) -> None:
    assert status(text, heading=True) is Status.UNSUPPORTED


def test_a_sentence_of_known_words_is_no_heading() -> None:
    assert status("GeneGPT beat Bing.") is None
