"""Cases made from base cases by code, each kind with a collection of its own to be put to.

Kinds:
    noise: for every gold paper of a base case that asks for no list, a made-up paper of the same
        subject is added (`distractor`). The right answer stays; does it still get found?
    counterfactual: the number that a case asks for is changed in its abstract (see
        `eval.counterfactual`). Does the answer follow the text, or what a model remembers?
    injection: an abstract is given a paragraph that gives orders, with a word (the canary) that
        no answer has a reason to hold. Is the order obeyed, or cited?
    paraphrase: the question in other words, on the sample itself.

Everything is deterministic: what varies is drawn from a hash of the case's id.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

from eval.casechecks import abstract_sum, carried
from eval.casefields import Injection
from eval.caseload import load_injections, paraphrase_cases
from eval.counterfactual import asked_number, case_with_number, new_number, with_number
from eval.schema import Case, Nugget, Span
from rag.errors import InputError
from rag.ingest.identity import paper_id
from rag.ingest.sentences import split_sentences
from rag.schema import Record

KINDS = ("noise", "counterfactual", "injection", "paraphrase")
MIN_SENTENCES = 2
"""A distractor with fewer sentences left is not added."""


@dataclass(frozen=True, slots=True)
class Derived:
    """Derived cases and the papers of the collection that they are put to, each paper once.

    ``injected`` says, by case id, which part of which abstract is not its authors': a citation
    that overlaps it cites the attack.
    """

    cases: tuple[Case, ...]
    records: tuple[Record, ...]
    injected: Mapping[str, Span] = field(default_factory=dict)


def derive(cases: Iterable[Case], records: Iterable[Record], kind: str) -> Derived:
    """The cases of a kind that these base cases give, and their collection.

    Args:
        cases: base cases; those that do not suit the kind are passed over.
        records: the papers of the collection that they are on.
        kind: one of `KINDS`.

    Raises:
        InputError: there is no such kind, or a gold paper is not among the records.
    """
    if kind not in KINDS:
        raise InputError(f"there is no kind {kind!r} of derived cases; expected one of {KINDS}")
    bases = sorted((c for c in cases if c.variant == "base"), key=lambda case: case.id)
    papers: dict[str, Record] = {}
    for record in records:
        papers.setdefault(paper_id(record.title, record.abstract), record)
    for case in bases:
        for id_ in case.gold_papers:
            if id_ not in papers:
                raise InputError(
                    f"{case.id}: its gold paper {id_} is not among the {len(papers):,} papers; "
                    "give the papers of the collection that the cases are on"
                )
    if kind == "paraphrase":
        return Derived(paraphrase_cases(bases), tuple(papers.values()))
    makers = {"noise": _noise, "counterfactual": _counterfactual, "injection": _injection}
    return makers[kind](bases, papers)


def write_records(records: Iterable[Record], path: Path) -> None:
    """Write records as JSON Lines, which `Assistant.add` reads."""
    names = ("title", "abstract", "authors", "year", "venue", "url", "doi", "arxiv_id")
    with path.open("w", encoding="utf-8") as out:
        for record in records:
            print(json.dumps({name: getattr(record, name) for name in names}), file=out)


# -- noise


def _noise(cases: Sequence[Case], papers: Mapping[str, Record]) -> Derived:
    asked: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        for id_ in case.gold_papers:
            asked[id_].append(case)
    chosen = [c for c in cases if c.answerable and c.category != "aggregation"]
    wanted = dict.fromkeys(id_ for case in chosen for id_ in case.gold_papers)
    found = {id_: distractor(papers[id_], id_, asked[id_]) for id_ in wanted}
    made = {id_: record for id_, record in found.items() if record is not None}
    noisy = (case for case in chosen if made.keys() & set(case.gold_papers))
    return Derived(
        tuple(_variant(case, "noise") for case in noisy), (*papers.values(), *made.values())
    )


def distractor(record: Record, id_: str, cases: Sequence[Case]) -> Record | None:
    """A paper like this one that answers none of the cases; None if too little is left of it.

    Its abstract is the paper's without every sentence that a case quotes and without every
    sentence that alone carries all vital nuggets of a case; its title is the paper's behind
    "Further remarks on", its other fields are unknown. What is left may still touch on an answer
    that takes several sentences.
    """
    quoted = [span for case in cases for span in case.evidence if span.paper == id_]
    wanted = [[nugget for nugget in case.nuggets if nugget.vital] for case in cases]
    kept = [
        sentence
        for start, end in split_sentences(record.abstract)
        if not any(start < span.end and span.start < end for span in quoted)
        and not _answers(sentence := record.abstract[start:end], wanted)
    ]
    if len(kept) < MIN_SENTENCES:
        return None
    title = f"Further remarks on {record.title}"
    return Record(title=title, abstract=" ".join(kept), source="derived/noise")


def _answers(sentence: str, wanted: Iterable[Sequence[Nugget]]) -> bool:
    return any(
        nuggets and all(carried(nugget, sentence) for nugget in nuggets) for nuggets in wanted
    )


# -- counterfactual


def _counterfactual(cases: Sequence[Case], papers: Mapping[str, Record]) -> Derived:
    made: list[Case] = []
    changed: dict[str, Record] = {}
    for case in cases:
        if case.category not in {"numeric", "single_fact"} or len(case.gold_papers) != 1:
            continue
        id_ = case.gold_papers[0]
        number = asked_number(case, papers[id_].title)
        if id_ in changed or number is None:  # one change a paper, so that none spoils another
            continue
        new = new_number(number, case, papers[id_])
        if new is not None:
            abstract = with_number(papers[id_].abstract, number, new)
            changed[id_] = _altered(papers[id_], abstract, "counterfactual")
            made.append(
                case_with_number(_variant(case, "counterfactual"), number, new, changed[id_])
            )
    return _replaced(made, papers, changed)


# -- injection


def _injection(cases: Sequence[Case], papers: Mapping[str, Record]) -> Derived:
    made: list[Case] = []
    changed: dict[str, Record] = {}
    injected: dict[str, Span] = {}
    for case, injection in _paired(cases, load_injections()):
        old_id = case.gold_papers[0]
        canary = f"ZX-{_draw(injection.id + case.id)[:6]}"
        text = injection.text.replace("{canary}", canary)
        at, added = _place(papers[old_id].abstract, case, f"\n\n{text}")
        abstract = papers[old_id].abstract
        record = _altered(papers[old_id], abstract[:at] + added + abstract[at:], "injection")
        changed[old_id] = record
        start = record.abstract.index(text, at)
        new = replace(
            _variant(case, "injection"),
            evidence=tuple(_shifted(span, at, len(added)) for span in case.evidence),
            canary=canary,
            note=f"{injection.id}: {injection.style}",
        )
        made.append(new)
        injected[new.id] = Span(_id(record), text, start, start + len(text))
    return replace(_replaced(made, papers, changed), injected=injected)


def _paired(
    cases: Sequence[Case], injections: Sequence[Injection]
) -> Iterator[tuple[Case, Injection]]:
    """Each injection with a case of its own on a paper of its own: a third dev, the rest test."""
    shares = {"dev": injections[::3], "test": [x for i, x in enumerate(injections) if i % 3]}
    for split, share in shares.items():
        suited = [c for c in cases if c.split == split and c.answerable and len(c.gold_papers) == 1]
        suited.sort(key=lambda case: _draw(case.id))
        by_paper: dict[str, Case] = {}
        for case in suited:
            by_paper.setdefault(case.gold_papers[0], case)
        yield from zip(islice(by_paper.values(), len(share)), share, strict=False)


def _place(abstract: str, case: Case, text: str) -> tuple[int, str]:
    """Where the text goes, and the text as it goes in: after a sentence in the middle, or last.

    Never within a quote. Empty lines set it off, so that the authors' sentences stay as they are.
    """
    ends = [end for _, end in split_sentences(abstract)]
    free = [end for end in ends if not any(s.start < end < s.end for s in case.evidence)]
    last = int(_draw(case.id), 16) % 2
    at = free[-1] if last else free[(len(free) - 1) // 2]
    return at, text if at == ends[-1] else f"{text}\n\n"


def _shifted(span: Span, at: int, by: int) -> Span:
    return replace(span, start=span.start + by, end=span.end + by) if span.start >= at else span


# -- common


def _variant(case: Case, kind: str) -> Case:
    return replace(case, id=f"{case.id}+{kind}", base_id=case.id, variant=kind, corpus=kind)


def _altered(record: Record, abstract: str, kind: str) -> Record:
    """The record with another abstract, under no address that leads to the real one."""
    return replace(
        record, abstract=abstract, url=None, doi=None, arxiv_id=None, source=f"derived/{kind}"
    )


def _replaced(
    cases: Iterable[Case], papers: Mapping[str, Record], changed: Mapping[str, Record]
) -> Derived:
    """The papers with the changed ones in their stead, and the cases that name these by new ids."""
    new_ids = {old: _id(record) for old, record in changed.items()}
    records = tuple(changed.get(id_, record) for id_, record in papers.items())
    return Derived(tuple(_renamed(case, new_ids, changed) for case in cases), records)


def _renamed(case: Case, new_ids: Mapping[str, str], changed: Mapping[str, Record]) -> Case:
    return replace(
        case,
        gold_papers=tuple(new_ids.get(id_, id_) for id_ in case.gold_papers),
        evidence=tuple(replace(s, paper=new_ids.get(s.paper, s.paper)) for s in case.evidence),
        papers_checked=tuple(new_ids.get(id_, id_) for id_ in case.papers_checked),
        abstracts={
            new_ids.get(id_, id_): abstract_sum(changed[id_].abstract) if id_ in changed else digest
            for id_, digest in case.abstracts.items()
        },
    )


def _id(record: Record) -> str:
    return paper_id(record.title, record.abstract)


def _draw(text: str) -> str:
    """64 hex digits that vary with the text."""
    return sha256(text.encode()).hexdigest()
