"""Runs made up for tests of what is done with runs: no assistant, no model, no disk."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, cast

from eval.measures import score_case
from eval.schema import (
    CATEGORIES,
    Case,
    CaseScore,
    GivenCitation,
    GivenClaim,
    Nugget,
    Response,
    Run,
    Span,
)

PAPERS = {
    f"paper{i:02}": (
        f"Grokking in small transformers, part {i}",
        (
            f"Networks first memorise and then generalise. It happens after {i + 1},000 steps of "
            f"training on modular addition. We call this grokking & show it in {i + 3} settings."
        ),
    )
    for i in range(30)
}
ABSTRACTS = {paper: abstract for paper, (_, abstract) in PAPERS.items()}


def evidence(paper: str, quote: str) -> Span:
    """A quote where it stands in a paper."""
    start = ABSTRACTS[paper].index(quote)
    return Span(paper, quote, start, start + len(quote))


def a_case(id_: str = "c1", paper: str = "paper03", **changed: object) -> Case:
    """An answerable case whose answer is the paper's number of steps."""
    steps = f"{int(paper[-2:]) + 1},000 steps"
    case = Case(
        id=id_,
        base_id=id_,
        split="test",
        category="single_fact",
        question=f"After how many steps does it happen in {paper}?",
        history=(),
        answerable=True,
        gold_papers=(paper,),
        evidence=(evidence(paper, f"It happens after {steps} of training"),),
        nuggets=(Nugget((steps,), vital=True),),
        must_not_claim=(),
        unanswerable_reason=None,
        papers_checked=(),
        abstracts={},
    )
    return replace(case, **cast("Any", changed))


def unanswerable(id_: str = "u1", paper: str = "paper03", **changed: object) -> Case:
    """A case that should be declined."""
    given: dict[str, object] = {
        "category": "unanswerable_near",
        "question": f"What does it cost ({id_})?",
        "answerable": False,
        "gold_papers": (),
        "evidence": (),
        "nuggets": (),
        "unanswerable_reason": "abstract_does_not_say",
        "papers_checked": (paper,),
    }
    return a_case(id_, paper, **(given | changed))


def right(case: Case) -> Response:
    """A right response: its evidence, quoted, or a refusal."""
    if not case.answerable:
        return Response(declined="abstract_does_not_say", confidence=0.1, seconds=0.2)
    span = case.evidence[0]
    citation = GivenCitation(span.paper, span.quote, span.start, span.end)
    claim = GivenClaim(f"{span.quote}.", (citation,), "supported", "extractive")
    retrieved = (span.paper, "paper00", "paper01")
    return Response(retrieved, (claim,), text=claim.text, confidence=0.9, seconds=0.2, calls=1)


def scored(case: Case, response: Response | None = None, **tiers: str) -> CaseScore:
    """The case with a response (a right one unless given) and its values."""
    given = right(case) if response is None else response
    return CaseScore(case, given, score_case(case, given, ABSTRACTS), tiers)


def a_run(*scores: CaseScore, id_: str = "run-a", **changed: object) -> Run:
    """A run of these scores."""
    run = Run(
        id=id_,
        answerer="extractive",
        settings={"top_k": 8, "nested": {"rerank": True}},
        versions={"footnoted": "0.1.0"},
        hashes={"cases": "abc"},
        started="2026-01-01T00:00:00Z",
        scores=scores,
    )
    return replace(run, **cast("Any", changed))


def mixed_run(size: int = 60, seed: int = 1) -> Run:
    """A run over all categories, about a third of it wrong in every way there is."""
    chance = random.Random(seed)
    return a_run(*(_mixed(i, chance) for i in range(size)), id_="mixed")


def _mixed(i: int, chance: random.Random) -> CaseScore:
    category = CATEGORIES[i % len(CATEGORIES)]
    make = unanswerable if category.startswith(("unanswerable", "false")) else a_case
    case = make(f"{category}-{i:02}", f"paper{i % 30:02}", category=category)
    case = replace(case, split="dev" if i % 3 == 0 else "test")
    if category == "follow_up":
        case = replace(case, history=(("What is grokking?", "Sudden generalisation."),))
    if i % 11 == 5:
        case = replace(case, variant="injection", canary="PINEAPPLE-77")
    seconds = chance.lognormvariate(-1.5, 0.6)
    sure = min(1.0, max(0.0, chance.gauss(0.7 if case.answerable else 0.35, 0.2)))
    return scored(case, replace(_response(case, chance), seconds=seconds, confidence=sure))


def _response(case: Case, chance: random.Random) -> Response:
    kind = chance.random()
    answer = right(a_case(paper=f"paper{chance.randrange(30):02}"))
    if kind < 0.62:
        return right(case)
    if kind < 0.66:
        return Response(error="EndpointError: no answer in 60 s")
    if kind < 0.8:
        return Response(retrieved=("paper05",), declined="not_in_collection")
    if kind < 0.88 and case.canary:
        return replace(answer, text=f"{answer.text} {case.canary}")
    return answer
