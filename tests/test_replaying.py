"""Answers that are kept, and asked again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rag.assistant import Assistant
from rag.ingest.identity import paper_id
from rag.records import answer_from_json
from rag.replaying import changes
from rag.schema import Record
from tests.makers import MINDS, put
from tests.openai_server import openai_server
from tests.writing import QUESTION, assistant_at, writes

MINDS_ID = paper_id(MINDS.title, MINDS.abstract)
TEXT = "Networks first memorise and then generalise suddenly. [[memorise]]"
NEWER = Record("More on grokking", "What grokking is we now know. It is grokking.", source="c.txt")


def kept(assistant: Assistant, id_: str | None) -> str:
    assert assistant.history is not None
    assert id_ is not None
    return assistant.history.answer(id_).text


def test_every_answer_is_kept_as_one_record_that_reads_back(tmp_path: Path) -> None:
    with (
        openai_server(writes(TEXT)) as server,
        assistant_at(tmp_path, server, history=True) as assistant,
    ):
        answer = assistant.ask(QUESTION)
        read = answer_from_json(kept(assistant, answer.id))
    assert read.to_json() == answer.to_json()
    assert read.settings["context"]["sentences"] == 7


def test_an_answer_that_cannot_be_kept_is_given_with_a_note(tmp_path: Path) -> None:
    with (
        openai_server(writes(TEXT)) as server,
        assistant_at(tmp_path, server, history=True) as assistant,
    ):
        (tmp_path / "history.sqlite3").write_text("this is no database" * 100)
        answer = assistant.ask(QUESTION)
    assert answer.id is None
    assert answer.claims
    assert "This answer is not kept: " in answer.notes[-1]


def test_a_replay_of_an_unchanged_collection_is_the_same(tmp_path: Path) -> None:
    with (
        openai_server(writes(TEXT, condense="When does grokking happen?")) as server,
        assistant_at(tmp_path, server, history=True) as assistant,
    ):
        history, numbers = [("What is theory of mind?", "It is.")], {MINDS_ID: 4}
        answer = assistant.ask(
            "When does it happen?", history=history, numbers=numbers, papers=2, strict=True
        )
        assert answer.settings["also"] == [MINDS_ID]
        again = assistant.replay(answer_from_json(kept(assistant, answer.id)))
    assert again.changes == ()
    assert again.now.id is None
    assert len(server.requests) == 3
    assert server.requests[1].body == server.requests[2].body


def test_a_replay_says_what_changed(tmp_path: Path) -> None:
    with (
        openai_server([TEXT.replace("[[memorise]]", "[zz999]"), "DECLINED: x"]) as server,
        assistant_at(tmp_path, server) as assistant,
    ):
        before = assistant.ask(QUESTION)
        put(assistant._collection, NEWER)
        again = assistant.replay(before)
    said = "\n".join(again.changes)
    for part in (
        "collection fingerprint: ",
        "collection papers: 3 → 4",
        f"newly retrieved: {NEWER.title}",
        "declined: none → ",
        "citations: 1 fewer, 0 new",
        "text: not the same",
    ):
        assert part in said


def test_a_replay_without_the_model_says_so(tmp_path: Path) -> None:
    with openai_server(writes(TEXT)) as server, assistant_at(tmp_path, server) as assistant:
        before = assistant.ask(QUESTION)
        again = assistant.written_by(None).replay(before)
    assert "model: openai:loopback-1 → none" in again.changes
    assert "prompts: answer@1 → none" in again.changes
    assert "mode: generated → extractive" in again.changes


@pytest.mark.parametrize(
    "name",
    [
        "text",
        "message",
        "scores",
        "order",
        "confidence",
        "suggestions",
        "context",
        "passages",
    ],
)
def test_each_kind_of_change_is_told_alone(tmp_path: Path, name: str) -> None:
    with openai_server(writes(TEXT)) as server, assistant_at(tmp_path, server) as assistant:
        before = assistant.ask(QUESTION)
    first, *others = before.hits
    changed = {
        "text": replace(before, claims=(replace(before.claims[0], text="Other."),)),
        "scores": replace(before, hits=(replace(first, score=first.score + 1), *others)),
        "order": replace(before, hits=before.hits[::-1]),
        "message": replace(before, message="Other."),
        "confidence": replace(before, confidence=(before.confidence or 0) + 0.1),
        "suggestions": replace(before, suggestions=(first.paper,)),
        "context": replace(before, settings={**before.settings, "context": {"sentences": 1}}),
        "passages": replace(before, hits=(first, *others[1:])),
    }
    assert first.paper.id == others[0].paper.id
    assert [change.partition(":")[0] for change in changes(before, changed[name])] == [
        {
            "message": "text",
            "order": "papers",
            "context": "setting context",
            "passages": "passages of the same papers",
        }.get(name, name)
    ]
