"""Growth: collections of 1,000 to 300,000 papers with stand-in vectors, beside baselines.

Real abstracts as far as they go, then copies with words exchanged (see `eval.bench.abstracts`).
Each step runs in a process of its own. A collection that was built is kept; the next time its
index is made anew and it is searched and added to again, and the figures of how it was built stay
those of then. (Remove its directory to have it built once more.)
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from eval.bench import steps
from eval.bench.abstracts import write_papers
from eval.bench.figures import FILE_NAME, Figures, Kept, told
from eval.bench.searching import SOURCE, questions_from, stand_in
from eval.bench.timing import in_own_process


def scale(arguments: argparse.Namespace) -> None:
    """Time, memory, disk, latency and recall at each size; figures go to ``WORK/figures.jsonl``."""
    if "scale" not in arguments.names:
        print("left out: 300,000 papers take an hour and 8 GB of disk; ask for it by name")
        return
    source = arguments.data / SOURCE
    if not source.exists():
        print(f"left out: {source} is not there")
        return
    kept = Kept(arguments.work / FILE_NAME)
    for papers in arguments.sizes:
        print(f"{papers:,} papers")
        measure(source, arguments.work, papers, kept)


def measure(
    source: Path,
    work: Path,
    papers: int,
    kept: Kept,
    run: Callable[..., Figures] = in_own_process,
) -> None:
    """Measure a collection of so many papers, which is built in ``work`` unless it stands there.

    ``run`` calls a function with its arguments.
    """

    def step(name: str, function: Callable[..., Figures], *inputs: object) -> None:
        figures = run(function, *inputs)
        kept.add(name, papers, figures)
        print(f"  {name}: {told(figures)}", flush=True)

    file, directory = work / f"scale-{papers}.jsonl", work / f"scale-{papers}"
    write_papers(source, file, papers)
    alone = work / f"scale-{papers}-catalog"
    shutil.rmtree(alone, ignore_errors=True)
    alone.mkdir()
    step("catalog", steps.catalog_alone, file, alone)
    shutil.rmtree(alone)
    if papers not in kept.last("add") or not directory.exists():
        shutil.rmtree(directory, ignore_errors=True)
        step("add", steps.whole_add, file, directory, stand_in)
    step("chroma", steps.indexed_alone, directory)
    step("again", steps.added_again, file, directory, stand_in)
    step("search", steps.searched, directory, questions_from(source, papers), stand_in)
    step("disk", steps.disk, directory)
