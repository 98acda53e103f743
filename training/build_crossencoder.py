"""Build ``crossencoder.onnx`` from trained weights: int8, calibrated, repeatable to the byte.

    python training/build_crossencoder.py --weights training/work/crossencoder/weights.safetensors

Reads ``training/crossencoder_calibration.json`` (what ``--calibrate ../shared`` writes, from the
dev split and from texts of the train split): the outlying channels to divide, and for each head
the straight line that turns its logit into the logit of a probability (Platt scaling). Writes
``crossencoder.onnx`` and its entry in ``checksums.json`` under ``rag/models/weights``. The
tokenizer is the embedder's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rag.models.crossencoder import (  # noqa: E402
    GRAPH,
    TOKENIZER,
    BundledCrossEncoder,
    graph_inputs,
)
from rag.models.pairs import windows  # noqa: E402
from rag.models.runtime import WEIGHTS  # noqa: E402
from rag.reranking import logit  # noqa: E402
from training.bert_onnx import (  # noqa: E402
    Body,
    Graph,
    Int8,
    Precision,
    Weights,
    encode,
    find_outliers,
)
from training.build_embedder import write  # noqa: E402
from training.crossencoder_examples import read_split  # noqa: E402

BODY = Body(heads=12, positions=384, token_types=True)
CALIBRATION = ROOT / "training/crossencoder_calibration.json"
HEADS = ("sentence", "answerable", "support")
_NAMES = {
    "attended": "attention.output.dense",
    "first": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "second": "output.LayerNorm",
}

Lines = Mapping[str, tuple[float, float]]


def as_checkpoint(weights: Weights) -> dict[str, NDArray[np.float32]]:
    """The body's tensors under the names of a BERT checkpoint, as `bert_onnx` reads them."""
    found = {
        "embeddings.word_embeddings.weight": weights["words.weight"],
        "embeddings.position_embeddings.weight": weights["positions.weight"],
        "embeddings.token_type_embeddings.weight": weights["segments.weight"],
        "embeddings.LayerNorm.weight": weights["normalise.weight"],
        "embeddings.LayerNorm.bias": weights["normalise.bias"],
    }
    for name, tensor in weights.items():
        if name.startswith("layers."):
            _, number, part, kind = name.split(".")
            layer = f"encoder.layer.{number}"
            if part == "qkv":
                for own, third in zip(("query", "key", "value"), np.split(tensor, 3), strict=True):
                    found[f"{layer}.attention.self.{own}.{kind}"] = third
            else:
                found[f"{layer}.{_NAMES[part]}.{kind}"] = tensor
    return found


def crossencoder(weights: Weights, precision: Precision, lines: Lines) -> onnx.ModelProto:
    """The graph: ids and segments [1, n] and pools [2 + s, n] -> calibrated logits.

    ``sentences`` [s], ``answerable`` [1], ``support`` [1]. See `CrossEncoder.forward` of
    `crossencoder_network` for what the pools are.
    """
    graph = Graph()
    hidden = encode(graph, as_checkpoint(weights), precision, BODY)
    states = graph.node("Squeeze", hidden, graph.integers(0))
    means = graph.node("MatMul", "pools", states)

    def rows(x: str, start: int, end: int) -> str:
        return graph.node("Slice", x, graph.integers(start), graph.integers(end), graph.integers(0))

    def compared(one: str, other: str) -> tuple[str, str]:
        return graph.node("Abs", graph.node("Sub", one, other)), graph.node("Mul", one, other)

    first, query, text = rows(states, 0, 1), rows(means, 0, 1), rows(means, 1, 2)
    each = rows(means, 2, 2**31)
    asked = graph.node("Expand", query, graph.node("Shape", each))
    seen = graph.node("Expand", first, graph.node("Shape", each))
    pair = graph.node("Concat", first, query, text, *compared(query, text), axis=-1)
    features = {
        "sentence": graph.node("Concat", seen, each, *compared(asked, each), axis=-1),
        "answerable": pair,
        "support": pair,
    }
    outputs: dict[str, tuple[str, list[int | str]]] = {}
    for name, read in features.items():
        logit = _head(graph, weights, name, read, lines[name])
        shape: list[int | str] = ["s"] if name == "sentence" else [1]
        outputs["sentences" if name == "sentence" else name] = (logit, shape)
    inputs: dict[str, tuple[int, list[int | str]]] = {**BODY.inputs()}
    inputs["pools"] = (onnx.TensorProto.FLOAT, ["2 + s", "n"])
    return graph.model(inputs, outputs)


def _head(graph: Graph, weights: Weights, name: str, read: str, line: tuple[float, float]) -> str:
    """A head's logit, on its calibration line. Weights in a byte each, activations as they are.

    The features (means, differences, products) differ too much in size for one step to fit them
    all, and there are few rows: the weights are widened again when the graph is opened.
    """
    weight = weights[f"{name}.hidden.weight"].T
    step = (np.abs(weight).max(axis=0, keepdims=True) / 127).astype(np.float32)
    stored = graph.constant(f"{name}.hidden.weight", np.rint(weight / step).astype(np.int8))
    wide = graph.node("Cast", stored, to=onnx.TensorProto.FLOAT)
    wide = graph.node("Mul", wide, graph.constant(f"{name}.hidden.step", step))
    hidden = graph.node(
        "Add",
        graph.node("MatMul", read, wide),
        graph.constant(f"{name}.hidden.bias", weights[f"{name}.hidden.bias"]),
    )
    slope, shift = np.float32(line[0]), np.float32(line[1])
    out = weights[f"{name}.out.weight"].T * slope
    bias = weights[f"{name}.out.bias"] * slope + shift
    product = graph.node(
        "MatMul", graph.node("Gelu", hidden), graph.constant(f"{name}.out.weight", out)
    )
    logits = graph.node("Add", product, graph.constant(f"{name}.out.bias", bias))
    return graph.node("Squeeze", logits, graph.integers(-1))


def calibrate(weights: Weights, folder: Path) -> dict[str, Any]:
    """What stands in the calibration file: outliers from train texts, lines from dev."""
    from sklearn.linear_model import LogisticRegression

    from training import crossencoder_measures as measures

    outliers = find_outliers(as_checkpoint(weights), _texts(folder), BODY)
    plain: Lines = dict.fromkeys(HEADS, (1.0, 0.0))
    claims, labels = measures.claim_examples(folder, "dev")
    asked, alike, neighbouring = measures.questions(folder, "dev")
    with tempfile.TemporaryDirectory() as place:
        graph = crossencoder(weights, Int8(outliers), plain).SerializeToString(deterministic=True)
        tokenizer = (WEIGHTS / TOKENIZER).read_bytes()
        write(Path(place), {GRAPH: graph, TOKENIZER: tokenizer})
        encoder = BundledCrossEncoder(directory=Path(place))
        support = measures.read(encoder, claims)
        read = measures.read(encoder, [*asked, *alike, *neighbouring])
    answers = [True] * len(asked) + [False] * (len(alike) + len(neighbouring))
    marked = [
        (chance, mark > 0)
        for reading, example in zip(read, [*asked, *alike], strict=False)
        for chance, mark in zip(reading.sentences, example.answering or (), strict=True)
    ]

    def line(chances: Sequence[float], marks: Sequence[bool]) -> tuple[float, float]:
        logits = np.array([[logit(chance)] for chance in chances])
        model = LogisticRegression(C=1e6).fit(logits, np.array(marks))
        return round(float(model.coef_[0, 0]), 4), round(float(model.intercept_[0]), 4)

    lines = {
        "sentence": line(*zip(*marked, strict=True)),
        "answerable": line([reading.answerable for reading in read], answers),
        "support": line([reading.support for reading in support], labels),
    }
    return {"lines": lines, "outliers": outliers}


def _texts(folder: Path) -> Iterator[dict[str, Any]]:
    """Some training questions with their abstracts, as the body takes them."""
    tokenizer = Tokenizer.from_file(str(WEIGHTS / TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def tokens(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    for item in read_split(folder, "train")[:150]:
        query, title = tokens(item["questions"][0]["q"]), tokens(item["title"])
        [first, *_] = windows(query, title, [tokens(s) for s in item["sentences"]])
        yield {name: value for name, value in graph_inputs(first).items() if name != "pools"}


def main() -> None:
    """Calibrate or build."""
    parser = argparse.ArgumentParser(description="Build the bundled cross-encoder.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "rag/models/weights")
    parser.add_argument("--calibrate", type=Path, metavar="DATA", help="write the calibration")
    options = parser.parse_args()
    weights = load_file(options.weights)
    if options.calibrate:
        found = calibrate(weights, options.calibrate)
        CALIBRATION.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    kept = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    outliers = {
        name: {int(channel): int(value) for channel, value in channels.items()}
        for name, channels in kept["outliers"].items()
    }
    model = crossencoder(weights, Int8(outliers), kept["lines"])
    write(options.out, {GRAPH: model.SerializeToString(deterministic=True)})


if __name__ == "__main__":
    main()
