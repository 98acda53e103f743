"""What is measured of a collection of one size; each step is run in a process of its own.

Every function gives figures by name: ``_s`` seconds, ``_ms`` milliseconds, ``_mb`` 10**6 bytes,
``_per_s`` a second. Those that begin with ``raw_`` are baselines, taken in the same process.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from eval.bench.timing import (
    load,
    memory_mb,
    peak_memory_mb,
    percentiles_ms,
    seconds_of,
)
from rag.adding import RECORDS_PER_COMMIT, Stage
from rag.assistant import Assistant
from rag.ingest.reading import read_papers
from rag.schema import Record
from rag.store import database, exact
from rag.store.catalog import Catalog
from rag.store.collection import CHROMA, Collection
from rag.store.writing import CatalogWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from eval.bench.figures import Figures
    from rag.models.embedder import Embedder

_SAMPLES = 200
_DEPTHS = (10, 100)


def catalog_alone(file: Path, directory: Path) -> Figures:
    """Read a file of JSON lines into a catalog, sentences and full-text index with it.

    The baseline reads the same lines into a table of title and abstract and nothing else.
    """
    path = directory / database.FILE_NAME
    database.create(path)
    before = load()
    with closing(CatalogWriter(path)) as writer:
        took = seconds_of(lambda: _put_all(writer, file))
    peak = peak_memory_mb()
    with closing(Catalog(path)) as catalog:
        papers = catalog.counts()["papers"]
    with file.open("rb") as lines:
        records = sum(1 for _ in lines)
    raw = seconds_of(lambda: _plain_table(file, directory / "plain.sqlite3"))
    return {
        "records": records,
        "held": papers,
        "took_s": took,
        "papers_per_s": records / took,
        "raw_per_s": records / raw,
        "peak_mb": peak,
        "load": before,
    }


def _put_all(writer: CatalogWriter, file: Path) -> None:
    records = (item for item in read_papers(file) if isinstance(item, Record))
    while batch := list(itertools.islice(records, RECORDS_PER_COMMIT)):
        writer.put(batch)


def _plain_table(file: Path, path: Path) -> None:
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        file.open(encoding="utf-8") as lines,
    ):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE plain(title TEXT, abstract TEXT)")
        rows = (json.loads(line) for line in lines)
        while batch := list(itertools.islice(rows, RECORDS_PER_COMMIT)):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO plain VALUES (:title, :abstract)", batch)
            connection.execute("COMMIT")


def whole_add(file: Path, directory: Path, make: Callable[[], Embedder]) -> Figures:
    """Add a file to a new collection; ``samples`` are seconds and memory (MB) as it goes on."""
    samples: list[tuple[float, float]] = []

    def sample(stage: Stage, done: int, total: int | None) -> None:  # noqa: ARG001
        samples.append((time.perf_counter() - started, memory_mb()))

    embedder = make()
    _warmed(file, directory.with_name(directory.name + "-warm"), embedder)
    before = load()
    started = time.perf_counter()
    with Assistant.open(directory, embedder=embedder, crossencoder="none") as assistant:
        report = assistant.add(file, on_progress=sample)
    return {
        "added": report.added,
        "passages": report.passages,
        "took_s": report.seconds,
        "papers_per_s": report.added / report.seconds,
        "passages_per_s": report.passages / report.seconds,
        "peak_mb": peak_memory_mb(),
        "samples": samples[:: len(samples) // _SAMPLES + 1] + samples[-1:],
        "load": before,
    }


def _warmed(file: Path, directory: Path, embedder: Embedder) -> None:
    """Add the first lines of a file elsewhere: imports and models take seconds to load."""
    directory.mkdir()
    try:
        few = directory / "few.jsonl"
        with file.open("rb") as lines:
            few.write_bytes(b"".join(itertools.islice(lines, 4)))
        with Assistant.open(directory / "few", embedder=embedder) as assistant:
            assistant.add(few)
    finally:
        shutil.rmtree(directory)


def added_again(file: Path, directory: Path, make: Callable[[], Embedder]) -> Figures:
    """Add an unchanged file once more; the baseline decodes the same lines as JSON."""
    before = load()
    with Assistant.open(directory, embedder=make()) as assistant:
        report = assistant.add(file)
    peak = peak_memory_mb()
    with file.open(encoding="utf-8") as lines:
        raw = seconds_of(lambda: [len(json.loads(line)) for line in lines])
    return {
        "records": report.records,
        "unchanged": report.unchanged,
        "took_s": report.seconds,
        "records_per_s": report.records / report.seconds,
        "raw_per_s": report.records / raw,
        "peak_mb": peak,
        "load": before,
    }


def indexed_alone(directory: Path) -> Figures:
    """Chroma by itself: the index of a collection made anew from the catalog's vectors."""
    before = load()
    with closing(Collection(directory, create=False)) as collection:
        _, vectors = collection.catalog.vectors_after(0, 1)
        collection.nearest(vectors[0], 1)  # Chroma takes a second to load
        took = seconds_of(collection.index_anew)
        passages = collection.catalog.counts()["passages"]
    return {"took_s": took, "passages_per_s": passages / took, "load": before}


def searched(directory: Path, questions: Sequence[str], make: Callable[[], Embedder]) -> Figures:
    """Ask a collection, both searches at once and each alone, without a filter.

    ``recall_10``: the share of the ten nearest passages' papers, by exact search over the
    catalog's vectors, that the index finds; ``recall_100`` likewise. The baseline is that exact
    search, over vectors held in memory.
    """
    before = load()
    embedder = make()
    with closing(Collection(directory, create=False)) as collection:
        assistant = Assistant(collection, embedder)
        opening = seconds_of(lambda: assistant.search(questions[0]))
        whole = _each(assistant.search, questions)
        words = _each(collection.catalog.lexical, questions)
        peak = peak_memory_mb()
        found = _recall(collection, [embedder.embed_query(question) for question in questions])
    return {
        "opening_ms": opening * 1e3,
        **_named("search", whole),
        **_named("words", words),
        **found,
        "peak_mb": peak,
        "load": before,
    }


def _each(call: Callable[[str], object], questions: Sequence[str]) -> list[float]:
    return [seconds_of(lambda: call(question)) for question in questions]  # noqa: B023


def _named(name: str, seconds: Sequence[float]) -> dict[str, float]:
    p50, p95 = percentiles_ms(seconds)
    return {f"{name}_p50_ms": p50, f"{name}_p95_ms": p95}


def _recall(collection: Collection, vectors: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """How much of the exact search the index finds, and the times of both."""
    catalog = collection.catalog
    pages = list(exact.pages_after(catalog, 0))
    near, raw = [], []
    hit, wanted = Counter[int](), Counter[int]()
    for vector in vectors:
        started = time.perf_counter()
        best = [id_ for id_, _ in exact.nearest(pages, vector, max(_DEPTHS))]
        raw.append(time.perf_counter() - started)
        papers = {passage.id: number for number, passage in catalog.passages(best)}
        for depth in _DEPTHS:
            started = time.perf_counter()
            found = set(collection.nearest(vector, depth))
            took = time.perf_counter() - started
            truth = {papers[id_] for id_ in best[:depth]}
            hit[depth] += len(found & truth)
            wanted[depth] += len(truth)
        near.append(took)
    recall = {f"recall_{depth}": hit[depth] / wanted[depth] for depth in _DEPTHS}
    return {**recall, **_named("vectors", near), **_named("raw", raw)}


def disk(directory: Path) -> Figures:
    """Bytes on disk of a collection, in MB: its catalog, its index, and in all."""
    sizes = {path: path.stat().st_size / 1e6 for path in directory.rglob("*") if path.is_file()}
    catalog = sum(size for path, size in sizes.items() if path.name.startswith(database.FILE_NAME))
    index = sum(size for path, size in sizes.items() if CHROMA in path.relative_to(directory).parts)
    return {"catalog_mb": catalog, "chroma_mb": index, "all_mb": sum(sizes.values())}
