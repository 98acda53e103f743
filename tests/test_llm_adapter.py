"""LlamaIndex LLMs as language models."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from llama_index.core.llms import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    CompletionResponseGen,
    CustomLLM,
    LLMMetadata,
)
from llama_index.llms.openai import OpenAI

from rag.errors import ContentFilterError, ContextOverflowError, EndpointError
from rag.models.llm import DEFAULT_WINDOW, LlamaIndexModel, Message, TimeLimits, Usage, open_llm
from tests.openai_server import KEY, OpenAIServer, openai_server, words

ASKED = [Message("system", "Be brief."), Message("user", "Are they real?")]
TEXT = "They are 😀 real [k3f9]. So they say."


class Echo(CustomLLM):
    """Completes with what it is told to; without streaming where it says so."""

    says: str = TEXT
    streams: bool = True
    fails: str = ""
    api_key: str = KEY

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=1234, model_name="echo-1")

    def complete(self, prompt: str, formatted: bool = False, **_: object) -> CompletionResponse:
        return CompletionResponse(text=self.says)

    def stream_complete(
        self, prompt: str, formatted: bool = False, **_: object
    ) -> CompletionResponseGen:
        if not self.streams:
            raise NotImplementedError
        return self._pieces()

    def _pieces(self) -> CompletionResponseGen:
        said = ""
        for word in self.says.split(" "):
            piece = f" {word}" if said else word
            said += piece
            yield CompletionResponse(text=said, delta=piece)
        if self.fails:
            raise RuntimeError(self.fails)


def test_any_llm_can_be_passed() -> None:
    model = open_llm(Echo())
    assert isinstance(model, LlamaIndexModel)
    assert model.name == "llama-index:Echo:echo-1"
    assert model.window == 1234
    reply = model.stream(ASKED, max_tokens=50)
    pieces = list(reply)
    assert "".join(pieces) == TEXT
    assert len(pieces) > 3
    assert reply.finish == "stop"
    assert reply.usage.calls == 1
    assert reply.usage.estimated


def test_an_llm_without_streaming_answers_in_one_piece() -> None:
    reply = LlamaIndexModel(Echo(streams=False)).stream(ASKED, max_tokens=50)
    assert list(reply) == [TEXT]


def test_an_llm_that_gives_the_text_so_far_is_read_in_pieces() -> None:
    class Growing:
        def stream_chat(self, _: Sequence[ChatMessage]) -> Iterator[ChatResponse]:
            for said in ("They", "They are", "They are."):
                yield ChatResponse(message=ChatMessage(role="assistant", content=said))

    assert list(LlamaIndexModel(Growing()).stream(ASKED, max_tokens=9)) == ["They", " are", "."]


def test_an_llm_that_says_nothing_of_itself_has_the_default_window() -> None:
    assert LlamaIndexModel(object()).window == DEFAULT_WINDOW
    assert LlamaIndexModel(Echo(), window=99).window == 99


def test_nothing_is_asked_before_the_reply_is_read() -> None:
    reply = LlamaIndexModel(object()).stream(ASKED, max_tokens=50)
    reply.close()
    assert list(reply) == []
    assert reply.finish == "cancelled"


def test_an_llm_that_fails_half_way_is_one_line_without_the_key() -> None:
    model = LlamaIndexModel(Echo(fails=f"bad\nkey {KEY}"))
    reply = model.stream(ASKED, max_tokens=50)
    pieces: list[str] = []
    with pytest.raises(EndpointError) as caught:
        pieces.extend(reply)
    assert "".join(pieces) == TEXT
    assert str(caught.value) == (
        "LlamaIndex's Echo failed (RuntimeError: bad key [key]); check how it is set up"
    )
    assert caught.value.__context__ is None
    assert reply.finish == "failed"


def test_a_context_that_is_too_small_is_recognised() -> None:
    model = LlamaIndexModel(Echo(fails="Requested tokens (2285) exceed context window of 2048"))
    with pytest.raises(ContextOverflowError):
        model.stream(ASKED, max_tokens=50).read()


@pytest.mark.parametrize("llm", [Echo(says=""), Echo(says=" ")])
def test_an_empty_answer_is_an_error(llm: object) -> None:
    with pytest.raises(EndpointError, match="sent an empty answer"):
        LlamaIndexModel(llm).stream(ASKED, max_tokens=50).read()


def test_leaving_a_reply_stops_the_llm() -> None:
    left = []

    class Watched:
        def stream_chat(self, _: Sequence[ChatMessage]) -> Iterator[ChatResponse]:
            try:
                while True:
                    yield ChatResponse(message=ChatMessage(content="on"), delta="on")
            finally:
                left.append(True)

    with LlamaIndexModel(Watched()).stream(ASKED, max_tokens=9) as reply:
        assert next(reply) == "on"
    assert left == [True]
    assert reply.finish == "cancelled"
    assert reply.usage.calls == 1


def test_closing_from_another_thread_stops_at_the_next_piece() -> None:
    waits, closed, left = threading.Event(), threading.Event(), []

    class Slow:
        def stream_chat(self, _: Sequence[ChatMessage]) -> Iterator[ChatResponse]:
            try:
                for _piece in range(3):
                    waits.set()
                    assert closed.wait(30)
                    yield ChatResponse(message=ChatMessage(content="on"), delta="on")
            finally:
                left.append(True)

    reply = LlamaIndexModel(Slow()).stream(ASKED, max_tokens=9)
    pieces: list[str] = []
    thread = threading.Thread(target=lambda: pieces.extend(reply))
    thread.start()
    assert waits.wait(30)
    reply.close()
    closed.set()
    thread.join(30)
    assert len(pieces) <= 1
    assert left == [True]
    assert reply.finish == "cancelled"


# -- LlamaIndex's own client of OpenAI's protocol, against the loopback server


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server(TEXT) as running:
        yield running


@pytest.fixture
def at(server: OpenAIServer) -> Callable[[str], LlamaIndexModel]:
    def open_at(mode: str) -> LlamaIndexModel:
        options: dict[str, Any] = {"stream_options": {"include_usage": True}}
        return LlamaIndexModel(
            OpenAI(
                model="gpt-4o-mini",
                api_base=server.url(mode),
                api_key=KEY,
                max_retries=0,
                additional_kwargs=options,
            )
        )

    return open_at


At = Callable[[str], LlamaIndexModel]


def test_llama_indexs_openai_streams_and_counts(at: At, server: OpenAIServer) -> None:
    model = at("ok")
    reply = model.stream(ASKED, max_tokens=50)
    assert reply.read() == TEXT
    assert reply.usage == Usage(1, 100, len(words(TEXT)))
    assert model.window == 128_000
    assert server.requests[0].messages[0]["role"] == "system"


def test_a_text_that_was_cut_off_says_so(at: At) -> None:
    reply = at("length").stream(ASKED, max_tokens=50)
    reply.read()
    assert reply.finish == "length"


def test_a_stream_that_broke_off_is_not_an_answer(at: At) -> None:
    with pytest.raises(EndpointError, match="broke off"):
        at("cut").stream(ASKED, max_tokens=50).read()


def test_a_content_filter_is_recognised(at: At) -> None:
    with pytest.raises(ContentFilterError):
        at("filter").stream(ASKED, max_tokens=50).read()


@pytest.mark.parametrize("mode", ["401", "echo", "500", "drop", "bad-json", "html"])
def test_its_errors_become_ours_without_the_key(at: At, mode: str) -> None:
    with pytest.raises(EndpointError) as caught:
        at(mode).stream(ASKED, max_tokens=50).read()
    assert KEY not in f"{caught.value}{caught.value!r}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_overflow_is_recognised_through_it(at: At) -> None:
    with pytest.raises(ContextOverflowError):
        at("overflow-openai").stream(ASKED, max_tokens=50).read()


def test_neither_sdk_is_imported_before_a_model_is_asked() -> None:
    code = (
        "import sys; from rag.models.llm import open_llm; open_llm('m', base_url='http://h/v1');"
        "print([m for m in ('openai', 'httpx', 'llama_index.core') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- bounds and identity


class Endless:
    """An LLM that never comes to its end."""

    def stream_chat(self, _: Sequence[ChatMessage]) -> Iterator[ChatResponse]:
        while True:
            yield ChatResponse(message=ChatMessage(content=None), delta="and so on " * 10)


def test_an_llm_that_does_not_stop_is_stopped() -> None:
    with pytest.raises(EndpointError, match="although at most 9 tokens were asked for"):
        LlamaIndexModel(Endless()).stream(ASKED, max_tokens=9).read()


def test_an_llm_that_takes_too_long_in_all_is_given_up() -> None:
    times = iter([0.0, 0.0, 5.0, 11.0])
    model = LlamaIndexModel(Endless(), limits=TimeLimits(total_s=10), clock=lambda: next(times))
    with pytest.raises(EndpointError, match="did not finish its answer within 10 s"):
        model.stream(ASKED, max_tokens=1000).read()


def test_settings_that_differ_make_another_model_and_the_key_does_not() -> None:
    base: dict[str, Any] = {
        "model": "gpt-4o",
        "api_key": KEY,
        "api_base": "http://h/v1",
        "temperature": 0.0,
    }

    def identity(**changed: Any) -> str:  # noqa: ANN401 (passed on)
        return LlamaIndexModel(OpenAI(**{**base, **changed})).identity

    assert identity() == identity(api_key="another")
    others = {identity(api_base="http://g/v1"), identity(temperature=1.0), identity(max_tokens=9)}
    assert len({identity(), *others}) == 4
    assert KEY not in identity()
