"""Benchmarks: each prints its figures; what needs data that is not there says so.

Speeds are printed beside a baseline measured in the same run, because machines are noisy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from eval.bench import (
    adding,
    endpoint,
    formats,
    plotting,
    scale,
    scifact,
    searching,
    startup,
    writing,
)

BENCHES: dict[str, Callable[[argparse.Namespace], None]] = {
    "sample": adding.sample,
    "add": adding.against_raw,
    "startup": startup.startup,
    "search": searching.search,
    "scifact": scifact.scifact,
    "writing": writing.writing,
    "endpoint": endpoint.endpoint,
    "formats": formats.formats,
    "scale": scale.scale,
    "plots": plotting.plots,
}
