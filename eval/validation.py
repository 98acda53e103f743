"""Checks cases against the papers they speak of; needs no model.

A case that quotes what no abstract says, or expects a number that its evidence does not hold,
would count as an error of the assistant. Every check yields what is wrong and what to do.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from eval.casechecks import CHECKS, Fault, Papers
from eval.caseload import CASES, CaseError, load_paraphrases, read_cases
from eval.schema import Case
from rag.errors import FileError
from rag.ingest.identity import paper_id
from rag.ingest.reading import read_papers
from rag.schema import Place, Record

SAMPLE = Path(__file__).parents[1] / "data" / "daily_papers"
"""The papers that the bundled cases are on; part of a checkout, not of an installed package."""
VALID, INVALID = 0, 2


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a case, what to do, and where the case stands if that is known."""

    case: str
    what: str
    remedy: str
    place: Place | None = None

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.case}: {self.what}: {self.remedy}"


def validate(
    cases: Sequence[Case],
    papers: Papers,
    *,
    places: Sequence[Place] = (),
    bases: Collection[str] = (),
) -> list[Problem]:
    """Everything that is wrong with these cases, in their order; empty if nothing is.

    Args:
        cases: to be checked, one by one and together.
        papers: what the collection holds, by paper id.
        places: where each case stands, in the order of the cases.
        bases: ids of base cases that are not among the cases, for derived ones.
    """
    together = _together(cases, {*bases, *(case.id for case in cases)})
    return [
        Problem(case.id, what, remedy, place)
        for case, place, faults in zip_longest(cases, places, together)
        for what, remedy in [*(f for check in CHECKS for f in check(case, papers)), *faults]
    ]


def run_validate(
    paths: Sequence[Path] = (),
    collection: str | None = None,
    tell: Callable[[str], None] = print,
) -> int:
    """Check files and folders of cases and tell of every problem; returns the exit code.

    Args:
        paths: of cases; by default the bundled ones.
        collection: the name or directory of the collection that they are on; by default the
            sample papers of a checkout.
        tell: is given every line to show.

    Returns:
        0 if all is well, 2 if not.

    Raises:
        RagError: the papers cannot be read.
    """
    cases: list[Case] = []
    places: list[Place] = []
    lines: list[str] = []
    for path in paths or [CASES]:
        try:
            loaded = read_cases(path)
        except CaseError as error:
            lines += map(str, error.faults)
            continue
        cases += loaded.cases
        places += loaded.places
        lines += _paraphrase_lines(path, {case.id for case in loaded.cases})
    papers = sample_papers() if collection is None else collection_papers(collection)
    lines += map(str, validate(cases, papers, places=places))
    for line in lines:
        tell(line)
    held = f"{len(cases):,} cases on {len(papers):,} papers"
    tell(f"{held}: {len(lines):,} problems" if lines else f"{held}: all is well")
    return INVALID if lines else VALID


def sample_papers() -> dict[str, Record]:
    """The sample papers by id, each once, in the order of their files.

    Raises:
        FileError: they are not there.
    """
    if not SAMPLE.is_dir():
        raise FileError(
            f"the sample papers are not at {SAMPLE}: work in a checkout, or name the collection "
            "that the cases are on"
        )
    records = (record for record in read_papers(SAMPLE) if isinstance(record, Record))
    found: dict[str, Record] = {}
    for record in records:
        found.setdefault(paper_id(record.title, record.abstract), record)
    return found


def collection_papers(collection: str) -> Papers:
    """The papers of a collection (its name, or its directory if there is a slash in it), by id.

    Raises:
        RagError: there is no such collection, or it cannot be read.
    """
    from rag.assistant import Assistant
    from rag.settings import Settings

    directory = Settings.from_env(os.environ).directory(collection)
    with Assistant.open(directory, create=False, check=False) as assistant:
        return {paper.id: paper for paper in assistant.papers()}


# -- all cases


def _together(cases: Sequence[Case], known: Collection[str]) -> list[list[Fault]]:
    """What is wrong with each case in the light of the others, in their order."""
    times = Counter(case.id for case in cases)
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for case in cases:
        for id_ in case.gold_papers:
            splits[id_].add(case.split)
    return [list(_beside(case, times, splits, known)) for case in cases]


def _beside(
    case: Case,
    times: Mapping[str, int],
    splits: Mapping[str, set[str]],
    known: Collection[str],
) -> Iterator[Fault]:
    if times[case.id] > 1:
        yield f"its id is used {times[case.id]} times", "give each case an id of its own"
    if case.base_id not in known:
        yield f"there is no base case {case.base_id!r}", "mend base_id, or add that case"
    for id_ in case.gold_papers:
        if len(splits[id_]) > 1:
            yield f"its gold paper {id_} is in both splits", "move it to the split of the others"


def _paraphrase_lines(folder: Path, ids: Collection[str]) -> Iterable[str]:
    """What is wrong with the paraphrases beside cases; nothing where there are none."""
    path = folder / "paraphrases.jsonl"
    if not path.is_file():
        return []
    try:
        groups = load_paraphrases(path)
    except CaseError as error:
        return map(str, error.faults)
    return [
        f"{path}: there is no base case {group.base_id!r}: mend base_id, or add that case"
        for group in groups
        if group.base_id not in ids
    ]
