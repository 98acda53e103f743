"""A language model put to the test by the evaluation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from eval.__main__ import BAD_DATA, main
from eval.store import load_run
from rag.assistant import Assistant
from tests.openai_server import openai_server
from tests.writing import writes

ABSTRACT = "Bees dance to tell where flowers are. They turn 300 times an hour."


@pytest.fixture
def named(tmp_path: Path) -> list[str]:
    """The options that name a collection of one paper and a case about it."""
    papers = tmp_path / "mine.jsonl"
    papers.write_text(json.dumps({"title": "Bees", "abstract": ABSTRACT}))
    with Assistant.open(tmp_path / "mine") as assistant:
        assistant.add(papers)
        [paper] = assistant.papers()
    case = {
        "id": "mine-1",
        "split": "dev",
        "category": "numeric",
        "question": "How often do bees turn?",
        "answerable": True,
        "gold_papers": [paper.id],
        "evidence": [
            {"paper": paper.id, "quote": ABSTRACT[38:], "start": 38, "end": len(ABSTRACT)}
        ],
        "nuggets": [{"any": ["300"], "vital": True}],
        "abstracts": {paper.id: hashlib.sha256(ABSTRACT.encode()).hexdigest()},
    }
    (tmp_path / "cases.jsonl").write_text(json.dumps(case))
    return ["--cases", str(tmp_path / "cases.jsonl"), "--collection", str(tmp_path / "mine")]


def test_a_model_is_scored_and_its_replies_are_kept(tmp_path: Path, named: list[str]) -> None:
    text = "They turn 300 times an hour. [[300]] [zz999]"
    with openai_server(writes(text)) as server:
        model = ["--model", "m", "--base-url", server.url()]
        for name in ("first", "second"):
            assert main(["run", *named, *model, "--runs", str(tmp_path), "--id", name]) == 0
    first, second = load_run(tmp_path / "first"), load_run(tmp_path / "second")
    assert first.answerer == "assistant with openai:m"
    [score], [again] = first.scores, second.scores
    assert score.values["correct"] == again.values["correct"] == 1
    assert (score.response.calls, again.response.calls) == (1, 1)
    assert score.response.tokens == again.response.tokens > 100
    assert score.response.mode == "generated"
    assert (first.settings["llm"], first.settings["window"]) == (
        f"{server.url()} m temperature=0 seed=20240",
        8192,
    )
    assert "answer@" in " ".join(first.settings["prompts"])
    assert len(first.hashes["cross-encoder"]) == 64
    assert score.response.unknown_keys == 1
    assert len(server.requests) == 1


def test_quotes_that_stand_in_for_a_model_are_not_scored_as_its_work(
    tmp_path: Path, named: list[str]
) -> None:
    with openai_server(writes("They turn 300 times an hour. [[300]]")) as server:
        command = ["run", *named, "--model", "m", "--base-url", server.url("400,ok")]
        for error in ("status 400: it is broken on purpose", None):
            main([*command, "--runs", str(tmp_path), "--id", "run"])
            [score] = load_run(tmp_path / "run").scores
            assert (error or "None") in str(score.response.error)
    assert score.values["correct"] == 1


def test_a_model_that_declines_is_scored(tmp_path: Path, named: list[str]) -> None:
    with openai_server("DECLINED: abstract_does_not_say") as server:
        model = ["--model", "m", "--base-url", server.url()]
        main(["run", *named, *model, "--runs", str(tmp_path), "--id", "run"])
    [score] = load_run(tmp_path / "run").scores
    assert (score.response.error, score.response.declined) == (None, "abstract_does_not_say")


def test_each_repetition_of_a_case_is_asked_anew(tmp_path: Path, named: list[str]) -> None:
    with openai_server(writes("They turn 300 times an hour. [[300]]")) as server:
        model = ["--model", "m", "--base-url", server.url(), "--repeat", "3"]
        for name in ("first", "second"):
            main(["run", *named, *model, "--runs", str(tmp_path), "--id", name])
    assert len(server.requests) == 3


def test_a_model_is_for_the_assistant_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--model", "m", "--answerer", "oracle"]) == BAD_DATA
    assert "leave one out" in capsys.readouterr().err
