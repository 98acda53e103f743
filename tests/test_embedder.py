from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag.errors import EndpointError, InputError, SettingError, WeightsError
from rag.models.bundled import GRAPH, LOOK_AHEAD, TOKENIZER
from rag.models.embedder import (
    BundledEmbedder,
    Embedder,
    EndpointEmbedder,
    LlamaIndexEmbedder,
    open_embedder,
)
from rag.models.runtime import WEIGHTS, count_cores, read_verified
from rag.models.tokens import count_tokens, encoding
from tests.embedding_server import DIMENSION, KEY, EmbeddingServer, vector_of
from tests.makers import ROOT

BUNDLED = BundledEmbedder(threads=3)

SENTENCES = (
    "The cat sits outside.",
    "A feline is resting outdoors.",
    "Large language models hallucinate facts.",
    "Language models often state things that are not true.",
    "The stock market fell sharply on Monday.",
    "This is an example sentence",
)
# Of the fp32 weights, from the graph that tests/test_bert_onnx.py checks against numpy.
COSINES = (
    (1.0, 0.6093, -0.047, -0.1006, 0.1744, -0.0206),
    (0.6093, 1.0, -0.0521, -0.1032, 0.0976, 0.0446),
    (-0.047, -0.0521, 1.0, 0.5814, -0.0865, 0.2548),
    (-0.1006, -0.1032, 0.5814, 1.0, 0.02, 0.3157),
    (0.1744, 0.0976, -0.0865, 0.02, 1.0, 0.0661),
    (-0.0206, 0.0446, 0.2548, 0.3157, 0.0661, 1.0),
)
# What the model's own page shows for the last sentence.
PUBLISHED = (0.0677, 0.0635, 0.0487, 0.0793, 0.0374, 0.0027)

TEXTS = st.text(max_size=60) | st.sampled_from(SENTENCES)


def in_python(code: str, **environ: str) -> str:
    """What a fresh interpreter prints."""
    # In CI onnxruntime never reports to its maker, which would hide that it must be told not to.
    unset = ("CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def is_unit(vectors: NDArray[np.float32]) -> bool:
    return bool(np.allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-5))


# -- the bundled embedder


def test_the_bundled_embedder_agrees_with_the_weights_it_was_made_from() -> None:
    vectors = BUNDLED.embed(SENTENCES)
    assert np.abs(vectors @ vectors.T - np.array(COSINES)).max() < 0.015
    assert np.abs(vectors[-1][:6] - np.array(PUBLISHED)).max() < 0.01


def test_a_paraphrase_is_nearer_than_anything_else() -> None:
    vectors = BUNDLED.embed(SENTENCES)
    for one, other in ((0, 1), (2, 3)):
        cosines = vectors @ vectors[one]
        cosines[one] = -1
        assert cosines.argmax() == other


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(TEXTS, min_size=1, max_size=9), data=st.data())
def test_a_text_has_the_same_bytes_in_any_company(texts: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    together = BUNDLED.embed(texts)
    shuffled = BUNDLED.embed([texts[i] for i in order])
    for place, i in enumerate(order):
        alone = BUNDLED.embed_query(texts[i]).tobytes()
        assert together[i].tobytes() == alone
        assert shuffled[place].tobytes() == alone


def test_a_text_has_the_same_bytes_from_any_thread_and_any_number_of_them() -> None:
    texts = [f"{sentence} {i}" for i in range(8) for sentence in SENTENCES]
    expected = BundledEmbedder(threads=1).embed(texts).tobytes()
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: BUNDLED.embed(texts), range(4)):
            assert vectors.tobytes() == expected


def test_vectors_are_float32_of_unit_length_and_the_dimension_it_says() -> None:
    vectors = BUNDLED.embed(SENTENCES)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(SENTENCES), BUNDLED.dimension)
    assert is_unit(vectors)
    query = BUNDLED.embed_query("cats")
    assert query.dtype == np.float32
    assert query.shape == (BUNDLED.dimension,)


def test_no_texts_give_no_rows() -> None:
    assert BUNDLED.embed([]).shape == (0, 384)
    assert list(BUNDLED.embed_stream([])) == []


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x07\x1b", "\ud83d", "\u200b\ufffd"])
def test_a_text_without_words_has_two_tokens_and_a_vector(text: str) -> None:
    assert BUNDLED.count_tokens(text) == 2
    assert is_unit(BUNDLED.embed([text]))
    assert is_unit(BUNDLED.embed_query(text))


@settings(deadline=None, max_examples=60)
@given(text=st.text(st.characters(), max_size=200))
def test_any_string_can_be_counted_and_embedded_as_a_question(text: str) -> None:
    assert BUNDLED.count_tokens(text) >= 2
    assert is_unit(BUNDLED.embed_query(text))


def test_a_text_of_just_the_limit_is_read_to_its_last_token() -> None:
    full = "word " * 253
    assert BUNDLED.count_tokens(full + "cat") == BUNDLED.max_tokens
    cat, dog = BUNDLED.embed([full + "cat", full + "dog"])
    assert cat.tobytes() != dog.tobytes()


def test_a_text_beyond_the_limit_is_refused_with_both_counts() -> None:
    with pytest.raises(InputError, match="has 302 tokens, the bundled embedder takes 256"):
        BUNDLED.embed(["short", "word " * 300])
    with pytest.raises(InputError, match="302 tokens"):
        list(BUNDLED.embed_stream(["word " * 300]))


def test_a_long_question_is_read_to_its_end() -> None:
    filler = "word " * 600
    asked = BUNDLED.embed_query(filler + "What do cats eat?")
    assert is_unit(asked)
    assert asked.tobytes() != BUNDLED.embed_query(filler).tobytes()
    windows = BUNDLED.embed(["word " * 200] * 3)
    assert np.allclose(BUNDLED.embed_query(filler), windows[0], atol=1e-5)


def test_a_stream_is_ordered_and_reads_only_a_little_ahead() -> None:
    read: list[int] = []

    def texts() -> Iterator[str]:
        for i in itertools.count():
            read.append(i)
            yield f"text {i}"

    stream = BUNDLED.embed_stream(texts())
    taken = list(itertools.islice(stream, 20))
    assert len(read) <= 20 + LOOK_AHEAD * 3
    assert np.stack(taken).tobytes() == BUNDLED.embed([f"text {i}" for i in range(20)]).tobytes()
    stream.close()  # type: ignore[attr-defined]


def test_a_stream_reads_its_texts_on_the_thread_that_takes_the_vectors() -> None:
    readers: set[int] = set()

    def texts() -> Iterator[str]:
        for sentence in SENTENCES:
            readers.add(threading.get_ident())
            yield sentence

    list(BUNDLED.embed_stream(texts()))
    assert readers == {threading.get_ident()}


def test_the_tokenizer_counts_what_looks_like_a_special_token_as_it_reads_it() -> None:
    assert BUNDLED.count_tokens("cat") == 3
    assert BUNDLED.count_tokens("the cat sits") == 5


# -- its weights


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return shutil.copytree(WEIGHTS, tmp_path / "weights")


def test_the_shipped_weights_are_the_listed_ones() -> None:
    for name in (GRAPH, TOKENIZER):
        assert read_verified(WEIGHTS, name)


@pytest.mark.parametrize("name", [GRAPH, TOKENIZER])
def test_one_flipped_bit_in_the_weights_is_found(weights: Path, name: str) -> None:
    contents = bytearray((weights / name).read_bytes())
    contents[len(contents) // 2] ^= 1
    (weights / name).write_bytes(contents)
    embedder = BundledEmbedder(directory=weights)
    with pytest.raises(WeightsError, match="is not the file that was shipped") as caught:
        embedder.embed(["text"])
    for part in (name, "expected", "sha256", "pip install --force-reinstall footnoted"):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", [GRAPH, TOKENIZER, "checksums.json"])
def test_a_missing_file_of_the_weights_is_named(weights: Path, name: str) -> None:
    (weights / name).unlink()
    with pytest.raises(WeightsError, match=f"{name} cannot be read .*force-reinstall footnoted"):
        BundledEmbedder(directory=weights).embed_query("text")


@pytest.mark.parametrize("listing", ["", "[]", "{}", '{"embedder.onnx": 3}'])
def test_a_broken_listing_of_the_weights_is_named(weights: Path, listing: str) -> None:
    (weights / "checksums.json").write_text(listing)
    with pytest.raises(WeightsError, match=r"checksums\.json does not list embedder\.onnx"):
        BundledEmbedder(directory=weights).embed_query("text")


def test_a_graph_that_onnxruntime_refuses_is_named(weights: Path) -> None:
    (weights / GRAPH).write_bytes(b"not a graph")
    listing = weights / "checksums.json"
    sums = json.loads(listing.read_text())
    sums[GRAPH]["sha256"] = hashlib.sha256(b"not a graph").hexdigest()
    listing.write_text(json.dumps(sums))
    with pytest.raises(WeightsError, match=r"onnxruntime cannot open .*embedder\.onnx"):
        BundledEmbedder(directory=weights).embed_query("text")


def test_the_checksum_depends_on_the_listed_sums(weights: Path) -> None:
    listing = weights / "checksums.json"
    assert BundledEmbedder(directory=weights).checksum == BUNDLED.checksum
    listing.write_text(listing.read_text().replace('"sha256": "', '"sha256": "0'))
    assert BundledEmbedder(directory=weights).checksum != BUNDLED.checksum


def test_the_number_of_threads_is_that_of_the_usable_cores() -> None:
    assert 1 <= count_cores() <= (os.cpu_count() or 1)


# -- imports and the network


def test_importing_the_embedders_loads_no_third_party_package() -> None:
    code = "import sys, rag.models.embedder; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = in_python(code)
    for package in ("numpy", "onnxruntime", "tokenizers", "openai", "httpx", "tiktoken"):
        assert f"'{package}'" not in loaded
    assert "llama_index" not in loaded


def test_the_bundled_embedder_needs_no_network_and_leaves_no_trace(tmp_path: Path) -> None:
    code = (
        "from rag.models.embedder import open_embedder\n"
        "from rag.models.tokens import count_tokens, encoding\n"
        "open_embedder('bundled').embed_query('text')\n"
        "encoding('o200k_base')\n"
        "print(count_tokens('a b c'))"
    )
    blocked = {"PYTHONPATH": str(ROOT / "tests/offline"), "TMPDIR": str(tmp_path)}
    blocked["XDG_CACHE_HOME"] = blocked["HOME"] = str(tmp_path)
    assert in_python(code, **blocked) == "3"
    assert in_python(code, **blocked, TIKTOKEN_CACHE_DIR=str(tmp_path / "empty")) == "3"
    assert list(tmp_path.iterdir()) == []


# -- tokens


def test_tokens_are_those_of_cl100k_base() -> None:
    assert encoding().encode("tiktoken is great!") == [83, 1609, 5963, 374, 2294, 0]
    assert count_tokens("") == 0


def test_text_that_looks_like_a_special_token_is_counted_as_text() -> None:
    assert count_tokens("<|endoftext|>") > 1


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(SettingError, match="no encoding 'p50k_base'"):
        encoding("p50k_base")


def test_opening_an_encoding_leaves_the_environment_as_it_was() -> None:
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    encoding.cache_clear()
    encoding()
    assert os.environ.get("TIKTOKEN_CACHE_DIR") == before


# -- endpoints


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer() as running:
        yield running


@pytest.fixture
def at(server: EmbeddingServer) -> Iterator[OpenAt]:
    opener = OpenAt(server)
    yield opener
    for embedder in opener.opened:
        embedder.close()


class OpenAt:
    """Opens endpoint embedders that fail in a given way, and remembers them."""

    def __init__(self, server: EmbeddingServer) -> None:
        self.server = server
        self.opened: list[EndpointEmbedder] = []

    def __call__(
        self, mode: str, *, timeout_s: float = 5, max_retries: int = 0, max_tokens: int = 8191
    ) -> EndpointEmbedder:
        embedder = EndpointEmbedder(
            "m",
            base_url=self.server.url(mode),
            api_key=KEY,
            timeout_s=timeout_s,
            max_retries=max_retries,
            max_tokens=max_tokens,
        )
        self.opened.append(embedder)
        return embedder


def expected_rows(texts: list[str]) -> NDArray[np.float64]:
    rows = np.array([vector_of(text) for text in texts])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64)


def test_an_endpoint_gives_unit_vectors_in_order_over_several_batches(at: OpenAt) -> None:
    texts = [f"text {i}" for i in range(70)]
    embedder = at("ok")
    assert np.allclose(embedder.embed(texts), expected_rows(texts), atol=1e-6)
    assert sorted(len(body["input"]) for body in at.server.requests) == [6, 32, 32]
    assert {body["model"] for body in at.server.requests} == {"m"}
    assert set(at.server.keys) == {f"Bearer {KEY}"}
    assert embedder.dimension == DIMENSION
    assert len(at.server.requests) == 3


def test_an_endpoint_is_not_asked_before_a_vector_is_needed(at: OpenAt) -> None:
    embedder = at("ok")
    assert (embedder.name, embedder.checksum) == ("openai:m", "openai:m")
    assert embedder.count_tokens("a b c") == 3
    assert at.server.requests == []
    assert embedder.dimension == DIMENSION
    assert embedder.embed([]).shape == (0, DIMENSION)
    assert len(at.server.requests) == 1


def test_vectors_that_come_in_another_order_are_put_in_order(at: OpenAt) -> None:
    texts = ["one", "two", "three"]
    assert np.allclose(at("reversed").embed(texts), expected_rows(texts), atol=1e-6)


def test_an_empty_text_is_sent_as_a_blank(at: OpenAt) -> None:
    assert is_unit(at("ok").embed(["", "text"]))
    assert at.server.requests[0]["input"] == [" ", "text"]


def test_an_endpoint_is_never_sent_a_text_that_it_would_cut_off(at: OpenAt) -> None:
    with pytest.raises(InputError, match=r"has 12 tokens, .* takes 10 at most"):
        at("ok", max_tokens=10).embed(["short", "a b c d e f g h i j k l"])
    assert at.server.requests == []


def test_a_long_question_goes_to_an_endpoint_in_windows(at: OpenAt) -> None:
    vector = at("ok", max_tokens=5).embed_query("a b c d e f g h i j k l")
    assert is_unit(vector)
    sent = [body["input"][0] for body in at.server.requests]
    assert sent == ["a b c d", " e f g h", " i j k l"]


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("400", "status 400: it is broken on purpose; check that the model embeds text"),
        ("401", "status 401: it is broken on purpose; check OPENAI_API_KEY"),
        ("403", "status 403: it is broken on purpose; check that the key"),
        ("404", "status 404: it is broken on purpose; check the model's name"),
        ("413", "status 413: .*the texts are too long"),
        ("418", "status 418: .*see the server's log"),
        ("429", "status 429: .*wait, or check the quota"),
        ("500", "status 500: it is broken on purpose; try again later"),
        ("echo", r"status 401: Incorrect API key provided: Bearer \[key\]; check OPENAI_API_KEY"),
        ("short", "returned 1 vectors for 2 texts"),
        ("ragged", "dimension 7, 8, expected one length"),
        ("nan", "NaN, infinity or only zeros"),
        ("zero", "NaN, infinity or only zeros"),
        ("words", "that are not numbers"),
        ("huge", "that are not numbers"),
        ("unnumbered", r"numbered its vectors \[0, 0\]"),
        ("lettered", "something other than embeddings; check that the base URL"),
        ("scalar", "something other than embeddings; check that the base URL"),
        ("html", "something other than embeddings; check that the base URL"),
        ("array", "something other than embeddings; check that the base URL"),
        ("empty", "something other than embeddings; check that the base URL"),
        ("drop", "could not be reached or broke off"),
    ],
)
def test_a_failing_endpoint_is_named_with_what_to_do(at: OpenAt, mode: str, message: str) -> None:
    with pytest.raises(EndpointError, match=message) as caught:
        at(mode).embed(["one", "two"])
    assert at.server.url(mode) in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None or KEY not in str(caught.value.__cause__)


def test_an_endpoint_that_hangs_is_given_up(at: OpenAt) -> None:
    with pytest.raises(EndpointError, match=r"did not answer within 0\.2 s; check"):
        at("hang", timeout_s=0.2).embed_query("text")


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with EmbeddingServer() as gone:
        url = gone.url("ok")
    embedder = EndpointEmbedder("m", base_url=url, max_retries=0)
    with pytest.raises(EndpointError, match="could not be reached or broke off"):
        embedder.embed_query("text")
    embedder.close()


def test_a_passing_failure_is_tried_again(at: OpenAt) -> None:
    assert is_unit(at("flaky", max_retries=2).embed_query("text"))
    assert len(at.server.requests) == 2


def test_an_endpoint_that_changes_its_dimension_is_refused(at: OpenAt) -> None:
    embedder = at("grows")
    assert embedder.dimension == DIMENSION
    with pytest.raises(EndpointError, match="of dimension 9, expected dimension 8"):
        embedder.embed(["text"])


def test_a_server_without_a_key_is_asked_without_one(server: EmbeddingServer) -> None:
    embedder = EndpointEmbedder("m", base_url=server.url("ok"))
    embedder.embed_query("text")
    embedder.close()
    assert server.keys == ["Bearer none"]


# -- LlamaIndex


class Embedding:
    """Has what is used of LlamaIndex's ``BaseEmbedding``."""

    model_name = "tiny"
    api_key = KEY

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[int] = []
        self.error = error

    def get_text_embedding_batch(self, texts: list[str]) -> list[list[float]]:
        self.batches.append(len(texts))
        if self.error:
            raise self.error
        return [vector_of(text) for text in texts]

    def get_query_embedding(self, query: str) -> list[float]:
        if self.error:
            raise self.error
        return vector_of(f"query: {query}")


def test_a_llama_index_embedding_gives_unit_vectors_in_order() -> None:
    model = Embedding()
    embedder = LlamaIndexEmbedder(model)
    texts = [f"text {i}" for i in range(40)]
    assert np.allclose(embedder.embed(texts), expected_rows(texts), atol=1e-6)
    assert model.batches == [32, 8]
    assert (embedder.name, embedder.dimension) == ("llama-index:Embedding:tiny", DIMENSION)


def test_a_llama_index_embedding_may_embed_questions_in_its_own_way() -> None:
    vector = LlamaIndexEmbedder(Embedding()).embed_query("cats")
    assert np.allclose(vector, expected_rows(["query: cats"])[0], atol=1e-6)


def test_a_llama_index_embedding_that_fails_is_named_without_its_key() -> None:
    embedder = LlamaIndexEmbedder(Embedding(RuntimeError(f"bad key\n{KEY}")))
    attempts: list[Callable[[], object]] = [
        lambda: embedder.embed(["text"]),
        lambda: embedder.embed_query("text"),
    ]
    for attempt in attempts:
        with pytest.raises(EndpointError, match="Embedding failed: RuntimeError: bad key") as error:
            attempt()
        assert KEY not in str(error.value)


def test_a_real_llama_index_embedding_fits() -> None:
    from llama_index.core.embeddings.mock_embed_model import MockEmbedding

    embedder = open_embedder(MockEmbedding(embed_dim=5))
    assert embedder.embed(["one", "two"]).shape == (2, 5)
    assert is_unit(embedder.embed_query("text"))


# -- choosing one


def test_bundled_is_the_bundled_embedder() -> None:
    chosen = open_embedder("bundled", api_key=None)
    assert (chosen.name, chosen.dimension, chosen.max_tokens) == ("bundled", 384, 256)


def test_an_embedder_comes_back_as_it_is() -> None:
    assert open_embedder(BUNDLED) is BUNDLED


@pytest.mark.parametrize(
    ("choice", "name", "source"),
    [
        ("openai:small", "openai:small", "https://api.openai.com/v1 (small)"),
        ("openai:a/b@http://h:1/v1/", "openai:a/b", "http://h:1/v1 (a/b)"),
        ("openai:@cf/baai/bge@https://h/v1", "openai:@cf/baai/bge", "https://h/v1 (@cf/baai/bge)"),
        ("openai:@cf/baai/bge", "openai:@cf/baai/bge", "https://api.openai.com/v1 (@cf/baai/bge)"),
        ("openai:gecko@003", "openai:gecko@003", "https://api.openai.com/v1 (gecko@003)"),
        ("openai:e:v2@http://[::1]:8/v1", "openai:e:v2", "http://[::1]:8/v1 (e:v2)"),
    ],
)
def test_an_endpoint_is_chosen_by_model_and_address(choice: str, name: str, source: str) -> None:
    embedder: Embedder = open_embedder(choice, api_key=KEY)
    assert isinstance(embedder, EndpointEmbedder)
    assert (embedder.name, embedder._source) == (name, source)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("", "no embedder ''; expected 'bundled'"),
        ("Bundled", "no embedder 'Bundled'"),
        ("ollama:m", "no embedder 'ollama:m'"),
        ("openai", "no embedder 'openai'"),
        ("openai:", "no embedder 'openai:'"),
        ("openai:@http://h/v1", "no embedder"),
        ("openai:m@localhost:8000/v1", "needs http:// or https://"),
        ("openai:m@", "needs http:// or https://"),
        ("openai:m@http://", "is not the address of an endpoint"),
        ("openai:m@http://h:99999/v1", "is not the address of an endpoint"),
        ("openai:m@http://[::1/v1", "is not the address of an endpoint"),
        ("openai:m@http://me:secret@h/v1", "with a password or a query"),
        ("openai:m@http://h/v1?key=secret", "with a password or a query"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(choice: str, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        open_embedder(choice, api_key=KEY)
    assert "secret" not in str(caught.value)


def test_an_object_that_does_not_embed_is_refused() -> None:
    with pytest.raises(SettingError, match="a int does not embed text"):
        open_embedder(3)  # type: ignore[arg-type]


def test_openai_without_a_key_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(SettingError, match="needs a key: set OPENAI_API_KEY"):
        open_embedder("openai:text-embedding-3-small", api_key=None)


@pytest.mark.parametrize("key", ["a b", "k\n", "ключ"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingError, match="the API key holds") as caught:
        open_embedder("openai:m", api_key=key)
    assert key not in str(caught.value)
