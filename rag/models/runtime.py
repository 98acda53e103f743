"""Opens what is shipped in ``weights``: checks a file's sum, then starts onnxruntime on it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import WeightsError

if TYPE_CHECKING:
    import onnxruntime

WEIGHTS = Path(__file__).parent / "weights"

# From 1.29 on, official builds of onnxruntime give the machine an identifier and report to
# Microsoft by default. This is read when onnxruntime is imported, so it stands here, before any
# import of it; whoever wants it sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_LISTING = "checksums.json"
_REINSTALL = "reinstall with 'pip install --force-reinstall footnoted'"


def expected_sha256(directory: Path, name: str) -> str:
    """Sum that a file of ``directory`` should have, as its ``checksums.json`` says.

    Raises:
        WeightsError: the listing is missing, unreadable, or does not name the file.
    """
    listing = directory / _LISTING
    try:
        return str(json.loads(listing.read_text("utf-8"))[name]["sha256"])
    except OSError as error:
        raise WeightsError(f"{listing} cannot be read ({error.strerror}); {_REINSTALL}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{listing} does not list {name}; {_REINSTALL}") from error


def read_verified(directory: Path, name: str) -> bytes:
    """Contents of a file of ``directory``, if they are the ones that were shipped.

    Raises:
        WeightsError: the file is missing or has another sum.
    """
    path = directory / name
    expected = expected_sha256(directory, name)
    try:
        contents = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); {_REINSTALL}") from error
    found = hashlib.sha256(contents).hexdigest()
    if found != expected:
        raise WeightsError(
            f"{path} is not the file that was shipped: its sha256 is {found} "
            f"({len(contents):,} bytes), expected {expected}; {_REINSTALL}"
        )
    return contents


def open_session(directory: Path, name: str) -> onnxruntime.InferenceSession:
    """Open a verified graph; see ``start_session``.

    Raises:
        WeightsError: the file is missing, has another sum, or onnxruntime cannot open it.
    """
    contents = read_verified(directory, name)
    try:
        return start_session(contents)
    except Exception as error:  # onnxruntime's errors have no common root
        raise WeightsError(
            f"onnxruntime cannot open {directory / name}: {error}; upgrade it with "
            "'pip install --upgrade onnxruntime'"
        ) from error


def start_session(graph: bytes) -> onnxruntime.InferenceSession:
    """Open a graph for many threads to call, each call on its caller's thread.

    One session serves all threads: one for each core was no faster (136-148 texts a second
    either way on 2 cores) and holds the weights as often. Without the arena memory follows the
    length of the text instead of keeping the longest; it cost nothing measurable. The graphs
    come as they should run, so only basic optimisation is on (see ``training/bert_onnx.py``).
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def count_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
