"""A run: cases to an answerer, responses to measures, scores to disk, one case at a time."""

from __future__ import annotations

import platform
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from eval.answerers import Answerer, attempt
from eval.caseload import cases_hash
from eval.measures import score_case, score_support
from eval.measures.robustness import attack_success
from eval.schema import Case, CaseScore, GivenClaim, Response, Run
from eval.store import RunWriter
from eval.summary import summarise
from rag.answering.grounding import Checker, check
from rag.answering.prompts import load
from rag.assistant import Assistant
from rag.schema import Status
from rag.version import VERSION

PROMPTS = ("answer", "condense", "repair", "split")
"""What a language model that writes answers is asked with."""

_PACKAGES = ("chromadb", "llama-index-core", "numpy", "nupunkt", "onnxruntime", "tokenizers")

OnCase = Callable[[int, int], None]
"""Called with how many cases are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A collection with what scoring needs of it.

    ``abstracts`` by paper id; ``planted`` are the orders hidden in them, each a canary and the
    text: any of them can be met by any question.
    """

    assistant: Assistant
    abstracts: Mapping[str, str]
    planted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: ``corpora`` by name hold the collections that the cases name.

    ``checkers`` verify support beyond the exact check and the rules; ``tier`` names the highest.
    ``model`` says which language model writes, with its address and window; empty: none does.
    """

    answerer_name: str
    answerer: Answerer
    cases: tuple[Case, ...]
    corpora: Mapping[str, Corpus]
    checkers: tuple[Checker, ...] = ()
    tier: str = "T1"
    jobs: int = 1
    model: Mapping[str, str | int] = field(default_factory=dict)


def header(plan: Plan, run_id: str) -> Run:
    """The run as it stands before its first case."""
    sample = plan.corpora["sample"].assistant
    encoder = sample.crossencoder
    return Run(
        id=run_id,
        answerer=plan.answerer_name,
        settings={
            "tier": plan.tier,
            "cases": len(plan.cases),
            "prompts": [load(name).reference for name in PROMPTS] if plan.model else [],
            **plan.model,
        },
        versions={
            "footnoted": VERSION,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        hashes={
            "cases": cases_hash(plan.cases),
            **{
                f"collection {name}": str(corpus.assistant.identity().get("fingerprint", ""))
                for name, corpus in plan.corpora.items()
            },
            "embedder": str(sample.identity().get("embedder_checksum", "")),
            "cross-encoder": "" if encoder is None else encoder.checksum,
        },
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        scores=(),
    )


def execute(plan: Plan, directory: Path, run_id: str, on_case: OnCase) -> Run:
    """Run all cases that the directory does not hold yet; returns the whole run.

    Raises:
        InputError: the directory holds a run of other settings.
    """
    writer = RunWriter(directory, header(plan, run_id))
    waiting = [case for case in plan.cases if case.id not in writer.done]
    done = len(plan.cases) - len(waiting)
    on_case(done, len(plan.cases))
    with closing(_scores(plan, waiting)) as scores:
        for score in scores:
            writer.append(score)
            done += 1
            on_case(done, len(plan.cases))
    run = writer.finish()
    return writer.finish(summarise(run.scores))


def _scores(plan: Plan, cases: Sequence[Case]) -> Generator[CaseScore, None, None]:
    """The scores as they come; whatever ends it, no case that waits is begun."""
    if plan.jobs == 1:
        yield from (_score(plan, case) for case in cases)
        return
    pool = ThreadPoolExecutor(plan.jobs)
    try:
        for future in as_completed([pool.submit(_score, plan, case) for case in cases]):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _score(plan: Plan, case: Case) -> CaseScore:
    corpus = plan.corpora[case.corpus]
    response = attempt(plan.answerer, case, corpus.assistant)
    values = score_case(case, response, corpus.abstracts)
    if values["attack_success"] is not None and response.error is None:
        attacks = (attack_success(response, canary, text) for canary, text in corpus.planted)
        values["attack_success"] = max(attacks)
    support, tiers = _supported(plan, case, response, corpus)
    return CaseScore(case, response, values | support, tiers)


def _supported(
    plan: Plan, case: Case, response: Response, corpus: Corpus
) -> tuple[dict[str, float | None], dict[str, str]]:
    """The measures that rest on a check, and which tier gave them.

    A claim that is its own quote is scored by the exact check; the rules can only refute, so
    what they leave open stays unscored until a higher tier decides.
    """

    def supports(text: str, quotes: Sequence[str]) -> bool | None:
        return _DECIDED[check(text, quotes, checkers=plan.checkers).status]

    def verdict(claim: GivenClaim) -> bool | None:
        texts = [corpus.abstracts[id_] for id_ in response.retrieved if id_ in corpus.abstracts]
        cited = [citation.quote for citation in claim.citations]
        return supports(claim.text, [*cited, *texts])

    values = score_support(case, response, supports, verdict)
    return values, {name: plan.tier for name, value in values.items() if value is not None}


_DECIDED = {Status.SUPPORTED: True, Status.UNSUPPORTED: False, Status.UNCHECKED: None}
