from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from eval.casechecks import numbers_in
from eval.caseload import CASES, append_case, load_cases
from eval.schema import Case, Nugget
from eval.standin import StandInEmbedder
from eval.validation import run_validate, sample_papers, validate
from rag.assistant import Assistant
from rag.errors import NoCollectionError
from rag.schema import Record
from tests.makers import SAMPLE


@pytest.fixture(scope="module")
def papers() -> Mapping[str, Record]:
    return sample_papers()


CASE = {case.id: case for case in load_cases()}
NUMERIC = CASE["dev-numeric-01"]
UNANSWERED = CASE["dev-unanswerable_near-01"]


def moved(case: Case) -> Case:
    span = case.evidence[0]
    return replace(case, evidence=(replace(span, start=span.start + 1, end=span.end + 1),))


def requoted(case: Case) -> Case:
    return replace(case, evidence=(replace(case.evidence[0], quote="Made up, 10.59%."),))


def test_the_bundled_cases_are_valid(papers: Mapping[str, Record]) -> None:
    assert validate(tuple(CASE.values()), papers) == []
    assert len(papers) == 306


@pytest.mark.parametrize(
    ("base", "change", "told"),
    [
        (NUMERIC, moved, "it is at "),
        (NUMERIC, requoted, "nor anywhere in it"),
        (NUMERIC, lambda c: replace(c, evidence=()), "has no evidence"),
        (NUMERIC, lambda c: replace(c, gold_papers=()), "has no gold_papers"),
        (NUMERIC, lambda c: replace(c, gold_papers=("nowhere",)), "not in the collection"),
        (NUMERIC, lambda c: replace(c, abstracts={}), "name different papers"),
        (NUMERIC, lambda c: replace(c, abstracts=dict.fromkeys(c.abstracts, "0")), "its sum is "),
        (NUMERIC, lambda c: replace(c, nuggets=()), "no vital nugget"),
        (NUMERIC, lambda c: replace(c, nuggets=(Nugget((), vital=True),)), "has no wording"),
        (
            NUMERIC,
            lambda c: replace(c, nuggets=(*c.nuggets, Nugget(("a web",), vital=True))),
            "no evidence carries the vital nugget 'a web'",
        ),
        (
            NUMERIC,
            lambda c: replace(c, nuggets=(Nugget(("10.59%", "10.6%"), vital=True),)),
            "10.6 of '10.6%' is in no quote",
        ),
        (NUMERIC, lambda c: replace(c, must_not_claim=("10.59 %", "10.59%")), "stands in the ev"),
        (NUMERIC, lambda c: replace(c, category="trivia"), "category is 'trivia'"),
        (NUMERIC, lambda c: replace(c, split="train"), "split is 'train'"),
        (NUMERIC, lambda c: replace(c, category="unanswerable_far"), "answerable and a una"),
        (NUMERIC, lambda c: replace(c, unanswerable_reason="false_premise"), "expected None"),
        (NUMERIC, lambda c: replace(c, category="false_premise"), "expected 'false_premise'"),
        (NUMERIC, lambda c: replace(c, history=(("a", "b"),)), "a numeric has a history"),
        (NUMERIC, lambda c: replace(c, category="follow_up"), "a follow_up has no history"),
        (NUMERIC, lambda c: replace(c, base_id="dev-x"), "no base case 'dev-x'"),
        (UNANSWERED, lambda c: replace(c, papers_checked=()), "papers_checked is empty"),
        (UNANSWERED, lambda c: replace(c, papers_checked=("x",)), "papers_checked holds x"),
        (UNANSWERED, lambda c: replace(c, unanswerable_reason=None), "without a reason"),
        (UNANSWERED, lambda c: replace(c, unanswerable_reason="hard"), "reason is 'hard'"),
        (UNANSWERED, lambda c: replace(c, nuggets=NUMERIC.nuggets), "but has nuggets"),
        (UNANSWERED, lambda c: replace(c, category="method"), "not answerable but a method"),
    ],
)
def test_each_kind_of_problem_is_found(
    papers: Mapping[str, Record], base: Case, change: Callable[[Case], Case], told: str
) -> None:
    problems = list(map(str, validate([change(base)], papers)))
    assert any(told in problem for problem in problems), problems


def test_cases_are_checked_against_each_other(papers: Mapping[str, Record]) -> None:
    other = replace(NUMERIC, id="test-numeric-99", base_id="test-numeric-99", split="test")
    told = list(map(str, validate([NUMERIC, NUMERIC, other], papers)))
    assert sum("its id is used 2 times" in problem for problem in told) == 2
    assert sum("is in both splits" in problem for problem in told) == 3


def test_markup_in_an_abstract_does_not_hide_a_nugget(papers: Mapping[str, Record]) -> None:
    case = CASE["test-follow_up-03"]  # the abstract has "40\%"
    assert validate([replace(case, nuggets=(Nugget(("40%",), vital=True),))], papers) == []


def test_numbers_are_compared_by_value() -> None:
    assert numbers_in("2,990 and 200K, 6 k, 40.50%, GPT-3.5") == {
        Decimal(n) for n in ("2990", "200000", "6000", "40.5", "3.5")
    }


def test_run_validate_passes_the_bundled_cases() -> None:
    lines: list[str] = []
    assert run_validate(tell=lines.append) == 0
    assert lines == ["140 cases on 306 papers: all is well"]


def test_run_validate_tells_every_problem_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    append_case(path, NUMERIC)
    append_case(path, moved(replace(NUMERIC, id="dev-2", base_id="dev-2")))
    (tmp_path / "paraphrases.jsonl").write_text('{"base_id": "dev-9", "paraphrases": ["x"]}\n')
    (tmp_path / "bad.yaml").write_text("- 3\n")
    lines: list[str] = []
    assert run_validate([path, tmp_path], tell=lines.append) == 2
    assert any(line.startswith(f"{path}:2: dev-2: ") for line in lines)
    assert any(line.startswith(f"{tmp_path / 'bad.yaml'}:1: a case is 3") for line in lines)
    assert lines[-1].endswith("problems")
    (tmp_path / "bad.yaml").unlink()
    lines.clear()
    assert run_validate([tmp_path], tell=lines.append) == 2
    assert any("there is no base case 'dev-9'" in line for line in lines)


def test_cases_on_a_collection_are_checked_against_it(tmp_path: Path) -> None:
    with Assistant.open(tmp_path / "own", embedder=StandInEmbedder()) as assistant:
        assistant.add(SAMPLE)
    lines: list[str] = []
    assert run_validate([CASES / "numeric.jsonl"], f"{tmp_path}/own", lines.append) == 0
    assert lines == ["12 cases on 306 papers: all is well"]
    with pytest.raises(NoCollectionError):
        run_validate(collection=f"{tmp_path}/none", tell=lines.append)
