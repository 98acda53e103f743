from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag.errors import EndpointError, InputError, SettingError
from rag.models.ahead import in_order
from rag.models.chat.wire import Wire
from rag.models.embedder import EndpointEmbedder, LlamaIndexEmbedder, open_embedder
from rag.models.endpoint import BATCH_SIZE
from tests.embedding_server import DIMENSION, KEY, EmbeddingServer, vector_of

PATIENCE_S = 30.0


@contextmanager
def endpoint(
    choose: Callable[[list[str]], str], *, requests: int = 4, max_retries: int = 0
) -> Iterator[tuple[EmbeddingServer, EndpointEmbedder]]:
    """A server that answers as ``choose`` says, and an embedder that knows its dimension."""
    with EmbeddingServer() as server:
        embedder = EndpointEmbedder(
            "m",
            base_url=server.url("ok"),
            api_key=KEY,
            max_retries=max_retries,
            requests=requests,
        )
        assert embedder.dimension == DIMENSION
        server.requests.clear()
        server.most_at_once = 0
        server.choose = choose
        yield server, embedder
        embedder.close()


def texts(batches: int) -> list[str]:
    """Texts that begin with the number of their batch."""
    return [f"{i // BATCH_SIZE} {i}" for i in range(batches * BATCH_SIZE)]


def number(batch: list[str]) -> int:
    """Which batch it is, or belongs to."""
    return int(batch[0].split()[0])


def expected(some: Sequence[str]) -> NDArray[np.float64]:
    rows = np.array([vector_of(text) for text in some])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64)


def embedding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "embedding"]


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; fails when that takes far too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def nothing_runs() -> bool:
    """Whether no thread is left that embeds, or that would cut a request."""
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    return not (embedding_threads() or timers)


def as_it_should(_: list[str]) -> str:
    return "ok"


# -- order, number and memory


def test_vectors_are_in_order_although_the_answers_are_not() -> None:
    answered: list[int] = []
    last_of_three = threading.Event()

    def backwards(batch: list[str]) -> str:
        if number(batch) % 3 == 2:
            answered.append(number(batch))
            last_of_three.set()
        else:  # the other two wait for the one after them
            assert last_of_three.wait(PATIENCE_S)
            answered.append(number(batch))
        return "ok"

    some = texts(3)
    with endpoint(backwards, requests=3) as (_, embedder):
        assert np.allclose(embedder.embed(some), expected(some), atol=1e-6)
    assert answered[0] == 2
    assert sorted(answered) == [0, 1, 2]


@pytest.mark.parametrize("requests", [1, 2, 5])
def test_as_many_requests_are_under_way_as_was_said_and_never_more(requests: int) -> None:
    together = threading.Barrier(requests, timeout=PATIENCE_S)

    def all_at_once(_: list[str]) -> str:
        together.wait()  # breaks where fewer are sent
        return "ok"

    some = texts(requests * 4)
    with endpoint(all_at_once, requests=requests) as (server, embedder):
        assert np.allclose(embedder.embed(some), expected(some), atol=1e-6)
        assert server.most_at_once == requests
        assert len(server.requests) == requests * 4


def test_two_streams_share_the_places_of_their_embedder() -> None:
    some = texts(8)
    with endpoint(as_it_should, requests=2) as (server, embedder):
        streams = [embedder.embed_stream(some) for _ in range(2)]
        rows = list(zip(*streams, strict=True))
        assert server.most_at_once <= 2
    for mine in zip(*rows, strict=True):
        assert np.allclose(np.stack(mine), expected(some), atol=1e-6)


@pytest.mark.parametrize("requests", [1, 3])
def test_a_stream_is_read_only_so_many_batches_ahead_of_its_consumer(requests: int) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for i in itertools.count():
            read += 1
            yield f"0 {i}"

    with endpoint(as_it_should, requests=requests) as (_, embedder):
        stream = embedder.embed_stream(endless())
        ahead = []
        for taken in range(1, 10 * BATCH_SIZE + 1):
            next(stream)
            ahead.append(read // BATCH_SIZE - -(-taken // BATCH_SIZE))
        stream.close()  # type: ignore[attr-defined]
    assert max(ahead) == requests + 1


def test_requests_go_on_while_the_consumer_does_something_else() -> None:
    with endpoint(as_it_should, requests=2) as (server, embedder):
        stream = embedder.embed_stream(texts(9))
        next(stream)
        wait_for(lambda: len(server.requests) == 4)  # the consumer's, and three ahead of it
        stream.close()  # type: ignore[attr-defined]


def test_texts_are_read_on_the_thread_that_takes_the_vectors() -> None:
    readers: set[int] = set()

    def some() -> Iterator[str]:
        for text in texts(6):
            readers.add(threading.get_ident())
            yield text

    with endpoint(as_it_should) as (_, embedder):
        assert len(list(embedder.embed_stream(some()))) == 6 * BATCH_SIZE
    assert readers == {threading.get_ident()}


def test_the_first_answer_is_awaited_alone_where_the_dimension_is_not_known() -> None:
    with EmbeddingServer() as server:
        embedder = EndpointEmbedder("m", base_url=server.url("401"), max_retries=0)
        with pytest.raises(EndpointError, match="status 401"):
            embedder.embed(texts(9))
        embedder.close()
    assert len(server.requests) == 1


def test_the_dimension_is_asked_for_once_by_however_many_threads() -> None:
    with EmbeddingServer() as server:
        embedder = EndpointEmbedder("m", base_url=server.url("ok"))
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(embedder.dimension)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        embedder.close()
    assert found == [DIMENSION] * 8
    assert len(server.requests) == 1


# -- what fails, and what ends


def test_the_first_failure_comes_after_all_vectors_before_it() -> None:
    third_failed = threading.Event()

    def third_fails(batch: list[str]) -> str:
        if number(batch) == 2:
            third_failed.set()
            return "400"
        assert third_failed.wait(PATIENCE_S)
        return "500" if number(batch) > 2 else "ok"

    rows: list[NDArray[np.float32]] = []
    with endpoint(third_fails) as (server, embedder):
        with pytest.raises(EndpointError, match="status 400") as caught:
            rows.extend(embedder.embed_stream(texts(50)))
        wait_for(nothing_runs)
        assert len(server.requests) <= 7  # of 50: what was read ahead of the one that failed
    assert np.allclose(np.stack(rows), expected(texts(2)), atol=1e-6)
    assert caught.value.__cause__ is caught.value.__context__ is None


@settings(deadline=None, max_examples=200)
@given(count=st.integers(0, 12), bad=st.integers(0, 12), threads=st.integers(1, 6))
def test_results_end_where_the_first_item_fails(count: int, bad: int, threads: int) -> None:
    def work(item: int, _: Wire) -> int:
        if item >= bad:
            raise ValueError(item)
        return item

    found: list[int] = []
    failure: ValueError | None = None
    try:
        found.extend(in_order(work, range(count), threads=threads, wake=lambda: None))
    except ValueError as error:
        failure = error
    assert found == list(range(min(count, bad)))
    assert (failure.args if failure else None) == ((bad,) if bad < count else None)


def test_a_text_that_is_too_long_comes_after_all_vectors_before_it() -> None:
    rows: list[NDArray[np.float32]] = []
    with endpoint(as_it_should) as (_, embedder):
        with pytest.raises(InputError, match="takes 8,191 at most"):
            rows.extend(embedder.embed_stream([*texts(3), "word " * 9000]))
        wait_for(nothing_runs)
    assert len(rows) == 3 * BATCH_SIZE


def test_what_the_texts_raise_comes_after_all_vectors_before_it() -> None:
    def broken() -> Iterator[str]:
        yield from texts(3)
        raise OSError("the disk is gone")

    rows: list[NDArray[np.float32]] = []
    with endpoint(as_it_should) as (_, embedder):
        with pytest.raises(OSError, match="the disk is gone"):
            rows.extend(embedder.embed_stream(broken()))
        wait_for(nothing_runs)
    assert len(rows) == 3 * BATCH_SIZE


def test_a_dimension_that_changes_half_way_is_refused_in_its_place() -> None:
    rows: list[NDArray[np.float32]] = []
    with (
        endpoint(lambda batch: "wide" if number(batch) == 2 else "ok") as (_, embedder),
        pytest.raises(EndpointError, match="of dimension 9, expected dimension 8"),
    ):
        rows.extend(embedder.embed_stream(texts(6)))
    assert len(rows) == 2 * BATCH_SIZE


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_stream_that_is_left_cuts_its_requests_and_ends_its_threads(is_closed: bool) -> None:
    with endpoint(lambda batch: "hang" if number(batch) else "ok") as (server, embedder):
        stream = embedder.embed_stream(texts(50))
        next(stream)
        wait_for(lambda: len(server.requests) == 5)
        assert len(embedding_threads()) == 4
        if is_closed:
            stream.close()  # type: ignore[attr-defined]
        else:
            del stream
            gc.collect()
        wait_for(nothing_runs)  # so that nothing can be sent any more
        assert len(server.requests) == 5


def test_an_interrupted_consumer_leaves_no_thread_behind() -> None:
    def interrupted() -> Iterator[str]:
        yield from texts(3)
        raise KeyboardInterrupt

    with endpoint(lambda _: "hang") as (_, embedder):
        with pytest.raises(KeyboardInterrupt):
            list(embedder.embed_stream(interrupted()))
        wait_for(nothing_runs)


def test_a_stream_that_is_left_while_it_has_to_wait_sends_nothing_more() -> None:
    def later(batch: list[str]) -> str:
        return "429-after-100" if number(batch) else "ok"

    with endpoint(later, max_retries=2) as (server, embedder):
        stream = embedder.embed_stream(texts(9))
        next(stream)
        wait_for(lambda: embedder._gate._held_s() > 0)
        stream.close()  # type: ignore[attr-defined]
        wait_for(nothing_runs)
        sent = [number(body["input"]) for body in server.requests]
    assert len(sent) == len(set(sent)) <= 5


def test_a_call_that_cannot_be_cut_does_not_hold_up_who_leaves_for_long() -> None:
    entered, done = threading.Event(), threading.Event()

    class Stuck:
        def get_text_embedding_batch(self, batch: list[str]) -> list[list[float]]:
            if number(batch) == 2:
                entered.set()
                done.wait(PATIENCE_S)
            return [vector_of(text) for text in batch]

    stream = LlamaIndexEmbedder(Stuck()).embed_stream(texts(9))
    next(stream)
    list(itertools.islice(stream, BATCH_SIZE))
    assert entered.wait(PATIENCE_S)
    stream.close()  # type: ignore[attr-defined]
    assert not done.is_set()
    assert all(thread.daemon for thread in embedding_threads())  # nor the end of the program
    done.set()
    wait_for(nothing_runs)


# -- slowing down


def test_one_who_is_told_to_wait_slows_all_of_them() -> None:
    came: list[float] = []
    told_at: list[float] = []
    told = threading.Event()

    def crowded(batch: list[str]) -> str:
        came.append(time.monotonic())
        if number(batch) == 0 and not told_at:
            told_at.append(time.monotonic())
            told.set()
            return "429-after-1"
        # Whoever was sent beside it is answered once the client knows that it has to wait.
        assert told.wait(PATIENCE_S)
        wait_for(lambda: embedder._gate._held_s() > 0 or time.monotonic() > told_at[0] + 1)
        return "ok"

    some = texts(12)
    with endpoint(crowded, max_retries=2) as (_, embedder):
        assert np.allclose(embedder.embed(some), expected(some), atol=1e-6)
    assert len(came) == 13
    assert sum(at < told_at[0] + 1 for at in came) <= 4


def test_an_endpoint_that_takes_one_request_at_a_time_gets_one() -> None:
    busy = threading.Lock()

    def one_at_a_time(_: list[str]) -> str:
        if not busy.acquire(blocking=False):
            return "429"
        time.sleep(0.01)
        busy.release()
        return "ok"

    some = texts(14)
    with endpoint(one_at_a_time, max_retries=2) as (_, embedder):
        assert np.allclose(embedder.embed(some), expected(some), atol=1e-6)


def test_a_wish_to_wait_for_longer_than_a_request_may_take_is_told() -> None:
    with endpoint(lambda _: "429-after-3600", max_retries=2) as (server, embedder):
        with pytest.raises(EndpointError, match=r"status 429.*; it asks to wait 3,600 s"):
            embedder.embed(texts(1))
        assert len(server.requests) == 1
        server.choose = as_it_should
        assert embedder.embed_query("text").shape == (DIMENSION,)


# -- batches that are too large


@pytest.mark.parametrize("mode", ["most-10", "batch-10", "most-16"])
def test_a_batch_that_is_too_large_is_halved_and_those_after_it(mode: str) -> None:
    some = texts(6)
    with endpoint(lambda _: mode, requests=2) as (server, embedder):
        assert np.allclose(embedder.embed(some), expected(some), atol=1e-6)
        sizes = [len(body["input"]) for body in server.requests]
        assert sizes.count(32) <= 2  # what was under way when the first was refused
        before = len(sizes)
        assert np.allclose(embedder.embed(some), expected(some), atol=1e-6)
        assert all(len(body["input"]) <= 16 for body in server.requests[before:])


def test_a_batch_is_halved_twice_at_most() -> None:
    with endpoint(lambda _: "413") as (server, embedder):
        with pytest.raises(EndpointError, match=r"status 413.*; the texts are too long for it"):
            embedder.embed(texts(1))
        assert [len(body["input"]) for body in server.requests] == [32, 16, 8]


def test_halves_that_come_back_with_other_numbers_of_vectors_are_refused() -> None:
    def short(batch: list[str]) -> str:
        return "413" if len(batch) > 16 else "short"

    with (
        endpoint(short) as (_, embedder),
        pytest.raises(EndpointError, match="returned 15 vectors for 16 texts"),
    ):
        embedder.embed(texts(1))


# -- how many


@pytest.mark.parametrize("requests", [-1, 0, 33])
def test_a_number_of_requests_that_makes_no_sense_is_refused(requests: int) -> None:
    with pytest.raises(SettingError, match=f"^{requests} requests at a time.*expected 1 to 32"):
        open_embedder("openai:m@http://h/v1", requests=requests)
    with pytest.raises(SettingError, match="expected 1 to 32"):
        LlamaIndexEmbedder(object(), requests=requests)


class Model:
    """Has what is used of LlamaIndex's ``BaseEmbedding``; counts the calls there are at a time."""

    def __init__(self, expected_at_once: int = 1) -> None:
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._together = threading.Barrier(expected_at_once, timeout=PATIENCE_S)

    def get_text_embedding_batch(self, batch: list[str]) -> list[list[float]]:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        self._together.wait()
        time.sleep(0.003)  # long enough for another call to come, were there one
        with self._lock:
            self._at_once -= 1
        return [vector_of(text) for text in batch]

    def get_query_embedding(self, query: str) -> list[float]:
        return self.get_text_embedding_batch([query])[0]


def test_a_llama_index_embedding_is_called_once_at_a_time_unless_more_is_said() -> None:
    model = Model()
    embedder = open_embedder(model)  # type: ignore[arg-type]
    some = texts(8)
    rows = []
    for vector in embedder.embed_stream(some):
        rows.append(vector)
        if len(rows) % BATCH_SIZE == 0:
            embedder.embed_query("meanwhile")
    assert np.allclose(np.stack(rows), expected(some), atol=1e-6)
    assert model.most_at_once == 1


def test_a_llama_index_embedding_may_be_called_from_several_threads() -> None:
    model, some = Model(1), texts(7)
    embedder = open_embedder(model, requests=3)  # type: ignore[arg-type]
    embedder.embed_query("the dimension is known")
    model._together = threading.Barrier(3, timeout=PATIENCE_S)
    assert np.allclose(embedder.embed(some[: 6 * BATCH_SIZE]), expected(some)[:192], atol=1e-6)
    assert model.most_at_once == 3
