"""The cross-encoder's graph, as training/ builds it, against the same written down in numpy."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rag.models.crossencoder import GRAPH, graph_inputs
from rag.models.pairs import Window, windows
from rag.models.runtime import WEIGHTS, start_session
from tests.makers import ROOT
from tests.test_bert_onnx import bert

pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from training.bert_onnx import Float32
from training.build_crossencoder import as_checkpoint, crossencoder

Array = NDArray[np.float32]

HIDDEN, WORDS = 24, 200
LINES = {"sentence": (1.5, -0.25), "answerable": (0.5, 1.0), "support": (2.0, 0.0)}


def random_weights() -> dict[str, Array]:
    """A small cross-encoder under the names of `crossencoder_network`."""
    random = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {
        "words.weight": (WORDS, HIDDEN),
        "positions.weight": (384, HIDDEN),
        "segments.weight": (2, HIDDEN),
        "normalise.weight": (HIDDEN,),
        "normalise.bias": (HIDDEN,),
    }
    for i in range(2):
        for name, out, inside in (
            ("qkv", 3 * HIDDEN, HIDDEN),
            ("attended", HIDDEN, HIDDEN),
            ("wide", 4 * HIDDEN, HIDDEN),
            ("narrow", HIDDEN, 4 * HIDDEN),
        ):
            shapes[f"layers.{i}.{name}.weight"] = (out, inside)
            shapes[f"layers.{i}.{name}.bias"] = (out,)
        for name in ("first", "second"):
            shapes[f"layers.{i}.{name}.weight"] = (HIDDEN,)
            shapes[f"layers.{i}.{name}.bias"] = (HIDDEN,)
    for head, parts in (("sentence", 4), ("answerable", 5), ("support", 5)):
        shapes[f"{head}.hidden.weight"] = (HIDDEN, parts * HIDDEN)
        shapes[f"{head}.hidden.bias"] = (HIDDEN,)
        shapes[f"{head}.out.weight"] = (1, HIDDEN)
        shapes[f"{head}.out.bias"] = (1,)
    return {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def reference(weights: dict[str, Array], window: Window) -> dict[str, Array]:
    """The calibrated logits of a window."""
    ids = np.array([window.ids])
    x = bert(as_checkpoint(weights), ids, heads=12, kinds=window.segments.index(1))
    means = [x[start:end].mean(axis=0) for start, end in window.spans]
    query, text, sentences = means[0], means[1], means[2:]
    pair = np.concatenate([x[0], query, text, abs(query - text), query * text])
    each = [np.concatenate([x[0], s, abs(query - s), query * s]) for s in sentences]
    return {
        "sentences": np.array([_head(weights, "sentence", s) for s in each]),
        "answerable": np.array([_head(weights, "answerable", pair)]),
        "support": np.array([_head(weights, "support", pair)]),
    }


def _head(weights: dict[str, Array], name: str, features: Array) -> float:
    weight = weights[f"{name}.hidden.weight"]
    step = abs(weight).max(axis=1, keepdims=True) / 127  # as it is stored: one byte a weight
    hidden = np.rint(weight / step) * step @ features + weights[f"{name}.hidden.bias"]
    gelu = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
    slope, shift = LINES[name]
    out = weights[f"{name}.out.weight"][0] @ gelu + weights[f"{name}.out.bias"][0]
    return float(slope * out + shift)


def test_the_graph_computes_what_the_network_does() -> None:
    weights = random_weights()
    [window] = windows([7, 8, 9], [20, 21], [[30, 31, 32], [40], [50, 51]])
    graph = crossencoder(weights, Float32(), LINES).SerializeToString()
    session = start_session(graph)
    expected = reference(weights, window)
    found = session.run(list(expected), graph_inputs(window))
    for name, values in zip(expected, found, strict=True):
        np.testing.assert_allclose(values, expected[name], atol=1e-4, err_msg=name)


def test_a_build_gives_the_same_bytes() -> None:
    first, second = (
        crossencoder(random_weights(), Float32(), LINES).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second


def test_what_is_shipped_is_what_the_card_says() -> None:
    listing = json.loads((WEIGHTS / "checksums.json").read_text("utf-8"))
    card = (WEIGHTS / "CROSSENCODER.md").read_text("utf-8")
    assert listing[GRAPH]["sha256"] in card
    assert (ROOT / "training/crossencoder_calibration.json").exists()
