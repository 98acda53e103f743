"""Measures the built embedder against the fp32 weights it came from.

::

    python training/measure_embedder.py data/daily_papers/00[234]_*

Prints the cosine to fp32 (over the long paragraphs of the files given, cut to 256 tokens), and
texts a second and the latency of a query for both, one thread for each core.
Times are the best of interleaved rounds: compare them within a run, not between machines.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rag.models.runtime import count_cores, start_session  # noqa: E402
from training.bert_onnx import Float32  # noqa: E402
from training.build_embedder import (  # noqa: E402
    MAX_TOKENS,
    abstracts,
    download,
    embedder,
    open_tokenizer,
    read_sources,
)

ROUNDS = 4
TEXTS_PER_ROUND = 64
QUERY = "how do large language models follow instructions?"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the bundled embedder against fp32.")
    parser.add_argument("files", type=Path, nargs="+", help="text files with abstracts")
    parser.add_argument("--weights", type=Path, help="as for build_embedder.py")
    parser.add_argument("--model", type=Path, default=ROOT / "rag/models/weights/embedder.onnx")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sources = read_sources(options.weights or download(Path(folder)))
    tokenizer = open_tokenizer(sources["tokenizer.json"])
    weights = load(sources["model.safetensors"])
    texts = list(abstracts(options.files, tokenizer))
    sessions = {
        "fp32": start_session(embedder(weights, Float32()).SerializeToString()),
        "int8": start_session(options.model.read_bytes()),
    }

    def embed(name: str, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = sessions[name].run(None, {"input_ids": ids})[0]
        return vector

    exact, small = (np.array([embed(name, ids) for ids in texts]) for name in sessions)
    cosines = (exact * small).sum(axis=1)
    print(f"{len(texts)} texts, {sum(ids.shape[1] for ids in texts) / len(texts):.0f} tokens each")
    print(f"cosine to fp32: mean {cosines.mean():.4f}, least {cosines.min():.4f}")
    agree = np.mean(
        [
            len({*np.argsort(-a)[1:11]} & {*np.argsort(-b)[1:11]}) / 10
            for a, b in zip(exact @ exact.T, small @ small.T, strict=True)
        ]
    )
    print(f"of the ten nearest texts, the same: {agree:.1%}")

    cores = count_cores()
    full = [ids for ids in texts if ids.shape[1] == MAX_TOKENS]
    work = [full[i % len(full)] for i in range(TEXTS_PER_ROUND)]
    query = np.array([tokenizer.encode(QUERY).ids], np.int64)
    rates: dict[str, float] = dict.fromkeys(sessions, 0)
    latencies: dict[str, float] = dict.fromkeys(sessions, float("inf"))
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(ROUNDS):
            for name in sessions:
                start = time.perf_counter()
                list(pool.map(lambda ids, name=name: embed(name, ids), work))
                rates[name] = max(rates[name], len(work) / (time.perf_counter() - start))
                for _ in range(20):
                    start = time.perf_counter()
                    embed(name, query)
                    latencies[name] = min(latencies[name], time.perf_counter() - start)
    for name in sessions:
        print(
            f"{name}: {rates[name]:.1f} texts/s of {MAX_TOKENS} tokens on {cores} cores, "
            f"{latencies[name] * 1000:.2f} ms for a query of {query.shape[1]} tokens"
        )
    print(f"int8 / fp32: {rates['int8'] / rates['fp32']:.2f} times the texts a second")


if __name__ == "__main__":
    main()
