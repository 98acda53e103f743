"""The cross-encoder: reads a question or claim together with a text.

`CrossEncoder` is the seam; `BundledCrossEncoder` is the one that comes with Footnoted, trained
for it (``training/README.md``): 22 million parameters, one byte each, on the CPU.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag.errors import SettingError
from rag.models.pairs import Window, windows
from rag.models.runtime import WEIGHTS, count_cores, expected_sha256, open_session, read_verified

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

GRAPH = "crossencoder.onnx"
TOKENIZER = "embedder-tokenizer.json"
_REMEMBERED_TEXTS, _REMEMBERED_PAIRS = 4096, 1024


@dataclass(frozen=True, slots=True)
class Pair:
    """What is read at once: a question or claim, and a text as title (may be "") and sentences."""

    query: str
    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cross-encoder says of a pair, in probabilities from 0 to 1.

    ``sentences``: that each answers the query, read in its context; ``answerable``: that the
    text answers it at all; ``support``: that the text, taken alone, entails it as a claim.
    """

    sentences: tuple[float, ...]
    answerable: float
    support: float


class CrossEncoder(Protocol):
    """Reads pairs."""

    @property
    def name(self) -> str:
        """How records name it."""

    @property
    def checksum(self) -> str:
        """Changes whenever its readings may."""

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        """One `Reading` for each pair, in order."""


def open_crossencoder(chosen: str | CrossEncoder) -> CrossEncoder | None:
    """``bundled``, ``none`` (None), or one that is given.

    Raises:
        SettingError: the name is none of these.
    """
    if not isinstance(chosen, str):
        return chosen
    if chosen == "none":
        return None
    if chosen != "bundled":
        raise SettingError(
            f"{chosen!r} is no cross-encoder; expected 'bundled', or 'none' to do without"
        )
    return BundledCrossEncoder()


@dataclass(frozen=True)
class _Engine:
    tokenizer: Tokenizer
    session: onnxruntime.InferenceSession
    pool: ThreadPoolExecutor


class BundledCrossEncoder:
    """A `CrossEncoder` over the weights in ``rag/models/weights``; needs no network and no key.

    Files are read and verified at the first use. Every window is a call of its own, without
    padding: the same pair has the same reading on one machine, whatever is read with it. A text
    of more than 384 tokens is read in overlapping windows, of which the highest reading counts.
    The last readings are remembered: ranking and answering ask for the same ones. All methods may
    be called from any thread.

    Args:
        directory: where the weights are.
        threads: how many windows to read at a time; by default one for each core.
    """

    name = "bundled"

    def __init__(self, *, directory: Path = WEIGHTS, threads: int | None = None) -> None:
        self._directory = directory
        self._threads = threads or count_cores()
        self._lock = threading.Lock()
        self._opened: _Engine | None = None
        self._readings: dict[Pair, Reading] = {}
        self._encode = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._tokenise)

    @cached_property
    def checksum(self) -> str:
        """Sum over the sums of graph and tokenizer, as shipped."""
        sums = [expected_sha256(self._directory, name) for name in (GRAPH, TOKENIZER)]
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        """Read pairs on all cores.

        Raises:
            WeightsError: the weights are missing or are not the ones that were shipped.
        """
        with self._lock:
            known = {pair: self._readings[pair] for pair in pairs if pair in self._readings}
        new = [pair for pair in dict.fromkeys(pairs) if pair not in known]
        read = self._read(new) if new else {}
        with self._lock:
            self._readings.update(read)
            while len(self._readings) > _REMEMBERED_PAIRS:
                del self._readings[next(iter(self._readings))]
        return [known[pair] if pair in known else read[pair] for pair in pairs]

    def _read(self, pairs: Sequence[Pair]) -> dict[Pair, Reading]:
        parts = [
            windows(
                self._encode(pair.query),
                self._encode(pair.title),
                [self._encode(sentence) for sentence in pair.sentences],
            )
            for pair in pairs
        ]
        flat = [window for part in parts for window in part]
        # Long windows first: no core is left with the longest at the end.
        order = sorted(range(len(flat)), key=lambda i: -len(flat[i].ids))
        run = self._engine().pool.map(self._run, [flat[i] for i in order])
        found = dict(zip(order, run, strict=True))
        places = iter(range(len(flat)))
        return {
            pair: _joined(len(pair.sentences), part, [found[next(places)] for _ in part])
            for pair, part in zip(pairs, parts, strict=True)
        }

    def _tokenise(self, text: str) -> tuple[int, ...]:
        # Half a surrogate pair, as broken JSON holds them, is not text: the tokenizer refuses it.
        plain = text.encode(errors="ignore").decode()
        encoded = self._engine().tokenizer.encode(plain, add_special_tokens=False)
        return tuple(encoded.ids)

    def _run(self, window: Window) -> tuple[list[float], float, float]:
        """The logits of a window: of its sentences, of answerable, of support."""
        outputs = self._engine().session.run(
            ["sentences", "answerable", "support"], graph_inputs(window)
        )
        sentences, answerable, support = outputs
        return sentences.tolist(), float(answerable[0]), float(support[0])

    def _engine(self) -> _Engine:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> _Engine:
        from tokenizers import Tokenizer

        session = open_session(self._directory, GRAPH)
        tokenizer = Tokenizer.from_buffer(read_verified(self._directory, TOKENIZER))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return _Engine(tokenizer, session, ThreadPoolExecutor(self._threads, "read"))


def graph_inputs(window: Window) -> dict[str, object]:
    """A window as the graph takes it: ids and segments [1, n], pools [spans, n]."""
    import numpy as np

    pools = np.zeros((len(window.spans), len(window.ids)), np.float32)
    for row, (start, end) in zip(pools, window.spans, strict=True):
        row[start:end] = 1 / max(end - start, 1)
    return {
        "input_ids": np.array([window.ids], np.int64),
        "token_type_ids": np.array([window.segments], np.int64),
        "pools": pools,
    }


def _joined(
    count: int, parts: Sequence[Window], read: Sequence[tuple[list[float], float, float]]
) -> Reading:
    """One reading of ``count`` sentences from those of the windows: the highest counts."""
    sentences = [-math.inf] * count
    for window, (logits, _, _) in zip(parts, read, strict=True):
        for index, logit in zip(window.sentences, logits, strict=True):
            sentences[index] = max(sentences[index], logit)
    return Reading(
        tuple(_probability(logit) for logit in sentences),
        _probability(max(answerable for _, answerable, _ in read)),
        _probability(max(support for _, _, support in read)),
    )


def _probability(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
