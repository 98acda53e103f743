"""Helps to write cases on one's own collection: asks, shows, checks, appends.

Offsets, sums and ids are filled in, and a case is written only if it is valid. Follow-ups, which
need a history, are written by hand (see ``cases/README.md``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from eval.casechecks import abstract_sum, carried, numbers_in, plain
from eval.caseload import append_case, load_cases
from eval.schema import CATEGORIES, Case, Nugget, Span
from eval.validation import validate
from rag.assistant import Assistant
from rag.errors import InputError, QuestionError
from rag.ingest.cleaning import display
from rag.schema import Paper

SHOWN = 8
"""So many papers are shown for a search."""

_ANSWERED = [c for c in CATEGORIES if not c.startswith("unanswerable") and c != "follow_up"]
_UNANSWERED = {
    "1": ("unanswerable_near", "not_in_collection", "the paper on this is not held"),
    "2": ("unanswerable_near", "abstract_does_not_say", "it is held, its abstract leaves this out"),
    "3": ("unanswerable_far", "not_in_collection", "nothing of the kind is held"),
}


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Dialogue:
    """Asks and tells; remembers which papers were shown, in that order."""

    assistant: Assistant
    ask: Callable[[str], str]
    tell: Callable[[str], None]
    shown: dict[str, Paper] = field(default_factory=dict)

    def until(self, prompt: str, read: Callable[[str], _T | None]) -> _T:
        """Ask until ``read`` makes something of the answer; a `ValueError` says why it does not."""
        while True:
            try:
                found = read(self.ask(prompt).strip())
            except (ValueError, QuestionError) as error:
                self.tell(str(error))
            else:
                if found is not None:
                    return found

    def search(self, query: str) -> None:
        """Show the papers that fit a query best; a paper keeps its number from search to search."""
        hits = self.assistant.search(query, limit=SHOWN)
        for hit in hits:
            self.shown.setdefault(hit.paper.id, hit.paper)
            number = list(self.shown).index(hit.paper.id) + 1
            self.tell(f"{number}. {display(hit.paper.title)}")
            self.tell(f"   {display(hit.text)}")
        if not hits:
            self.tell("Nothing was found: is the collection empty?")


def new_case(
    assistant: Assistant,
    path: Path,
    ask: Callable[[str], str] = input,
    tell: Callable[[str], None] = print,
) -> Case | None:
    """Write one case by asking for it, and append it to a file of JSON Lines.

    Args:
        assistant: over the collection that the case is on.
        path: of the file; it is made if it is not there, and never left half written.
        ask: is given a prompt and returns an answer; `EOFError` ends without a case.
        tell: is given every line to show.

    Returns:
        The case, or None if the answers ended before it was complete.

    Raises:
        InputError: the file is no ``.jsonl``, or what it holds is not valid.
    """
    if path.suffix != ".jsonl":
        raise InputError(f"{path} does not end in .jsonl: name a file such as my-cases.jsonl")
    before = load_cases(path) if path.exists() and path.stat().st_size else ()
    dialogue = _Dialogue(assistant, ask, tell)
    try:
        case = _asked_for(dialogue, path, before)
    except EOFError:
        tell("The answers ended: nothing was written.")
        return None
    papers = {paper.id: paper for paper in assistant.papers()}
    problems = [p for p in validate((*before, case), papers) if p.case == case.id]
    if problems:
        raise InputError("the case is not valid:\n" + "\n".join(map(str, problems)))
    append_case(path, case)
    tell(f"Wrote {case.id} ({case.category}, split {case.split}) to {path}.")
    return case


def run_new(
    path: Path,
    collection: str | None = None,
    embedder: str | None = None,
    ask: Callable[[str], str] = input,
    tell: Callable[[str], None] = print,
) -> int:
    """Write one case on a collection (by name or directory); 0 if it was written, else 1.

    Raises:
        RagError: the collection or the file cannot be used.
    """
    from rag.settings import Settings

    directory = Settings.from_env(os.environ).directory(collection)
    with Assistant.open(directory, embedder=embedder, create=False) as assistant:
        return 0 if new_case(assistant, path, ask, tell) else 1


def _asked_for(dialogue: _Dialogue, path: Path, before: Sequence[Case]) -> Case:
    """The case as the answers give it, not yet checked as a whole."""
    question = _question(dialogue)
    papers = _papers(dialogue)
    split = _split(papers, question, before)
    evidence = tuple(span for paper in papers for span in _evidence(dialogue, paper))
    text = " ".join(display(span.quote) for span in evidence)
    nuggets = _nuggets(dialogue, text) if papers else ()
    if papers:
        category = _category(dialogue, nuggets)
        reason = "false_premise" if category == "false_premise" else None
    else:
        category, reason = _reason(dialogue)
    id_ = _next_id(path, category, before)
    return Case(
        id=id_,
        base_id=id_,
        split=split,
        category=category,
        question=question,
        history=(),
        answerable=bool(papers),
        gold_papers=tuple(paper.id for paper in papers),
        evidence=evidence,
        nuggets=nuggets,
        must_not_claim=_must_not_claim(dialogue, text),
        unanswerable_reason=reason,
        papers_checked=() if papers else tuple(dialogue.shown),
        abstracts={paper.id: abstract_sum(paper.abstract) for paper in papers},
    )


# -- the questions, in order


def _question(dialogue: _Dialogue) -> str:
    def read(answer: str) -> str:
        dialogue.search(answer)
        return answer

    return dialogue.until("Question, as one would ask it who has not read the paper: ", read)


def _papers(dialogue: _Dialogue) -> tuple[Paper, ...]:
    """The papers that answer the question; empty if none does."""

    def read(answer: str) -> tuple[Paper, ...] | None:
        shown = list(dialogue.shown.values())
        if answer.casefold() == "none":
            return () if shown else None
        if re.fullmatch(r"[\d\s,]+", answer):
            return tuple(shown[i] for i in _picked(answer, len(shown), "paper"))
        dialogue.search(answer)
        return None

    return dialogue.until("Papers that answer it (1 or 1 3), 'none', or words to search: ", read)


def _evidence(dialogue: _Dialogue, paper: Paper) -> tuple[Span, ...]:
    sentences = dialogue.assistant.sentences(paper.id)
    dialogue.tell(display(paper.title))
    for sentence in sentences:
        text = display(paper.abstract[sentence.start : sentence.end])
        dialogue.tell(f"{sentence.index + 1}. {text}")

    def read(answer: str) -> tuple[Span, ...]:
        chosen = [sentences[i] for i in sorted(_picked(answer, len(sentences), "sentence"))]
        return tuple(
            Span(paper.id, paper.abstract[s.start : s.end], s.start, s.end) for s in chosen
        )

    return dialogue.until("Sentences that hold the answer (1 or 2 3): ", read)


def _nuggets(dialogue: _Dialogue, evidence: str) -> tuple[Nugget, ...]:
    nuggets: list[Nugget] = []

    def read(answer: str) -> tuple[Nugget, ...] | None:
        if answer:
            nuggets.append(_nugget(answer, evidence))
        elif not any(nugget.vital for nugget in nuggets):
            raise ValueError("no fact is vital yet: give one as the quote words it")
        return None if answer else tuple(nuggets)

    dialogue.tell("Facts that a right answer states: a few words each, as the quote has them.")
    dialogue.tell("Other wordings after |; ? in front of one that is welcome but not vital.")
    return dialogue.until("A fact (nothing to end): ", read)


def _nugget(answer: str, evidence: str) -> Nugget:
    """A nugget as typed. Raises ValueError if the evidence does not carry it."""
    nugget = Nugget(_parts(answer.removeprefix("?")), vital=not answer.startswith("?"))
    if not nugget.any:
        raise ValueError("there are no words in it: give them as the quote does")
    if nugget.vital and not carried(nugget, evidence):
        raise ValueError(f"no wording of {answer!r} stands in the quotes: word one as they do")
    for wording in nugget.any:
        for number in numbers_in(wording) - numbers_in(evidence):
            raise ValueError(f"{number} of {wording!r} stands in no quote: mend the number")
    return nugget


def _category(dialogue: _Dialogue, nuggets: Sequence[Nugget]) -> str:
    numeric = any(numbers_in(nugget.any[0]) for nugget in nuggets if nugget.vital)
    likely = "numeric" if numeric else "single_fact"

    def read(answer: str) -> str:
        if answer and answer not in _ANSWERED:
            raise ValueError(f"{answer!r} is no category; expected one of {', '.join(_ANSWERED)}")
        return answer or likely

    return dialogue.until(f"Category (nothing for {likely}): ", read)


def _reason(dialogue: _Dialogue) -> tuple[str, str]:
    """Category and reason of a question that no paper answers."""

    def read(answer: str) -> tuple[str, str]:
        if answer not in _UNANSWERED:
            raise ValueError(f"{answer!r} is not there: expected one of {', '.join(_UNANSWERED)}")
        category, reason, _ = _UNANSWERED[answer]
        return category, reason

    for number, (_, _, meaning) in _UNANSWERED.items():
        dialogue.tell(f"{number}. {meaning}")
    return dialogue.until("Why can it not be answered? ", read)


def _must_not_claim(dialogue: _Dialogue, evidence: str) -> tuple[str, ...]:
    def read(answer: str) -> tuple[str, ...]:
        for claim in _parts(answer):
            if plain(claim) in evidence.casefold():
                raise ValueError(f"{claim!r} stands in the quotes: an answer may say it")
        return _parts(answer)

    return dialogue.until("What would be wrong to claim (| between; nothing if unsure): ", read)


# -- what is filled in


def _parts(answer: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in answer.split("|") if part.strip())


def _picked(answer: str, available: int, what: str) -> list[int]:
    """Numbers from 1 as indexes from 0, each once. Raises ValueError if one does not exist."""
    words = answer.replace(",", " ").split()
    wrong = next((w for w in words if not w.isdecimal() or not 1 <= int(w) <= available), None)
    if wrong is not None or not words:
        told = f"{what} {wrong} is not there" if wrong else f"no {what} is named"
        raise ValueError(f"{told}: expected numbers from 1 to {available}")
    return list(dict.fromkeys(int(word) - 1 for word in words))


def _next_id(path: Path, category: str, before: Sequence[Case]) -> str:
    """An id that no case of the file has or could have had after it."""
    stem = re.sub(r"[^\w-]+", "-", path.stem)
    taken = [case.id.rpartition("-") for case in before]
    used = [int(n) for head, _, n in taken if head == f"{stem}-{category}" and n.isdecimal()]
    return f"{stem}-{category}-{max(used, default=0) + 1:02}"


def _split(papers: Sequence[Paper], question: str, before: Sequence[Case]) -> str:
    """The split that earlier cases put these papers in; else dev for a third, test for the rest.

    Raises ``InputError`` if the papers stand in both splits already.
    """
    ids = {paper.id for paper in papers}
    splits = {case.split for case in before if ids.intersection(case.gold_papers)}
    if len(splits) > 1:
        raise InputError("these papers are in different splits already: ask about fewer of them")
    drawn = sha256(min(ids, default=question).encode()).digest()[0] % 3
    return splits.pop() if splits else ("dev" if drawn == 0 else "test")
