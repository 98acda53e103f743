"""Language models: the seam, endpoints that behave, and the tokens they count."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import SettingError
from rag.models.llm import (
    DEFAULT_WINDOW,
    EndpointModel,
    Message,
    SettledReply,
    TimeLimits,
    Usage,
    open_llm,
)
from rag.models.tokens import count_tokens, counter_for, estimate_tokens
from tests.makers import SAMPLE
from tests.openai_server import KEY, OpenAIServer, Script, openai_server

TEXT = "Emergent abilities are real [k3f9]. Or so 😀 they say [b7d2]."
ASKED = [Message("system", "Be brief."), Message("user", "Are they real?")]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server(TEXT) as running:
        yield running


@pytest.fixture
def at(server: OpenAIServer) -> Iterator[Callable[[str], EndpointModel]]:
    opened: list[EndpointModel] = []

    def open_at(mode: str) -> EndpointModel:
        opened.append(EndpointModel("m", base_url=server.url(mode), api_key=KEY))
        return opened[-1]

    yield open_at
    for model in opened:
        model.close()


At = Callable[[str], EndpointModel]


def test_the_pieces_of_a_reply_are_its_text(at: At) -> None:
    reply = at("ok").stream(ASKED, max_tokens=50)
    pieces = list(reply)
    assert "".join(pieces) == TEXT
    assert len(pieces) > 5
    assert reply.finish == "stop"
    assert reply.usage == Usage(1, 100, len(pieces))


def test_the_request_is_what_was_asked(at: At, server: OpenAIServer) -> None:
    at("ok").stream(ASKED, max_tokens=50).read()
    (request,) = server.requests
    assert request.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Are they real?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
        "seed": request.body["seed"],
        "max_tokens": 50,
    }
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_nothing_is_sent_before_the_reply_is_read(at: At, server: OpenAIServer) -> None:
    with at("ok").stream(ASKED, max_tokens=50) as reply:
        assert server.requests == []
    assert list(reply) == []
    assert reply.finish == "cancelled"
    assert server.requests == []


def test_equal_requests_are_equal_on_the_wire(at: At, server: OpenAIServer) -> None:
    model = at("ok")
    for _ in range(2):
        model.stream(ASKED, max_tokens=50).read()
    assert server.requests[0].body == server.requests[1].body


def test_a_piece_is_passed_on_before_the_next_one_is_sent() -> None:
    held = threading.Event()
    with openai_server(Script(["first", " second"], held=held)) as server:
        model = EndpointModel("m", base_url=server.url(), limits=TimeLimits(stall_s=30))
        reply = model.stream(ASKED, max_tokens=5)
        assert next(reply) == "first"
        held.set()
        assert reply.read() == " second"
        model.close()


@pytest.mark.parametrize("mode", ["plain", "no-done", "no-finish", "odd-json", "halves"])
def test_servers_that_differ_give_the_same_text(at: At, mode: str) -> None:
    reply = at(mode).stream(ASKED, max_tokens=50)
    assert reply.read() == TEXT
    assert reply.finish == "stop"
    assert reply.usage.calls == 1
    assert not reply.usage.estimated


def test_reasoning_is_not_part_of_the_text(at: At) -> None:
    assert at("reasoning").stream(ASKED, max_tokens=50).read() == TEXT


def test_a_text_that_was_cut_off_at_its_limit_says_so(at: At) -> None:
    reply = at("length").stream(ASKED, max_tokens=50)
    assert reply.read() == TEXT
    assert reply.finish == "length"


@pytest.mark.parametrize("mode", ["no-usage", "bad-usage", "no-stream_options"])
def test_tokens_that_are_not_counted_are_estimated_and_marked(at: At, mode: str) -> None:
    reply = at(mode).stream(ASKED, max_tokens=50)
    reply.read()
    asked = sum(estimate_tokens(message.content) for message in ASKED)
    assert reply.usage.estimated
    assert reply.usage.calls == 1
    assert reply.usage.completion_tokens == estimate_tokens(TEXT)
    assert asked < reply.usage.prompt_tokens < asked + 20


@pytest.mark.parametrize("name", ["temperature", "seed", "stream_options", "max_tokens"])
def test_a_parameter_that_is_refused_is_left_out_from_then_on(
    at: At, server: OpenAIServer, name: str
) -> None:
    model = at(f"no-{name}")
    for _ in range(2):
        assert model.stream(ASKED, max_tokens=50).read() == TEXT
    first, second, third = (request.body for request in server.requests)
    assert name in first
    assert name not in second
    assert second == third
    assert ("max_completion_tokens" in second) == (name == "max_tokens")


def test_several_refusals_are_learnt_one_by_one(at: At, server: OpenAIServer) -> None:
    assert at("strict").stream(ASKED, max_tokens=50).read() == TEXT
    assert set(server.requests[-1].body) == {"model", "messages", "stream", "max_tokens"}
    assert len(server.requests) == 4


def test_half_a_surrogate_pair_in_a_question_is_sent_as_a_question_mark_of_unicode(
    at: At, server: OpenAIServer
) -> None:
    at("ok").stream([Message("user", "why \ud83d?")], max_tokens=5).read()
    assert server.requests[0].messages[0]["content"] == "why \ufffd?"


def test_many_threads_share_a_model(at: At, server: OpenAIServer) -> None:
    model, texts = at("ok"), []

    def ask() -> None:
        texts.append(model.stream(ASKED, max_tokens=50).read())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [TEXT] * 8


def test_a_closed_model_opens_again(at: At) -> None:
    model = at("ok")
    for _ in range(2):
        assert model.stream(ASKED, max_tokens=50).read() == TEXT
        model.close()


def test_usages_add_up() -> None:
    assert Usage(1, 2, 3) + Usage(2, 3, 4, estimated=True) == Usage(3, 5, 7, estimated=True)


# -- choosing


def test_no_model_is_none() -> None:
    assert open_llm(None) is None


@pytest.mark.parametrize(
    ("choice", "name", "address"),
    [
        ("llama3.1:8b", "openai:llama3.1:8b", "http://default/v1"),
        ("openai:m", "openai:m", "http://default/v1"),
        ("openai:m@http://own:1/v1", "openai:m", "http://own:1/v1"),
        ("@cf/meta/llama", "openai:@cf/meta/llama", "http://default/v1"),
    ],
)
def test_an_endpoint_is_chosen_by_model_and_address(choice: str, name: str, address: str) -> None:
    model = open_llm(choice, base_url="http://default/v1")
    assert isinstance(model, EndpointModel)
    assert model.name == name
    assert address in repr(model)
    assert model.window == DEFAULT_WINDOW


def test_the_window_can_be_said() -> None:
    model = open_llm("m", base_url="http://h/v1", window=4096)
    assert model is not None
    assert model.window == 4096


def test_a_model_comes_back_as_it_is() -> None:
    model = EndpointModel("m", base_url="http://h/v1")
    assert open_llm(model) is model


@pytest.mark.parametrize(
    ("choice", "url", "key", "message"),
    [
        ("m", None, None, "needs a key: set OPENAI_API_KEY, or name another endpoint"),
        ("m", "ftp://h", None, "is not the address of an endpoint"),
        ("m", "http://user:word@h/v1", None, "is given with a password"),
        ("m", "http://h/v1", "two words", "the API key holds a space"),
        ("openai: ", "http://h/v1", None, "no model is named by 'openai: '"),
        ("m@localhost:1", None, None, "needs http:// or https://"),
        (3, None, None, "a int does not write answers"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(
    choice: str, url: str | None, key: str | None, message: str
) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        open_llm(choice, base_url=url, api_key=key)
    assert key is None or key not in str(caught.value)


def test_a_reply_that_is_at_hand_reads_like_any_other() -> None:
    reply = SettledReply(["It", "", " does."], usage=Usage(1, 2, 3), finish="length")
    assert next(reply) == "It"
    assert reply.finish == ""
    assert reply.read() == " does."
    assert (reply.usage, reply.finish) == (Usage(1, 2, 3), "length")


# -- tokens


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("openai/gpt-4.1", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("gpt-oss-20b", "o200k_base"),
    ],
)
def test_tokens_of_openai_models_are_counted_exactly(model: str, encoding: str) -> None:
    text = "Größe, 大小, 😀 and <|endoftext|> 12345"
    assert counter_for(model)(text) == count_tokens(text, encoding)


def test_the_two_encodings_differ_where_it_matters() -> None:
    assert count_tokens("人工智能", "cl100k_base") != count_tokens("人工智能", "o200k_base")


@pytest.mark.parametrize("model", ["llama3.1:8b", "qwen3", "text-davinci-003", ""])
def test_tokens_of_other_models_are_estimated(model: str) -> None:
    assert counter_for(model) is estimate_tokens


def _slices(text: str) -> st.SearchStrategy[str]:
    return st.tuples(st.integers(0, len(text)), st.integers(1, 400)).map(
        lambda cut: text[cut[0] : cut[0] + cut[1]]
    )


ENGLISH = next(SAMPLE.iterdir()).read_text(encoding="utf-8")[:200_000]
with open(__file__, encoding="utf-8") as _source:  # noqa: PTH123
    CODE = _source.read()
CJK = st.text(st.characters(min_codepoint=0x3041, max_codepoint=0x9FFF), min_size=1)
HANGUL = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1)
EMOJI = st.text(st.characters(min_codepoint=0x1F300, max_codepoint=0x1FAFF), min_size=1)
NUMBERS = st.text("0123456789.,% ", min_size=1)
TEXTS = st.one_of(_slices(ENGLISH), _slices(CODE), CJK, HANGUL, EMOJI, NUMBERS)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4).map(" ".join))
def test_an_estimate_is_not_below_either_encoding(text: str) -> None:
    exact = max(count_tokens(text, "cl100k_base"), count_tokens(text, "o200k_base"))
    assert estimate_tokens(text) >= exact


def test_an_estimate_allows_for_vocabularies_with_one_token_a_digit() -> None:
    assert estimate_tokens("0123456789" * 20) >= 200


def test_an_estimate_of_english_is_not_far_above() -> None:
    assert estimate_tokens(ENGLISH) < 1.6 * count_tokens(ENGLISH)
