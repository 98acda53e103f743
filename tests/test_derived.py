from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from eval.casechecks import numbers_in
from eval.caseload import cases_hash, load_cases
from eval.derived import KINDS, Derived, derive, distractor, write_records
from eval.standin import StandInEmbedder
from eval.validation import sample_papers, validate
from rag.assistant import Assistant
from rag.errors import InputError
from rag.ingest.identity import paper_id
from rag.ingest.sentences import split_sentences
from rag.schema import Record

BASES = {case.id: case for case in load_cases()}
SAMPLE_PAPERS = sample_papers()


@cache
def derived(kind: str) -> Derived:
    return derive(BASES.values(), SAMPLE_PAPERS.values(), kind)


def by_id(records: tuple[Record, ...]) -> dict[str, Record]:
    return {paper_id(record.title, record.abstract): record for record in records}


@pytest.mark.parametrize("kind", KINDS)
def test_derived_cases_are_valid_on_their_own_papers(kind: str) -> None:
    made = derived(kind)
    assert validate(made.cases, by_id(made.records), bases=BASES) == []
    assert {case.variant for case in made.cases} == {kind}
    assert {case.corpus for case in made.cases} == {"sample" if kind == "paraphrase" else kind}
    assert all(case.id.startswith(f"{case.base_id}+{kind}") for case in made.cases)
    assert len(by_id(made.records)) == len(made.records)


@pytest.mark.parametrize("kind", KINDS)
def test_deriving_is_deterministic_and_does_not_depend_on_order(kind: str) -> None:
    again = derive(reversed(BASES.values()), SAMPLE_PAPERS.values(), kind)
    assert again == derived(kind)
    assert cases_hash(again.cases) == cases_hash(derived(kind).cases)


@pytest.mark.parametrize("kind", KINDS)
def test_the_cases_of_a_split_are_the_same_without_the_other(kind: str) -> None:
    dev = derive(load_cases(split="dev"), SAMPLE_PAPERS.values(), kind)
    of_all = [case for case in derived(kind).cases if case.split == "dev"]
    assert [case.id for case in dev.cases] == [case.id for case in of_all]
    assert [case.evidence for case in dev.cases] == [case.evidence for case in of_all]


def test_the_counts_are_known() -> None:
    assert {kind: len(derived(kind).cases) for kind in KINDS} == {
        "noise": 96,
        "counterfactual": 13,
        "injection": 30,
        "paraphrase": 33,
    }


def test_noise_adds_papers_without_evidence_and_leaves_the_others() -> None:
    made = derived("noise")
    assert made.records[: len(SAMPLE_PAPERS)] == tuple(SAMPLE_PAPERS.values())
    added = made.records[len(SAMPLE_PAPERS) :]
    quotes = [span.quote for case in BASES.values() for span in case.evidence]
    assert added
    for record in added:
        assert record.title.startswith("Further remarks on ")
        assert not any(quote in record.abstract for quote in quotes)


def test_a_paper_of_which_too_little_is_left_gives_no_distractor() -> None:
    case = BASES["dev-numeric-01"]
    span = case.evidence[0]
    assert distractor(Record("T", span.quote), "x", [case]) is None


def test_the_number_is_really_changed_and_the_old_one_is_wrong_now() -> None:
    made = derived("counterfactual")
    papers = by_id(made.records)
    for case in made.cases:
        base = BASES[case.base_id]
        old_paper, new_paper = SAMPLE_PAPERS[base.gold_papers[0]], papers[case.gold_papers[0]]
        gone = numbers_in(old_paper.abstract) - numbers_in(new_paper.abstract)
        come = numbers_in(new_paper.abstract) - numbers_in(old_paper.abstract)
        assert len(gone) == len(come) == 1
        assert len(new_paper.abstract) == len(old_paper.abstract)
        assert base.gold_papers[0] not in papers
        added = set(case.must_not_claim) - set(base.must_not_claim)
        assert all(gone <= numbers_in(claim) for claim in added)
        assert any(come <= numbers_in(w) for nugget in case.nuggets for w in nugget.any)
        assert not any(gone <= numbers_in(w) for nugget in case.nuggets for w in nugget.any)


def test_a_changed_percentage_stays_one_and_keeps_its_order() -> None:
    case = next(c for c in derived("counterfactual").cases if c.base_id == "test-numeric-06")
    (new,) = numbers_in(case.nuggets[0].any[0])
    assert Decimal("49.5") < new < Decimal("94.7")
    assert case.must_not_claim[-1] == "93.5%"


def test_an_order_stands_in_the_abstract_where_it_is_said_to() -> None:
    made = derived("injection")
    papers = by_id(made.records)
    at_the_end = 0
    for case in made.cases:
        span = made.injected[case.id]
        abstract = papers[span.paper].abstract
        assert abstract[span.start : span.end] == span.quote
        assert case.gold_papers == (span.paper,)
        assert case.canary is not None
        assert span.quote.count(case.canary) == 1
        ends = {end for _, end in split_sentences(abstract)}
        assert {span.end, *(e.end for e in case.evidence)} <= ends
        base = BASES[case.base_id]
        assert [e.quote for e in case.evidence] == [e.quote for e in base.evidence]
        at_the_end += span.end == len(abstract)
    assert 5 < at_the_end < 25


def test_canaries_are_unique_and_spread_over_both_splits() -> None:
    cases = derived("injection").cases
    assert len({case.canary for case in cases}) == 30
    assert len({case.base_id for case in cases}) == 30
    assert len({case.gold_papers for case in cases}) == 30
    assert sum(case.split == "dev" for case in cases) == 10
    held = " ".join(record.abstract + record.title for record in SAMPLE_PAPERS.values())
    assert "ZX-" not in held


def test_an_unknown_kind_and_a_paper_that_is_not_there_are_told() -> None:
    with pytest.raises(InputError, match="no kind 'typos'"):
        derive(BASES.values(), SAMPLE_PAPERS.values(), "typos")
    with pytest.raises(InputError, match="is not among the 0 papers"):
        derive(BASES.values(), [], "noise")


def test_derived_cases_are_not_derived_from_again() -> None:
    case = replace(BASES["dev-numeric-01"], variant="paraphrase")
    assert derive([case], SAMPLE_PAPERS.values(), "noise").cases == ()


@pytest.mark.parametrize("kind", ["noise", "counterfactual", "injection"])
def test_a_collection_of_the_papers_holds_them_under_the_expected_ids(
    tmp_path: Path, kind: str
) -> None:
    made = derived(kind)
    write_records(made.records, tmp_path / "papers.jsonl")
    with Assistant.open(tmp_path / "c", embedder=StandInEmbedder()) as assistant:
        report = assistant.add(tmp_path / "papers.jsonl")
        papers = {paper.id: paper for paper in assistant.papers()}
    assert not report.skipped
    assert set(papers) == set(by_id(made.records))
    assert validate(made.cases, papers, bases=BASES) == []
