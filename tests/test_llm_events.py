"""What an endpoint sends, byte by byte, and when it is asked again: the pure parts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.models.chat.dialect import Dialect
from rag.models.chat.events import Delta, SurrogateJoiner, data_of, paired, read_delta
from rag.models.chat.retrying import RetryBudget, parse_retry_after
from rag.models.remote import server_message

STREAM = (
    b': comment\r\n\r\ndata: {"text": "caf\xc3\xa9 \xe2\x80\xa8 \xc2\x85"}\r\n\r\n'
    b"event: x\nid: 3\ndata:no blank\n\ndata: two\ndata: lines\n\n\n\ndata: [DONE]\n"
)
DATA = ['{"text": "café \u2028 \x85"}', "no blank", "two\nlines", "[DONE]"]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM))).map(sorted))
def test_events_do_not_depend_on_how_the_bytes_are_cut(cuts: list[int]) -> None:
    edges = [0, *cuts, len(STREAM)]
    chunks = [STREAM[start:end] for start, end in pairwise(edges)]
    assert list(data_of(chunks)) == DATA


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_can_be_read(stream: bytes) -> None:
    for data in data_of([stream]):
        assert isinstance(data, str)


def test_a_line_that_broke_off_is_no_event() -> None:
    assert list(data_of([b'data: one\n\ndata: {"ch'])) == ["one"]


def test_an_error_field_of_llama_cpp_is_an_error() -> None:
    (data,) = data_of([b'error: {"code": 500, "message": "no slot"}\n\n'])
    assert read_delta(json.loads(data)).error == {"code": 500, "message": "no slot"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "usage", "prompt_tokens", "error"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_a_payload_of_any_form_can_be_read(payload: object) -> None:
    delta = read_delta(payload)
    assert isinstance(delta.text, str)
    assert delta.counts is None or min(delta.counts) >= 0


@pytest.mark.parametrize(
    ("part", "delta"),
    [
        ({"content": "a"}, Delta(text="a")),
        ({"content": None, "refusal": "No."}, Delta(text="No.")),
        ({"reasoning_content": "hm"}, Delta(reasoning="hm")),
        ({"reasoning": "hm"}, Delta(reasoning="hm")),
        (
            {"content": [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "a"}]},
            Delta(text="a"),
        ),
    ],
)
def test_servers_name_their_text_differently(part: dict[str, object], delta: Delta) -> None:
    for name in ("delta", "message"):
        found = read_delta({"choices": [{name: part, "finish_reason": ""}]})
        assert (found.text, found.reasoning, found.finish) == (delta.text, delta.reasoning, None)
        assert found.is_completion


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=8), st.data())
def test_text_does_not_depend_on_where_pairs_are_cut(text: str, data: st.DataObject) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    halves = [
        units[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(units), 2)
    ]
    joiner = SurrogateJoiner()
    pieces = halves if data.draw(st.booleans()) else [text]
    said = "".join([joiner.add(piece) for piece in pieces] + [joiner.rest()])
    assert said == paired(text)
    said.encode()  # no half is left


# -- dialect


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"message": "x", "param": "temperature"}, "temperature"),
        ({"message": "Unrecognized request argument supplied: seed"}, "seed"),
        (
            {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs"}]},
            "stream_options",
        ),
        ("unknown field 'seed'", "seed"),
        ({"message": "'max_tokens' is not supported", "param": "max_tokens"}, "max_tokens"),
    ],
)
def test_a_refusal_names_its_parameter(body: object, dropped: str) -> None:
    dialect = Dialect(newer=False)
    sent = dialect.options(7)
    assert dialect.learn(sent, body)
    left = dialect.options(7)
    assert dropped in sent
    assert dropped not in left
    assert len(left) == len(sent) - (dropped != "max_tokens")


@pytest.mark.parametrize(
    "body",
    [{"message": "no", "param": "messages"}, {"message": "reseeded"}, None, "", [1], "top_p"],
)
def test_a_refusal_of_something_else_is_not_repeated(body: object) -> None:
    dialect = Dialect(newer=False)
    sent = dialect.options(7)
    assert not dialect.learn(sent, body)
    assert dialect.options(7) == sent


def test_refusing_everything_comes_to_an_end() -> None:
    dialect = Dialect(newer=True)
    for _ in range(5):
        sent = dialect.options(7)
        assert dialect.learn(sent, {"param": next(iter(sent))})
    assert dialect.options(7) == {}
    assert not dialect.learn({}, {"param": "seed", "message": "seed"})


def test_openai_is_asked_in_its_newer_words_first() -> None:
    assert "max_completion_tokens" in Dialect(newer=True).options(7)
    assert "max_tokens" in Dialect(newer=False).options(7)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "no  such\nmodel"}, "no such model"),
        ({"error": {"message": "deep"}}, "deep"),
        ({"error": "flat"}, "flat"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs"}]}, "body.seed: Extra inputs"),
        ("<html>Bad gateway</html>", ""),
        ("busy", "busy"),
        (None, ""),
        (7, ""),
    ],
)
def test_the_message_of_a_server_is_found(body: object, said: str) -> None:
    assert server_message(body) == said


# -- when to ask again


CHANCES = st.floats(0, 1)


@settings(deadline=None)
@given(st.integers(1, 20), st.floats(0, 100), st.none() | st.floats(0, 100), CHANCES)
def test_no_try_is_too_many_too_late_or_too_early(
    tried: int, elapsed_s: float, retry_after_s: float | None, chance: float
) -> None:
    budget = RetryBudget(tries=5, within_s=60)
    pause_s = budget.pause_s(tried, elapsed_s, retry_after_s, chance)
    if tried >= budget.tries or elapsed_s > budget.within_s:
        assert pause_s is None
    if pause_s is not None:
        assert elapsed_s + pause_s <= budget.within_s
        assert pause_s >= (retry_after_s or 0)
        assert pause_s <= max(budget.cap_s, retry_after_s or 0)


def test_pauses_grow_and_are_capped() -> None:
    budget = RetryBudget(tries=9, within_s=999, base_s=1, cap_s=10)
    assert [budget.pause_s(n, 0, None, 1) for n in (1, 2, 3, 4, 5, 6)] == [1, 2, 4, 8, 10, 10]
    assert budget.pause_s(4, 0, None, 0.5) == 4
    assert budget.pause_s(1, 0, None, 0) == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, datetime(2026, 11, 1, 12, tzinfo=UTC)) == seconds
