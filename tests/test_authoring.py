from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eval.authoring import new_case, run_new
from eval.caseload import CaseError, load_cases
from eval.standin import StandInEmbedder
from eval.validation import validate
from rag.assistant import Assistant
from rag.errors import InputError
from tests.makers import PAPERS


@dataclass
class Script:
    """Answers one after the other, then the end of input; remembers what was told."""

    answers: list[str]
    told: list[str] = field(default_factory=list)

    def ask(self, prompt: str) -> str:
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)

    @property
    def text(self) -> str:
        return "\n".join(self.told)


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    source = tmp_path / "papers.jsonl"
    rows = [json.dumps({"title": paper.title, "abstract": paper.abstract}) for paper in PAPERS]
    source.write_text("\n".join(rows), "utf-8")
    with Assistant.open(tmp_path / "own", embedder=StandInEmbedder()) as opened:
        opened.add(source)
        yield opened


QUESTION = "After how many steps of training does grokking happen?"
ANSWERS = [QUESTION, "1", "3", "10,000 steps|10000 steps", "?modular addition", "", "", "100 steps"]


def test_a_case_is_written_with_offsets_sums_and_ids(assistant: Assistant, tmp_path: Path) -> None:
    path, script = tmp_path / "mine.jsonl", Script(list(ANSWERS))
    case = new_case(assistant, path, script.ask, script.told.append)
    assert case is not None
    assert load_cases(path) == (case,)
    assert validate([case], {paper.id: paper for paper in assistant.papers()}) == []
    assert (case.id, case.category, case.answerable) == ("mine-numeric-01", "numeric", True)
    assert case.evidence[0].quote.startswith("It happens after 10,000 steps")
    assert [nugget.vital for nugget in case.nuggets] == [True, False]
    assert case.must_not_claim == ("100 steps",)
    assert "3. It happens after" in script.text
    assert f"Wrote mine-numeric-01 (numeric, split {case.split})" in script.told[-1]


def test_a_second_case_gets_the_next_id_and_the_split_of_its_paper(
    assistant: Assistant, tmp_path: Path
) -> None:
    path = tmp_path / "mine.jsonl"
    for _ in range(2):
        script = Script(list(ANSWERS))
        new_case(assistant, path, script.ask, script.told.append)
    first, second = load_cases(path)
    assert second.id == "mine-numeric-02"
    assert first.split == second.split


def test_a_question_that_nothing_answers_lists_the_papers_shown(
    assistant: Assistant, tmp_path: Path
) -> None:
    script = Script(["What is the best embedder?", "vision encoders", "none", "9", "2", ""])
    case = new_case(assistant, tmp_path / "mine.jsonl", script.ask, script.told.append)
    assert case is not None
    assert case.category == "unanswerable_near"
    assert case.unanswerable_reason == "abstract_does_not_say"
    assert set(case.papers_checked) == {paper.id for paper in assistant.papers()}
    assert "'9' is not there: expected one of 1, 2, 3" in script.told


def test_every_wrong_answer_is_told_and_asked_again(assistant: Assistant, tmp_path: Path) -> None:
    papers, sentences = ["99", "1"], ["0", "x", "3"]
    facts = ["", "sudden death", "|", "10,000 steps|9 steps", "10,000 steps", ""]
    rest = ["trivia", "numeric", "10,000 STEPS", ""]
    script = Script(["", QUESTION, *papers, *sentences, *facts, *rest])
    case = new_case(assistant, tmp_path / "mine.jsonl", script.ask, script.told.append)
    assert case is not None
    for told in (
        "paper 99 is not there: expected numbers from 1 to",
        "sentence 0 is not there",
        "sentence x is not there",
        "no fact is vital yet",
        "no wording of 'sudden death' stands in the quotes",
        "there are no words in it",
        "9 of '9 steps' stands in no quote",
        "'trivia' is no category",
        "'10,000 STEPS' stands in the quotes",
    ):
        assert told in script.text
    assert len(case.nuggets) == 1


@pytest.mark.parametrize("given", range(len(ANSWERS)))
def test_answers_that_end_early_write_nothing(
    assistant: Assistant, tmp_path: Path, given: int
) -> None:
    path, script = tmp_path / "mine.jsonl", Script(ANSWERS[:given])
    assert new_case(assistant, path, script.ask, script.told.append) is None
    assert script.told[-1] == "The answers ended: nothing was written."
    assert not path.exists()


def test_a_file_that_is_not_ours_is_refused_before_anything_is_asked(
    assistant: Assistant, tmp_path: Path
) -> None:
    script = Script(list(ANSWERS))
    with pytest.raises(InputError, match=r"does not end in \.jsonl"):
        new_case(assistant, tmp_path / "mine.yaml", script.ask)
    broken = tmp_path / "mine.jsonl"
    broken.write_text("no JSON\n", "utf-8")
    with pytest.raises(CaseError, match=r"mine\.jsonl:1: not valid JSON"):
        new_case(assistant, broken, script.ask)
    assert script.answers == ANSWERS
    assert broken.read_text("utf-8") == "no JSON\n"


def test_papers_of_different_splits_are_not_mixed(assistant: Assistant, tmp_path: Path) -> None:
    path, script = tmp_path / "mine.jsonl", Script(list(ANSWERS))
    case = new_case(assistant, path, script.ask, script.told.append)
    assert case is not None
    row = json.loads(path.read_text("utf-8"))
    other_split = "test" if case.split == "dev" else "dev"
    other = {**row, "id": "mine-2", "base_id": "mine-2", "split": other_split}
    path.write_text(f"{json.dumps(row)}\n{json.dumps(other)}\n", "utf-8")
    with pytest.raises(InputError, match="in different splits already"):
        new_case(assistant, path, Script(list(ANSWERS)).ask, script.told.append)


def test_it_works_piped(
    sample_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Who won the cup of 1930?\nnone\n3\n\n"))
    path = tmp_path / "mine.jsonl"
    assert run_new(path, str(sample_home / "sample")) == 0
    (case,) = load_cases(path)
    assert case.category == "unanswerable_far"
    assert len(case.papers_checked) == 8
    assert "Wrote mine-unanswerable_far-01" in capsys.readouterr().out
