"""Endpoints that fail: each failure is one line that says what to do, and no key is in it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Generator, Iterator

import pytest

from rag.errors import ContentFilterError, ContextOverflowError, EndpointError
from rag.models.chat.failures import Explainer
from rag.models.chat.wire import Wire
from rag.models.llm import EndpointModel, Message, Reply, RetryBudget, TimeLimits, Usage
from rag.models.remote import one_line
from tests.openai_server import KEY, OVERFLOWS, OpenAIServer, Script, openai_server

ASKED = [Message("user", "Are they real?")]
TEXT = "One two three four five six."
LIMITS = TimeLimits(grace_s=0.2)


class Pauses:
    """Stands in for waiting; remembers for how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, _: threading.Event, seconds: float) -> None:
        self.seconds.append(seconds)


class OpenAt:
    """Opens models at a server that fails in a given way, and closes them at the end."""

    def __init__(self, server: OpenAIServer) -> None:
        self.server = server
        self.pauses = Pauses()
        self.opened: list[EndpointModel] = []

    def __call__(self, mode: str, *, limits: TimeLimits = LIMITS, tries: int = 1) -> EndpointModel:
        model = EndpointModel(
            "m",
            base_url=self.server.url(mode),
            api_key=KEY,
            limits=limits,
            retries=RetryBudget(tries=tries),
            sleep=self.pauses,
        )
        self.opened.append(model)
        return model


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server(TEXT) as running:
        yield running


@pytest.fixture
def at(server: OpenAIServer) -> Iterator[OpenAt]:
    opener = OpenAt(server)
    yield opener
    for model in opener.opened:
        model.close()


def ask(model: EndpointModel) -> Reply:
    return model.stream(ASKED, max_tokens=50)


def drain(reply: Reply) -> tuple[str, EndpointError]:
    """What a reply that fails passes on before it raises."""
    pieces: list[str] = []
    with pytest.raises(EndpointError) as caught:
        pieces.extend(reply)  # extend keeps what came
    return "".join(pieces), caught.value


FAILURES = [
    ("400", "status 400: it is broken on purpose; see what it says"),
    ("401", "status 401: it is broken on purpose; check OPENAI_API_KEY"),
    ("403", "status 403: it is broken on purpose; check that the key may use this model"),
    ("no-model", "status 404: The model 'm' does not exist; check the model's name"),
    ("418", "status 418: it is broken on purpose; see what it says"),
    ("429", "status 429: it is broken on purpose; wait, or check the quota of the key$"),
    ("429-after-7", "status 429: it is broken on purpose; .*; it asks to wait 7 s$"),
    ("quota", "status 429: You exceeded your current quota; check the credit of the account"),
    ("500", "status 500: it is broken on purpose; try again later"),
    ("503", "status 503: it is broken on purpose; try again later"),
    ("html-502", "status 502; try again later"),
    ("echo", r"status 401: Incorrect API key provided: Bearer \[key\]; check OPENAI_API_KEY"),
    ("slam", r"gave no answer \(RemoteProtocolError\); check the address"),
    ("drop", "broke off in the middle of its answer"),
    ("drop-early", "broke off in the middle of its answer"),
    ("cut", "broke off: its answer ended without a finish_reason"),
    ("bad-json", "sent something that is not JSON in the middle of its answer"),
    ("html", "answered with a web page, expected a chat completion; check that the base URL"),
    ("no-events", "answered with a stream of nothing, expected a chat completion"),
    ("empty", r"sent an empty answer \(finish_reason stop\); its context may be too small"),
    ("only-reasoning", "spent all tokens that an answer may have on reasoning; allow for more"),
    ("tools", "called a tool that it was not offered"),
    ("error-event", "reported an error instead of an answer: the model crashed; see its log"),
    ("error-first", "reported an error instead of an answer: the model crashed; see its log"),
    ("error-200", "reported an error instead of an answer: the model crashed; see its log"),
    ("endless", "although at most 50 tokens were asked for, and was stopped"),
    ("filter", "withheld the answer by its content filter; ask in other words"),
    ("filter-400", "withheld the answer by its content filter: The response was filtered; ask"),
]


@pytest.mark.parametrize(("mode", "message"), FAILURES)
def test_a_failing_endpoint_is_named_with_what_to_do(
    at: OpenAt, caplog: pytest.LogCaptureFixture, mode: str, message: str
) -> None:
    caplog.set_level(logging.DEBUG)
    model = at(mode)
    reply = ask(model)
    with pytest.raises(EndpointError, match=message) as caught:
        reply.read()
    assert at.server.url(mode) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert reply.finish == "failed"
    assert not holds_key(caught.value)
    assert KEY not in caplog.text
    assert KEY not in repr(model) + repr(reply)


def holds_key(error: BaseException | None) -> bool:
    """Whether the key is in an error, or in any that led to it."""
    while error is not None:
        if KEY in f"{error}{error!r}{error.args}{vars(error)}":
            return True
        error = error.__cause__ or error.__context__
    return False


def test_no_error_of_the_sdk_hangs_on_to_ours(at: OpenAt) -> None:
    _, error = drain(ask(at("echo")))
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("dialect", OVERFLOWS)
def test_a_request_that_is_too_long_is_recognised(at: OpenAt, dialect: str) -> None:
    with pytest.raises(ContextOverflowError, match="cannot take a request of this length: "):
        ask(at(f"overflow-{dialect}", tries=3)).read()
    assert len(at.server.requests) == 1


@pytest.mark.parametrize("mode", ["filter", "filter-400"])
def test_a_content_filter_is_an_error_of_its_own(at: OpenAt, mode: str) -> None:
    with pytest.raises(ContentFilterError):
        ask(at(mode)).read()


@pytest.mark.parametrize("mode", ["drop", "cut", "stall", "bad-json", "error-event"])
def test_what_came_before_a_break_is_passed_on_and_not_asked_for_again(
    at: OpenAt, mode: str
) -> None:
    reply = ask(at(mode, limits=TimeLimits(stall_s=1), tries=3))
    text, _ = drain(reply)
    assert text == "One two three"
    assert len(at.server.requests) == 1
    assert reply.usage.estimated
    assert reply.usage.calls == 1


@pytest.mark.parametrize("mode", ["error-last", "bad-json-last"])
def test_what_goes_wrong_after_the_end_costs_nothing(at: OpenAt, mode: str) -> None:
    reply = ask(at(mode, tries=3))
    assert reply.read() == TEXT
    assert reply.finish == "stop"
    assert len(at.server.requests) == 1


def test_an_overflow_is_looked_for_in_the_beginning_of_what_is_said() -> None:
    explainer, said = Explainer("a server", None), "the maximum context length is 8192"
    assert isinstance(explainer.raised(ValueError(said)), ContextOverflowError)
    for far in (f"{'x ' * 300}{said}", f"the maximum {'x ' * 120}context length"):
        assert not isinstance(explainer.raised(ValueError(far)), ContextOverflowError)


def test_an_error_event_that_is_nested_without_end_is_an_error_like_any_other() -> None:
    body: object = {"message": "it is broken", "code": "context_length_exceeded"}
    for _ in range(100_000):
        body = {"error": body}
    assert type(Explainer("a server", None).reported(body).error) is EndpointError


def test_a_key_in_a_long_message_is_not_cut_in_half() -> None:
    said = one_line("x" * 190 + KEY, KEY)
    assert KEY[:5] not in said
    assert said.endswith("[key]")


def test_control_characters_of_a_server_are_not_shown() -> None:
    assert one_line("a\x1b[31m\nb\u202e", None) == "a [31m b"


# -- trying again


@pytest.mark.parametrize("first", ["429", "500", "503", "slam", "drop-early", "error-first"])
def test_a_passing_failure_is_tried_again(at: OpenAt, first: str) -> None:
    reply = ask(at(f"{first},ok", tries=3))
    assert reply.read() == TEXT
    assert len(at.server.requests) == 2
    assert reply.usage.calls == 1
    (pause_s,) = at.pauses.seconds
    assert 0 <= pause_s <= RetryBudget().base_s


@pytest.mark.parametrize("mode", ["400", "401", "no-model", "quota", "html", "empty", "filter-400"])
def test_a_lasting_failure_is_not_tried_again(at: OpenAt, mode: str) -> None:
    drain(ask(at(mode, tries=3)))
    assert len(at.server.requests) == 1
    assert at.pauses.seconds == []


def test_what_a_failed_try_cost_is_counted_too() -> None:
    script = Script(["", "Yes."], reasoning=["hm", "hm"], prompt_tokens=100)
    with openai_server(script) as server:
        model = EndpointModel(
            "m", base_url=server.url("drop,ok"), sleep=Pauses(), retries=RetryBudget(tries=2)
        )
        reply = model.stream(ASKED, max_tokens=50)
        assert reply.read() == "Yes."
        model.close()
    assert (reply.usage.calls, reply.usage.estimated) == (2, True)
    assert reply.usage.prompt_tokens > 100
    assert reply.usage.completion_tokens > 2


def test_tries_come_to_an_end_and_are_counted(at: OpenAt) -> None:
    with pytest.raises(EndpointError, match=r"status 503: .* \(3 tries\)$"):
        ask(at("503", tries=3)).read()
    assert len(at.server.requests) == 3
    assert len(at.pauses.seconds) == 2


def test_the_pause_an_endpoint_asks_for_is_kept(at: OpenAt) -> None:
    assert ask(at("429-after-11,ok", tries=3)).read() == TEXT
    assert at.pauses.seconds == [11.0]


def test_a_pause_that_is_too_long_is_not_begun(at: OpenAt) -> None:
    with pytest.raises(EndpointError, match=r"it asks to wait 3,600 s$"):
        ask(at("429-after-3600,ok", tries=3)).read()
    assert at.pauses.seconds == []


def test_a_refused_parameter_does_not_count_as_a_try(at: OpenAt) -> None:
    assert ask(at("no-seed,no-temperature,ok", tries=1)).read() == TEXT
    assert len(at.server.requests) == 3


def test_the_budget_is_time_too(server: OpenAIServer) -> None:
    times = iter([0.0, 61.0, 61.0, 61.0])
    model = EndpointModel("m", base_url=server.url("503"), clock=lambda: next(times))
    with pytest.raises(EndpointError, match=r"try again later$"):
        ask(model).read()
    model.close()
    assert len(server.requests) == 1


# -- time limits


def test_an_endpoint_that_never_answers_is_given_up(at: OpenAt) -> None:
    with pytest.raises(EndpointError, match=r"did not answer within 0\.3 s; check the address"):
        ask(at("hang", limits=TimeLimits(stall_s=0.3))).read()
    assert at.server.hung_up.wait(30)


def test_an_endpoint_that_stops_half_way_is_given_up(at: OpenAt) -> None:
    text, error = drain(ask(at("stall", limits=TimeLimits(stall_s=1))))
    assert text == "One two three"
    assert "sent nothing for 1 s in the middle of its answer" in str(error)
    assert at.server.hung_up.wait(30)


def test_an_endpoint_that_only_shows_signs_of_life_is_given_up(at: OpenAt) -> None:
    with pytest.raises(EndpointError, match=r"did not finish its answer within 0\.5 s"):
        ask(at("ping", limits=TimeLimits(total_s=0.5), tries=3)).read()
    assert len(at.server.requests) == 1
    assert at.server.hung_up.wait(30)


def test_an_answer_that_takes_too_long_in_all_is_given_up() -> None:
    with openai_server(Script(["word "] * 100, pause_s=0.05)) as server:
        model = EndpointModel("m", base_url=server.url(), limits=TimeLimits(total_s=1))
        text, error = drain(ask(model))
        model.close()
    assert text.startswith("word ")
    assert "did not finish its answer within 1 s" in str(error)


def test_reasoning_is_a_sign_of_life() -> None:
    with openai_server(Script(["Yes."], pause_s=0.3, reasoning=["hm"] * 4)) as server:
        model = EndpointModel("m", base_url=server.url(), limits=TimeLimits(stall_s=1))
        assert ask(model).read() == "Yes."
        model.close()


def test_a_server_that_does_not_hang_up_costs_little(at: OpenAt) -> None:
    reply = ask(at("linger", limits=TimeLimits(grace_s=0.2)))
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(reply.read()))
    thread.start()
    thread.join(30)
    assert texts == [TEXT]
    assert reply.finish == "stop"
    assert at.server.hung_up.wait(30)


def test_no_timer_outlives_its_reply(at: OpenAt) -> None:
    ask(at("ok")).read()
    wait_until(lambda: not any(isinstance(t, threading.Timer) for t in threading.enumerate()))


def test_a_silence_after_the_end_is_no_failure(at: OpenAt) -> None:
    limits = TimeLimits(stall_s=0.5, grace_s=60)
    assert ask(at("linger", limits=limits)).read() == TEXT


def test_an_endpoint_that_is_not_there_is_named(at: OpenAt) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        model = EndpointModel("m", base_url=url, sleep=at.pauses)
        with pytest.raises(EndpointError, match=r"could not be reached: .*refused.* \(3 tries\)"):
            ask(model).read()
        model.close()


# -- stopping


def test_leaving_a_reply_ends_the_request(at: OpenAt) -> None:
    with ask(at("stall")) as reply:
        assert next(reply) == "One"
    assert at.server.hung_up.wait(30)
    assert reply.finish == "cancelled"
    assert reply.usage.calls == 1
    assert list(reply) == []


@pytest.mark.parametrize("mode", ["hang", "stall", "ping"])
def test_closing_a_reply_wakes_the_thread_that_reads_it(at: OpenAt, mode: str) -> None:
    reply = ask(at(mode, tries=3))
    pieces: list[str] = []
    thread = threading.Thread(target=lambda: pieces.extend(reply))
    thread.start()
    wait_until(lambda: bool(at.server.requests) and (mode != "stall" or len(pieces) == 3))
    reply.close()
    thread.join(30)
    assert not thread.is_alive()
    assert at.server.hung_up.wait(30)
    assert reply.finish == "cancelled"
    assert len(at.server.requests) == 1


def test_a_reply_that_another_thread_is_closing_ends() -> None:
    closing, may_close = threading.Event(), threading.Event()

    class Slow(Reply):
        def _run(self) -> Generator[str, None, None]:
            try:
                yield "One"
                yield "two"
            finally:
                closing.set()
                assert may_close.wait(30)

    reply = Slow()
    assert next(reply) == "One"
    thread = threading.Thread(target=reply.close)
    thread.start()
    assert closing.wait(30)
    try:
        assert list(reply) == []
    finally:
        may_close.set()
        thread.join(30)


def test_closing_a_reply_ends_its_pause_before_the_next_try(server: OpenAIServer) -> None:
    paused = threading.Event()

    def sleep(cut: threading.Event, _: float) -> None:
        paused.set()
        assert cut.wait(30)

    model = EndpointModel("m", base_url=server.url("503"), sleep=sleep)
    reply = ask(model)
    thread = threading.Thread(target=lambda: list(reply))
    thread.start()
    assert paused.wait(30)
    reply.close()
    thread.join(30)
    model.close()
    assert not thread.is_alive()
    assert len(server.requests) == 1
    assert reply.usage == Usage()


def test_a_later_reply_can_be_closed_too(at: OpenAt) -> None:
    model = at("plain,hang")
    assert ask(model).read() == TEXT
    reply = ask(model)
    thread = threading.Thread(target=lambda: list(reply))
    thread.start()
    wait_until(lambda: len(at.server.requests) == 2)
    reply.close()
    thread.join(30)
    assert not thread.is_alive()


def test_a_connection_that_opens_after_the_cut_is_cut() -> None:
    class Stream:
        def get_extra_info(self, _: str) -> socket.socket:
            return ours

    wire = Wire()
    wire.cut("closed")
    wire.cut("overdue")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(30)
        wire.trace("connection.connect_tcp.complete", {"return_value": Stream()})
        assert theirs.recv(1) == b""
    assert wire.why == "closed"


def test_a_failure_lets_go_of_the_connection(at: OpenAt) -> None:
    reply = ask(at("endless"))
    drain(reply)
    assert at.server.hung_up.wait(30)


def test_leaving_a_reply_that_is_complete_changes_nothing(at: OpenAt) -> None:
    with ask(at("ok")) as reply:
        reply.read()
    assert reply.finish == "stop"


def test_closing_one_reply_leaves_the_others_alone() -> None:
    with openai_server(Script(["a", "b", "c"], pause_s=0.05)) as server:
        model = EndpointModel("m", base_url=server.url())
        one, other = ask(model), ask(model)
        assert (next(one), next(other)) == ("a", "a")
        one.close()
        assert other.read() == "bc"
        model.close()


def wait_until(is_so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if is_so():
            return
        pause.wait(0.01)
    pytest.fail("it did not come to that within 30 s")
