"""What each command of ``footnoted eval`` does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from eval.__main__ import BAD_DATA, GATE_FAILED, JUDGE_ERRORS, PASSED
from eval.answerers import ANSWERERS, Answerer, repeated, written_by
from eval.caseload import load_cases, load_paraphrases, paraphrase_cases
from eval.corpora import Corpora, sample_records
from eval.correcting import known_errors, with_corrected
from eval.derived import Derived, derive
from eval.gates import GATES, check_gates, load_gates, rows_by_split
from eval.judge import MAX_ERRORS, Endpoint, Judge
from eval.report.failures import failures
from eval.report.files import write_reports
from eval.report.terminal import show_report
from eval.running import Corpus, OnCase, Plan, execute
from eval.schema import Case, Run
from eval.store import load_run
from rag.adding import Stage
from rag.assistant import Assistant
from rag.errors import InputError
from rag.models.embedder import open_embedder
from rag.models.llm import CachedModel, EndpointModel, open_llm
from rag.settings import Settings

_JUDGEMENTS = "judgements"
_REPLIES = "replies"
_DISTURBED = ("noise", "counterfactual")


def run(arguments: argparse.Namespace) -> int:
    """Run the command that the arguments name; returns the exit code."""
    return _COMMANDS[arguments.command](arguments)


# -- run


def _run(arguments: argparse.Namespace) -> int:
    if arguments.answerer not in ANSWERERS:
        raise InputError(
            f"no answerer is called {arguments.answerer!r}; there are {', '.join(ANSWERERS)}"
        )
    judge = _judge(arguments)
    name, answerer, model = _answerer(arguments)
    with _progress() as (on_papers, on_case):
        cases, corpora = _material(arguments, on_papers)
        chosen = repeated(_chosen(arguments, cases), max(1, arguments.repeat))
        if not chosen:
            raise InputError("no case is left to run; loosen --split, --category, --case")
        plan = Plan(
            name,
            answerer,
            chosen,
            corpora,
            checkers=(judge,) if judge else (),
            tier=judge.name if judge else "T1",
            jobs=max(1, arguments.jobs),
            model=model,
        )
        run_id = arguments.id or datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        done = execute(plan, arguments.runs / run_id, run_id, on_case)
    return _report(arguments, done, corpora, judge)


def _answerer(arguments: argparse.Namespace) -> tuple[str, Answerer, dict[str, str | int]]:
    """What is put to the test, by name, and the language model of it.

    Replies of a language model are kept and used again, for each repetition of a case its own.
    """
    if not arguments.model:
        return arguments.answerer, ANSWERERS[arguments.answerer], {}
    if arguments.answerer != "assistant":
        raise InputError(
            f"--model is for the assistant, {arguments.answerer!r} needs none; leave one out"
        )
    settings = Settings.from_env(os.environ)
    llm = open_llm(
        arguments.model,
        base_url=arguments.base_url or settings.base_url,
        api_key=settings.api_key,
        window=settings.window,
    )
    assert isinstance(llm, EndpointModel)
    kept = CachedModel(llm, arguments.runs / _REPLIES)
    model: dict[str, str | int] = {"llm": llm.identity, "window": llm.window}
    return f"assistant with {llm.name}", written_by(kept.at_turn), model


def _report(
    arguments: argparse.Namespace, done: Run, corpora: dict[str, Corpus], judge: Judge | None
) -> int:
    rows = rows_by_split(done.scores)
    # Floors are for the product over all bundled cases; a part, a control or own cases have none.
    whole = not (arguments.split or arguments.category or arguments.case or arguments.failing)
    standard = whole and not arguments.cases and done.answerer == "assistant"
    path = arguments.gates or (GATES if standard else None)
    gates = check_gates(rows, load_gates(path)) if path else []
    shown = rows["all"]
    if judge:
        errors = known_errors(arguments.runs / _JUDGEMENTS, judge.name, judge.prompt.reference)
        shown = with_corrected(shown, errors) if errors else shown
    directory = arguments.runs / done.id
    texts = {
        paper.id: (paper.title, paper.abstract)
        for corpus in corpora.values()
        for paper in corpus.assistant.papers()
    }
    write_reports(directory, done, shown, gates, texts)
    show_report(done, shown, gates, more=f"Every case, with its evidence: {directory}/report.html")
    if judge and (code := _judge_failed(judge)):
        return code
    return PASSED if all(gate.passed for gate in gates) else GATE_FAILED


def _judge_failed(judge: Judge) -> int:
    """The exit code where too many of the judge's answers could not be used, else 0."""
    share = judge.error_share
    if share is None or share <= MAX_ERRORS:
        return 0
    print(f"the judge failed in {share:.0%} of its judgements: {dict(judge.errors)}")
    return JUDGE_ERRORS


def _judge(arguments: argparse.Namespace) -> Judge | None:
    if not arguments.judge:
        return None
    model, _, url = arguments.judge.partition("@http")
    settings = Settings.from_env(os.environ)
    endpoint = Endpoint(model, f"http{url}" if url else settings.base_url, settings.api_key)
    return Judge(endpoint, arguments.runs / _JUDGEMENTS, offline=arguments.replay)


def _material(
    arguments: argparse.Namespace, on_papers: OnCase
) -> tuple[tuple[Case, ...], dict[str, Corpus]]:
    """The cases and the collections that they are put to."""
    if arguments.cases:
        assistant = _own(arguments)
        return load_cases(arguments.cases), {"sample": _corpus(assistant)}
    records = sample_records()
    base = load_cases()
    kinds = (*_DISTURBED, "injection") if arguments.full else ("injection",)
    derived = {kind: derive(base, records, kind) for kind in kinds}
    embedder = open_embedder("bundled")
    corpora = Corpora(arguments.runs / "corpora", embedder)

    def on_progress(stage: Stage, done: int, total: int | None) -> None:
        if stage is Stage.EMBEDDING and total:
            on_papers(done, total)

    held = {"sample": _corpus(corpora.open("sample", records, on_progress))}
    for kind, made in derived.items():
        held[kind] = _corpus(corpora.open(kind, made.records, on_progress), made)
    cases = (*base, *(case for made in derived.values() for case in made.cases))
    if arguments.full:
        cases += paraphrase_cases(base, load_paraphrases())
    return cases, held


def _own(arguments: argparse.Namespace) -> Assistant:
    settings = Settings.from_env(os.environ)
    directory = settings.directory(arguments.collection)
    return Assistant.open(directory, llm="none", history=False, create=False)


def _corpus(assistant: Assistant, derived: Derived | None = None) -> Corpus:
    abstracts = {paper.id: paper.abstract for paper in assistant.papers()}
    cases = derived.cases if derived else ()
    planted = tuple((c.canary, derived.injected[c.id].quote) for c in cases if derived and c.canary)
    return Corpus(assistant, abstracts, planted)


def _chosen(arguments: argparse.Namespace, cases: Sequence[Case]) -> list[Case]:
    wanted = set(arguments.case or ())
    unknown = wanted - {case.id for case in cases}
    if unknown:
        raise InputError(
            f"no case is called {min(unknown)!r}; 'footnoted eval validate' reads them"
        )
    if arguments.failing:
        wanted |= _failing(arguments.runs)
    return [
        case
        for case in cases
        if (not wanted or case.id in wanted)
        and (not arguments.split or case.split == arguments.split)
        and (not arguments.category or case.category in arguments.category)
    ]


def _failing(runs: Path) -> set[str]:
    made = sorted(runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    if not made:
        raise InputError(f"there is no run in {runs} yet; --failing looks at the last one")
    last = load_run(made[-1].parent)
    failed = {score.case.id.partition("#")[0] for score in last.scores if failures(score)}
    if not failed:
        raise InputError(f"nothing failed in the last run, {last.id}")
    return failed


@contextmanager
def _progress() -> Iterator[tuple[OnCase, OnCase]]:
    """Bars on standard error, where that is a terminal: papers embedded, cases answered."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    out = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=out, disable=not out.is_terminal, transient=True) as bar:
        papers = bar.add_task("embedding papers", total=None, visible=False)
        cases = bar.add_task("answering cases ", total=None, visible=False)
        yield (
            lambda done, total: bar.update(papers, completed=done, total=total, visible=True),
            lambda done, total: bar.update(cases, completed=done, total=total, visible=True),
        )


# -- the others


def _validate(arguments: argparse.Namespace) -> int:
    from eval.validation import run_validate

    return run_validate([arguments.cases] if arguments.cases else (), arguments.collection)


def _compare(arguments: argparse.Namespace) -> int:
    from eval.compare import compare

    comparison = compare(load_run(arguments.a), load_run(arguments.b))
    print(comparison.markdown() if arguments.markdown else comparison.text())
    return PASSED


def _agreement(arguments: argparse.Namespace) -> int:
    from eval.agreement import TIERS, judged, report
    from eval.agreement import run as agreement
    from eval.correcting import keep

    judge = _judge(arguments)
    if judge is None:
        print(agreement(arguments.data, arguments.tier or TIERS))
        return PASSED
    found = judged(arguments.data, judge)
    print(report([found]))
    if code := _judge_failed(judge):
        return code
    keep(arguments.runs / _JUDGEMENTS, judge.name, judge.prompt.reference, found)
    return PASSED


def _new(arguments: argparse.Namespace) -> int:
    from eval.authoring import run_new

    return run_new(arguments.file, arguments.collection)


def _bench(arguments: argparse.Namespace) -> int:
    from eval.bench import BENCHES

    unknown = [name for name in arguments.names if name not in BENCHES]
    if unknown:
        print(
            f"no bench is called {unknown[0]!r}; there are: {', '.join(BENCHES)}", file=sys.stderr
        )
        return BAD_DATA
    arguments.work.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or BENCHES:
        print(f"\n## {name}")
        BENCHES[name](arguments)
    return PASSED


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "validate": _validate,
    "compare": _compare,
    "judge-agreement": _agreement,
    "new": _new,
    "bench": _bench,
}
