"""Writes a BERT encoder as an ONNX graph, straight from its safetensors weights.

No torch and no exporter: the graph is the few operators below, in the order of the paper
(Devlin et al. 2019, https://arxiv.org/abs/1810.04805), so that the same weights give the same
bytes on every machine. ``encode`` writes the body; whoever calls it adds a head (mean pooling
for an embedder, a classifier for a cross-encoder) and asks ``Graph.model`` for the file.

One text a call, without padding: the graphs have no attention mask.

``Int8`` is dynamic quantisation (activations per tensor at run time, weights per column),
written as onnxruntime's fused operator instead of through ``quantize_dynamic``, for three
measured reasons (256 tokens, one thread, a processor with AVX512-VNNI):

* the session can then run with basic graph optimisation, which leaves ``Add`` and
  ``LayerNormalization`` apart: fused into ``SkipLayerNormalization`` they took 4.9 ms of 18 ms,
  apart 1.0 ms;
* input channels that are far larger than the others can be divided first (``find_outliers``),
  which took the mean cosine to fp32 from 0.9944 to 0.9975 at no cost;
* the step can be chosen so that no processor saturates (``quantise``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]
Divisors = Mapping[str, Mapping[int, int]]
Attribute = int | float | str | Sequence[int]

OPSET = 20  # Gelu and LayerNormalization are operators of their own
IR_VERSION = 9  # the one that belongs to opset 20; onnx would write its newest
MICROSOFT = "com.microsoft"  # onnxruntime's own operators, in every build of it

# Two neighbouring products of an unsigned and a signed byte must fit in 16 bits:
# 255 * 128 = 32640 <= 32767.
PAIR_LIMIT = 128


class Graph:
    """Collects nodes and constants; a constant of the same name is stored once."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store an array; returns its name."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def integers(self, *values: int) -> str:
        """Store a list of int64, as shapes and axes are given; returns its name."""
        return self.constant("integers_" + "_".join(map(str, values)), np.array(values, np.int64))

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Attribute) -> str:
        """Add an operator with one output; returns the output's name."""
        return self.nodes(operator, *inputs, count=1, domain=domain, **attributes)[0]

    def nodes(
        self, operator: str, *inputs: str, count: int, domain: str = "", **attributes: Attribute
    ) -> list[str]:
        """Add an operator with ``count`` outputs; returns their names."""
        name = f"{operator}_{len(self._nodes)}"
        outputs = [f"{name}_{i}" for i in range(count)]
        named: dict[str, Any] = {"name": name, "domain": domain, **attributes}
        self._nodes.append(helper.make_node(operator, inputs, outputs, **named))
        return outputs

    def model(
        self,
        inputs: Mapping[str, tuple[int, list[int | str]]],
        outputs: Mapping[str, tuple[str, list[int | str]]],
    ) -> onnx.ModelProto:
        """Close the graph.

        Args:
            inputs: name of each input -> (element type, shape).
            outputs: name of each float32 output -> (the tensor that it shows, shape).
        """
        for name, (tensor, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [tensor], [name], name=name))
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
            [
                helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
                for name, (_, shape) in outputs.items()
            ],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model


class Precision(Protocol):
    """How the matrices are stored and multiplied."""

    def table(self, graph: Graph, ids: str, name: str, table: NDArray[np.float32]) -> str:
        """Rows of ``table`` [rows, hidden] at ``ids`` [1, n]; returns [1, n, hidden]."""
        ...

    def linear(
        self,
        graph: Graph,
        x: str,
        name: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> str:
        """``x`` [1, n, k] times ``weight`` [k, m] plus ``bias`` [m]; returns [1, n, m]."""
        ...


@dataclass(frozen=True)
class Float32:
    """The reference: weights as they are.

    Attributes:
        inputs: fills with the name of every linear layer -> the tensor it reads.
    """

    inputs: dict[str, str] = field(default_factory=dict)

    def table(self, graph: Graph, ids: str, name: str, table: NDArray[np.float32]) -> str:
        """See ``Precision``."""
        return graph.node("Gather", graph.constant(name, table), ids)

    def linear(
        self,
        graph: Graph,
        x: str,
        name: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> str:
        """See ``Precision``."""
        self.inputs[name] = x
        product = graph.node("MatMul", x, graph.constant(f"{name}.weight", weight))
        return graph.node("Add", product, graph.constant(f"{name}.bias", bias))


@dataclass(frozen=True)
class Int8:
    """Weights in one byte each; activations are quantised when the graph runs.

    Attributes:
        divisors: of each linear layer, what to divide an input channel by before it is
            quantised (its weights are multiplied by the same, so the product stays). Without
            it one channel 15 times larger than the others leaves those 4 bits.
    """

    divisors: Divisors = field(default_factory=dict)

    def table(self, graph: Graph, ids: str, name: str, table: NDArray[np.float32]) -> str:
        """See ``Precision``; one scale a row (cosine 0.99999, one for the table 0.9998)."""
        scale = np.abs(table).max(axis=1, keepdims=True) / np.float32(127)
        scale[scale == 0] = 1
        rows = np.rint(table / scale).astype(np.int8)
        taken = graph.node("Gather", graph.constant(name, rows), ids)
        scales = graph.node("Gather", graph.constant(f"{name}.scale", scale), ids)
        return graph.node("Mul", graph.node("Cast", taken, to=onnx.TensorProto.FLOAT), scales)

    def linear(
        self,
        graph: Graph,
        x: str,
        name: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> str:
        """See ``Precision``."""
        if name in self.divisors:
            divisor = np.ones(weight.shape[0], np.float32)
            for channel, value in self.divisors[name].items():
                divisor[channel] = value
            x = graph.node("Mul", x, graph.constant(f"{name}.factor", 1 / divisor))
            weight = weight * divisor[:, None]
        rows, step = quantise(weight)
        return graph.node(
            "DynamicQuantizeMatMul",
            x,
            graph.constant(f"{name}.weight", rows),
            graph.constant(f"{name}.scale", step),
            "",  # the zero point: 0
            graph.constant(f"{name}.bias", bias),
            domain=MICROSOFT,
        )


def quantise(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a matrix to int8, one step a column, so that no processor saturates.

    x86 without VNNI multiplies neighbouring bytes in pairs and adds the two products in 16
    bits: 255 * (127 + 127) does not fit and is cut off without a word. The usual answer, seven
    bits for every weight (``reduce_range``), costs accuracy everywhere. Widening the step only
    where two neighbours of the same sign would exceed the limit costs almost nothing: mean
    cosine to fp32 0.9975, against 0.9978 with all eight bits and 0.9961 with seven. On an
    emulated Haswell (``qemu-x86_64 -cpu Haswell``) it stays what it is, where all eight bits
    fall from 0.9980 to 0.9937 (8 texts).

    Args:
        weight: [k, m], k even.

    Returns:
        int8 [k, m] and the float32 step [m]; their product is close to ``weight``.
    """
    step = np.maximum(np.abs(weight).max(axis=0) / 127, _pair_peak(weight) / PAIR_LIMIT)
    step = np.where(step == 0, 1, step).astype(np.float32)
    while True:
        rounded = np.rint(weight / step)
        over = _pair_peak(rounded) > PAIR_LIMIT  # rounding can add one to each of the two
        if not over.any():
            return rounded.astype(np.int8), step
        step = np.where(over, step * np.float32(1.005), step)


def _pair_peak(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest sum of two neighbours (rows 2i and 2i+1) of the same sign; [k, m] -> [m]."""
    up, down = np.maximum(weight, 0), np.maximum(-weight, 0)
    pairs = np.maximum(up[0::2] + up[1::2], down[0::2] + down[1::2])
    peak: NDArray[np.float32] = pairs.max(axis=0)
    return peak


@dataclass(frozen=True)
class Body:
    """What the tensors of a checkpoint do not tell.

    Attributes:
        heads: attention heads.
        positions: longest input in tokens; longer ones fail when the graph runs.
        prefix: what stands before ``embeddings.`` and ``encoder.`` in the tensors' names.
        token_types: whether to read ``token_type_ids``; otherwise all tokens are of the first
            segment.
    """

    heads: int
    positions: int = 512
    prefix: str = ""
    token_types: bool = False

    def inputs(self) -> dict[str, tuple[int, list[int | str]]]:
        """Graph inputs that ``encode`` reads, for ``Graph.model``: int64, [1, n] each."""
        names = ["input_ids", "token_type_ids"] if self.token_types else ["input_ids"]
        return {name: (onnx.TensorProto.INT64, [1, "n"]) for name in names}


def encode(graph: Graph, weights: Weights, precision: Precision, body: Body) -> str:
    """Write embeddings and all layers; reads the graph inputs of ``Body.inputs``.

    Args:
        graph: where to write.
        weights: tensors under the names of a BERT checkpoint.
        precision: how to store and multiply the matrices.
        body: what the tensors do not tell.

    Returns:
        Name of the last hidden state, [1, n, hidden].
    """

    def get(name: str) -> NDArray[np.float32]:
        return weights[body.prefix + name].astype(np.float32)

    def normalise(x: str, name: str) -> str:
        scale = graph.constant(f"{name}.weight", get(f"{name}.weight"))
        shift = graph.constant(f"{name}.bias", get(f"{name}.bias"))
        return graph.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-12)

    def linear(x: str, name: str, *parts: str) -> str:
        """One product for all ``parts``: their columns side by side."""
        weight = np.concatenate([get(f"{part}.weight").T for part in parts], axis=1)
        bias = np.concatenate([get(f"{part}.bias") for part in parts])
        return precision.linear(graph, x, name, weight, bias)

    place = get("embeddings.position_embeddings.weight")[: body.positions]
    segment = get("embeddings.token_type_embeddings.weight")
    if not body.token_types:
        place = place + segment[0]
    n = graph.node("Shape", "input_ids", start=1, end=2)
    x = graph.node(
        "Add",
        precision.table(graph, "input_ids", "words", get("embeddings.word_embeddings.weight")),
        graph.node("Slice", graph.constant("positions", place), graph.integers(0), n),
    )
    if body.token_types:
        kinds = graph.node("Gather", graph.constant("segments", segment), "token_type_ids")
        x = graph.node("Add", x, kinds)
    x = normalise(x, "embeddings.LayerNorm")

    layers = 1 + max(
        int(k.split("encoder.layer.")[1].split(".")[0]) for k in weights if "encoder.layer." in k
    )
    for i in range(layers):
        layer = f"encoder.layer.{i}"
        own = f"{layer}.attention.self"
        qkv = linear(x, f"{i}.qkv", f"{own}.query", f"{own}.key", f"{own}.value")
        hidden = segment.shape[1]
        split = graph.integers(hidden, hidden, hidden)
        query, key, value = graph.nodes("Split", qkv, split, count=3, axis=-1)
        context = graph.node(
            "MultiHeadAttention", query, key, value, domain=MICROSOFT, num_heads=body.heads
        )
        attended = linear(context, f"{i}.attended", f"{layer}.attention.output.dense")
        x = normalise(graph.node("Add", attended, x), f"{layer}.attention.output.LayerNorm")
        wide = graph.node("Gelu", linear(x, f"{i}.wide", f"{layer}.intermediate.dense"))
        narrow = linear(wide, f"{i}.narrow", f"{layer}.output.dense")
        x = normalise(graph.node("Add", narrow, x), f"{layer}.output.LayerNorm")
    return x


def find_outliers(
    weights: Weights,
    inputs: Iterable[Mapping[str, NDArray[np.int64]]],
    body: Body,
    *,
    times: float = 2.5,
) -> dict[str, dict[int, int]]:
    """Find the input channels that stand out, for ``Int8.divisors``.

    A channel stands out when its largest value over all ``inputs`` is more than ``times`` the
    median channel's (the idea of SmoothQuant, Xiao et al. 2023,
    https://arxiv.org/abs/2211.10438, kept to the few channels that need it). The result is
    written into the source of a build instead of being found anew: activations differ in the
    last bits between processors, and the file must not.

    Args:
        weights: as for ``encode``.
        inputs: graph inputs of some texts.
        body: as for ``encode``.
        times: threshold; 2, 2.5, 3 and 4 gave mean cosines from 0.9973 to 0.9979.
    """
    from rag.models.runtime import start_session

    graph, precision = Graph(), Float32()
    encode(graph, weights, precision, body)
    taps = {name: x for name, x in precision.inputs.items() if not name.endswith("attended")}
    outputs: dict[str, tuple[str, list[int | str]]] = {
        name: (x, [1, "n", f"{name}.width"]) for name, x in taps.items()
    }
    model = graph.model(body.inputs(), outputs)
    session = start_session(model.SerializeToString())
    peaks: dict[str, NDArray[np.float32]] = {}
    for feed in inputs:
        for name, x in zip(taps, session.run(list(taps), dict(feed)), strict=True):
            peaks[name] = np.maximum(peaks.get(name, np.float32(0)), np.abs(x[0]).max(axis=0))
    found = {name: peak / (times * np.median(peak)) for name, peak in peaks.items()}
    return {
        name: {int(c): round(float(ratio[c])) for c in np.flatnonzero(ratio >= 1.5)}
        for name, ratio in found.items()
        if (ratio >= 1.5).any()
    }
