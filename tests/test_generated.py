"""Answers written by a language model, end to end over a loopback server."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rag.events import Began, Event, Finished, Pending, Stage, Told, Understood, Withdrawn
from rag.schema import DeclineReason, Status, Usage
from tests.makers import GROKKING, MINDS
from tests.openai_server import KEY, Script, openai_server
from tests.writing import QUESTION, assistant_at, kind_of, writes

GOOD = (
    "Networks first memorise and then generalise suddenly. [[first memorise]] We call this "
    "grokking. [[call this]] Theory of mind is the ability to ascribe beliefs to others. "
    "[[ascribe beliefs]]"
)


def test_a_written_answer_cites_the_sentences_whose_keys_it_names(tmp_path: Path) -> None:
    with openai_server(writes(GOOD)) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask(QUESTION)
    assert answer.text == (
        "Networks first memorise and then generalise suddenly. [1] We call this grokking. [1] "
        "Theory of mind is the ability to ascribe beliefs to others. [2]"
    )
    assert [paper.title for paper in answer.papers] == [GROKKING.title, MINDS.title]
    assert {claim.verdict.status for claim in answer.claims} == {Status.SUPPORTED}
    assert (answer.mode, answer.model) == ("generated", "openai:loopback-1")
    assert answer.prompts == ("answer@1",)
    assert (answer.usage.calls, answer.usage.prompt_tokens) == (1, 100)
    assert not answer.usage.estimated
    assert not answer.counts
    assert answer.settings["context"]["papers"] == 3
    assert len(server.requests) == 1


def test_the_stages_come_in_order_and_each_claim_as_it_is_checked(tmp_path: Path) -> None:
    with openai_server(writes(GOOD)) as server, assistant_at(tmp_path, server) as assistant:
        events = list(assistant.stream(QUESTION))
    plain = [event for event in events if not isinstance(event, Pending)]
    assert plain[0] == Understood(QUESTION)
    assert [event.stage for event in plain if isinstance(event, Began)] == list(Stage)
    *_, finished = plain
    assert isinstance(finished, Finished)
    told = [event.claim for event in plain if isinstance(event, Told)]
    assert tuple(told) == finished.answer.claims
    pending = [event.text for event in events if isinstance(event, Pending)]
    assert pending[0].startswith("Networks")
    assert pending[-1].strip() == told[-1].text


def test_text_is_passed_on_while_the_rest_is_still_being_written(tmp_path: Path) -> None:
    held = threading.Event()
    script = Script(["Networks first memorise", " and more."], held=held)
    with openai_server(script) as server, assistant_at(tmp_path, server) as assistant:
        events = assistant.stream(QUESTION)
        first = next(event for event in events if isinstance(event, Pending))
        assert not held.is_set()
        held.set()
        assert isinstance(list(events)[-1], Finished)
    assert first.text == "Networks first memorise"


def test_a_made_up_key_is_removed_and_counted(tmp_path: Path) -> None:
    text = "Networks first memorise and then generalise suddenly. [zz999]"
    with openai_server(text) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask(QUESTION)
    assert dict(answer.counts) == {"recited": 1, "unknown_keys": 1}
    [citation] = answer.citations
    assert citation.quote == answer.claims[0].text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("DECLINED: not_in_collection", DeclineReason.NOT_IN_COLLECTION),
        ("DECLINED: abstract_does_not_say", DeclineReason.ABSTRACT_DOES_NOT_SAY),
        ("Not stated: how many bees there are.", DeclineReason.ABSTRACT_DOES_NOT_SAY),
        (
            "The provided abstracts do not contain information about grokking.",
            DeclineReason.ABSTRACT_DOES_NOT_SAY,
        ),
    ],
)
def test_a_refusal_is_declined_with_suggestions(
    tmp_path: Path, line: str, reason: DeclineReason
) -> None:
    with openai_server(line) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask(QUESTION)
    assert (answer.declined, answer.claims, answer.mode) == (reason, (), "generated")
    assert answer.message
    assert len(answer.suggestions) == 3


def test_a_failing_claim_is_mended_by_one_more_call_and_keeps_its_place(tmp_path: Path) -> None:
    wrong = GOOD.replace("We call", "Our encoder reaches 90% on ImageNet. [[76.2]] We call")
    reply = writes(wrong, repair="1: Our encoder reaches 76.2% on ImageNet.")
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        events = list(assistant.stream(QUESTION))
    assert isinstance(events[-1], Finished)
    answer = events[-1].answer
    texts = [claim.text for claim in answer.claims]
    assert texts[:3] == [
        "Networks first memorise and then generalise suddenly.",
        "Our encoder reaches 76.2% on ImageNet.",
        "We call this grokking.",
    ]
    assert [event.claim.text for event in events if isinstance(event, Told)] == texts
    assert dict(answer.counts) == {"repaired": 1}
    assert answer.prompts == ("answer@1", "repair@1")
    assert answer.usage.calls == 2
    repair = server.requests[1].prompt
    assert "90%" in repair
    assert "76.2%" in repair
    assert "memorise" not in repair


@pytest.mark.parametrize("repair", ["1: Our encoder reaches 91% on ImageNet.", "I cannot.", "2: x"])
def test_a_claim_that_cannot_be_mended_is_shown_as_unsupported_or_dropped(
    tmp_path: Path, repair: str
) -> None:
    wrong = GOOD + " Our encoder reaches 90% on ImageNet. [[76.2]]"
    reply = writes(wrong, repair=repair)
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        shown = assistant.ask(QUESTION)
        strict = assistant.ask(QUESTION, strict=True)
    assert shown.claims[-1].verdict.status is Status.UNSUPPORTED
    assert "90" in shown.claims[-1].verdict.reason
    assert len(strict.claims) == 3
    assert strict.counts["dropped"] == 1
    assert len(server.requests) == 4


def test_a_claim_that_the_model_gives_up_is_dropped(tmp_path: Path) -> None:
    reply = writes("Bees sleep on ImageNet. " + GOOD, repair="1: DROP")
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask(QUESTION)
    assert len(answer.claims) == 3
    assert answer.counts["dropped"] == 1


@pytest.mark.parametrize(
    "mode", ["401", "no-model", "html", "empty", "cut", "drop", "error-event", "filter", "quota"]
)
def test_when_the_endpoint_fails_sentences_are_quoted_and_it_says_why(
    tmp_path: Path, mode: str
) -> None:
    with openai_server(writes(GOOD)) as server, assistant_at(tmp_path, server, mode) as assistant:
        events = list(assistant.stream(QUESTION))
        quoted = assistant.ask(QUESTION, quoting=True)
    assert isinstance(events[-1], Finished)
    answer = events[-1].answer
    assert (answer.mode, answer.model) == ("extractive", None)
    assert answer.text == quoted.text
    note = answer.notes[-1]
    assert note.startswith("Sentences are quoted, because http://127.0.0.1")
    assert "\n" not in note
    assert Withdrawn() in events
    after = events[events.index(Withdrawn()) :]
    assert [e.claim for e in after if isinstance(e, Told)] == list(answer.claims)


def test_an_answer_without_any_footnote_is_not_shown(tmp_path: Path) -> None:
    reply = "Bees fly to the moon."
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask(QUESTION)
    assert answer.mode == "extractive"
    assert "wrote nothing that the abstracts support" in answer.notes[-1]


def test_a_reply_that_was_cut_off_while_thinking_says_so(tmp_path: Path) -> None:
    reply = "<think>\nNetworks, so they say,"
    with openai_server(reply) as server, assistant_at(tmp_path, server, "length") as assistant:
        answer = assistant.ask(QUESTION)
    assert answer.mode == "extractive"
    assert answer.notes[-1].endswith("abstracts support, and was cut off at its longest")


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("before", ["", "Bees sleep on ImageNet.\n"])
def test_a_heading_that_says_something_is_not_shown(
    tmp_path: Path, before: str, *, strict: bool
) -> None:
    heading = "**GPT-4 scores 99% on MMLU**"
    reply = writes(f"{before}# Benefits of grokking\n{heading}\n{GOOD}", repair="1: DROP")
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        events = list(assistant.stream("Are there benefits of grokking?", strict=strict))
    assert isinstance(events[-1], Finished)
    answer = events[-1].answer
    assert [claim.text for claim in answer.claims][:2] == [
        "Benefits of grokking",
        "Networks first memorise and then generalise suddenly.",
    ]
    assert answer.counts["dropped"] == 1 + bool(before)
    assert not [e for e in events if isinstance(e, Told) and "GPT-4" in e.claim.text]


def test_a_name_in_brackets_that_the_question_holds_stays(tmp_path: Path) -> None:
    text = "Networks [T5] [R1] first memorise and then generalise. [[first memorise]]"
    reply = writes(text, repair="none")
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask("What is grokking in T5?", strict=False)
    assert answer.claims[0].text.startswith("Networks [T5] first")
    assert answer.counts["unknown_keys"] == 1


@pytest.mark.parametrize("kind", ["openai", "vllm", "llamacpp", "ollama"])
def test_a_context_that_is_too_long_is_halved_once(tmp_path: Path, kind: str) -> None:
    with openai_server(writes(GOOD)) as server:
        with assistant_at(tmp_path, server, f"overflow-{kind},ok") as assistant:
            answer = assistant.ask(QUESTION)
        with assistant_at(tmp_path, server, f"overflow-{kind}") as assistant:
            twice = assistant.ask(QUESTION)
    assert answer.mode == "generated"
    assert answer.counts["context_halved"] == 1
    assert twice.mode == "extractive"
    assert len(server.requests) == 4


def test_a_prompt_stays_within_its_budget_and_the_window(tmp_path: Path) -> None:
    reply = writes("Networks first memorise and then generalise suddenly. [[memorise]]")
    with openai_server(reply) as server:
        with assistant_at(tmp_path, server, window=900) as assistant:
            answer = assistant.ask(QUESTION)
            count = assistant._tools.llm.count_tokens  # type: ignore[union-attr]
        with assistant_at(tmp_path, server, window=700) as assistant:
            narrow = assistant.ask(QUESTION)
    request = server.requests[0]
    prompt = sum(count(message["content"]) for message in request.messages)
    assert prompt + request.body["max_tokens"] <= 900
    assert answer.settings["context"]["left_out"]
    assert "no room for evidence" in narrow.notes[-1]
    assert len(server.requests) == 1


def test_a_cut_off_sentence_is_left_out_and_said(tmp_path: Path) -> None:
    reply = writes(GOOD + " And one more that has no")
    with openai_server(reply) as server, assistant_at(tmp_path, server, "length") as assistant:
        answer = assistant.ask(QUESTION)
    assert len(answer.claims) == 3
    assert answer.counts["cut_off"] == 1
    assert "cut off" in answer.notes[-1]


def test_thoughts_that_were_shown_are_withdrawn(tmp_path: Path) -> None:
    reply = writes("We call this grokking. [[call this]] Hm.\n</think>\n" + GOOD)
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        events: list[Event] = list(assistant.stream(QUESTION))
    assert isinstance(events[-1], Finished)
    assert len(events[-1].answer.claims) == 3
    assert Withdrawn() in events
    after = events[events.index(Withdrawn()) :]
    assert len([e for e in after if isinstance(e, Told)]) == 3


def test_closing_the_events_stops_the_request(tmp_path: Path) -> None:
    script = Script(["Networks first memorise"] * 1000, pause_s=0.01)
    with openai_server(script) as server, assistant_at(tmp_path, server) as assistant:
        events = assistant.stream(QUESTION)
        next(event for event in events if isinstance(event, Pending))
        events.close()
        assert server.hung_up.wait(5)
        assert list(events) == []


def test_closing_from_another_thread_wakes_one_that_waits(tmp_path: Path) -> None:
    seen: list[Event] = []
    with openai_server(writes(GOOD)) as server:
        with assistant_at(tmp_path, server, "hang") as assistant:
            events = assistant.stream(QUESTION)
            thread = threading.Thread(target=lambda: seen.extend(events))
            thread.start()
            while not server.requests:
                threading.Event().wait(0.01)
            events.close()
            thread.join(5)
            assert not thread.is_alive()
        assert server.hung_up.wait(5)
    assert not any(isinstance(event, Finished) for event in seen)


def test_equal_questions_make_equal_requests(tmp_path: Path) -> None:
    with openai_server(writes(GOOD)) as server, assistant_at(tmp_path, server) as assistant:
        assistant.ask(QUESTION)
        assistant.ask(QUESTION)
    first, second = server.requests
    assert first.body == second.body


def test_a_claim_in_another_language_is_unchecked_and_says_so(tmp_path: Path) -> None:
    german = "Das Netz lernt die Daten zuerst auswendig und verallgemeinert dann. [[10,000]]"
    with openai_server(writes(german)) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask("Was ist grokking?")
    [claim] = answer.claims
    assert claim.verdict.status is Status.UNCHECKED
    assert "another language (German)" in claim.verdict.reason


def test_an_empty_collection_needs_no_call(tmp_path: Path) -> None:
    with openai_server(writes(GOOD)) as server, assistant_at(tmp_path, server) as assistant:
        for paper in list(assistant.papers()):
            assistant.remove(paper.id)
        answer = assistant.ask(QUESTION)
    assert answer.declined is DeclineReason.NOT_IN_COLLECTION
    assert answer.usage == Usage()
    assert server.requests == []


def test_a_follow_up_is_condensed_and_numbers_stay(tmp_path: Path) -> None:
    reply = writes(GOOD, condense='"When does grokking happen?"')
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        chat = assistant.chat()
        first = chat.ask("What is theory of mind?")
        second = chat.ask("When does it happen?")
    assert (first.standalone_question, first.usage.calls) == ("What is theory of mind?", 1)
    assert (second.standalone_question, second.usage.calls) == ("When does grokking happen?", 2)
    assert second.prompts == ("condense@1", "answer@1")
    assert [kind_of(request) for request in server.requests] == ["answer", "condense", "answer"]
    assert "Question: When does grokking happen?" in server.requests[2].prompt
    assert "memorise and then generalise" in server.requests[1].prompt
    numbers = {c.paper.id: c.number for c in first.citations}
    assert all(numbers[c.paper.id] == c.number for c in second.citations)


@pytest.mark.parametrize("condense", ["...", "x" * 5000])
def test_a_follow_up_that_cannot_be_condensed_is_completed_by_rules(
    tmp_path: Path, condense: str
) -> None:
    reply = writes(GOOD, condense=condense)
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask("When does it happen?", history=[(QUESTION, "It is.")])
    assert answer.standalone_question == f"{QUESTION} When does it happen?"
    assert answer.mode == "generated"
    assert any("completed by rules" in note for note in answer.notes)


def test_a_question_is_split_where_that_is_asked_for(tmp_path: Path) -> None:
    reply = writes(GOOD, split="1. What is grokking?\n2. What is theory of mind?")
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        answer = assistant.ask("Compare grokking with theory of mind.", split=True)
    assert answer.prompts == ("split@1", "answer@1")
    assert answer.usage.calls == 2
    assert [hit.rank for hit in answer.hits] == list(range(1, len(answer.hits) + 1))
    assert [paper.title for paper in answer.retrieved[:2]] == [GROKKING.title, MINDS.title]


def test_no_record_holds_the_key(tmp_path: Path) -> None:
    with (
        openai_server(writes(GOOD)) as server,
        assistant_at(tmp_path, server, "echo", history=True) as assistant,
    ):
        answer = assistant.ask(QUESTION)
        assert assistant.history is not None
        record = assistant.history.answer(answer.id or "").text
    assert "[key]" in answer.notes[-1]
    assert KEY not in record
    assert KEY.encode() not in (tmp_path / "history.sqlite3").read_bytes()
