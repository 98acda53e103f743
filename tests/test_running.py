"""Running cases: what fails, what is interrupted, and what is tried again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.answerers import attempt, repeated, turn_of
from eval.running import Corpus, Plan, execute
from eval.schema import Case, Response
from eval.standin import StandInEmbedder
from eval.store import load_run
from rag.assistant import Assistant
from rag.store.collection import Collection
from tests.run_makers import ABSTRACTS, a_case, right

CASES = tuple(a_case(f"c{number}") for number in range(10))


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    collection = Collection(tmp_path / "papers", create=True)
    with Assistant(collection, StandInEmbedder()) as opened:
        yield opened


def ignored(done: int, total: int) -> None:
    """Show no progress."""


def test_whatever_an_answerer_raises_is_the_cases_error(assistant: Assistant) -> None:
    def failing(case: Case, assistant: Assistant) -> Response:
        raise ZeroDivisionError(case.id)

    assert attempt(failing, CASES[0], assistant).error == "ZeroDivisionError: c0"


def test_an_interrupted_run_begins_no_further_case_and_keeps_what_it_has(
    assistant: Assistant, tmp_path: Path
) -> None:
    asked: list[str] = []
    go_on = threading.Event()

    def answerer(case: Case, assistant: Assistant) -> Response:
        asked.append(case.id)
        if len(asked) > 1:
            go_on.wait(5)
        return right(case)

    def interrupt(done: int, _: int) -> None:
        if done:
            raise KeyboardInterrupt

    corpora = {"sample": Corpus(assistant, ABSTRACTS)}
    with pytest.raises(KeyboardInterrupt):
        execute(Plan("x", answerer, CASES, corpora, jobs=2), tmp_path / "run", "r", interrupt)
    begun = len(asked)
    go_on.set()
    assert begun <= 3, "the first, and one for each thread"
    assert len(load_run(tmp_path / "run").scores) == 1
    run = execute(Plan("x", answerer, CASES, corpora, jobs=2), tmp_path / "run", "r", ignored)
    assert [score.case.id for score in run.scores] == [case.id for case in CASES]


def test_cases_that_failed_are_tried_again_when_a_run_goes_on(
    assistant: Assistant, tmp_path: Path
) -> None:
    asked: list[str] = []

    def flaky(case: Case, assistant: Assistant) -> Response:
        asked.append(case.id)
        if asked == ["c0"]:
            raise ConnectionError("down")
        return right(case)

    plan = Plan("x", flaky, CASES[:3], {"sample": Corpus(assistant, ABSTRACTS)})
    first = execute(plan, tmp_path / "run", "r", ignored)
    assert [score.response.error is None for score in first.scores] == [False, True, True]
    again = execute(plan, tmp_path / "run", "r", ignored)
    assert [score.response.error for score in again.scores] == [None] * 3
    assert asked == ["c0", "c1", "c2", "c0"]


def test_the_turn_of_a_case_is_in_its_name() -> None:
    named = [(case.id, turn_of(case)) for case in repeated(CASES[:2], 3)]
    assert named == [("c0", 1), ("c1", 1), ("c0#2", 2), ("c1#2", 2), ("c0#3", 3), ("c1#3", 3)]
