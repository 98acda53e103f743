"""Taking in a collection that was shared: papers as `rag.adding` takes them, vectors as they come.

The file may come from a stranger. Its papers are read as those of any file; a vector is taken
over only for a passage that fits the text as it is split here, and only from the same embedder.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.adding import AddReport, OnEstimate, OnProgress, Stage, embed_waiting, report_of
from rag.backup.archive import Archive, opened
from rag.backup.checks import passages_fit, vectors_fit
from rag.backup.manifest import SHARED
from rag.backup.sharing import PAPERS, VECTORS
from rag.errors import EmbedderMismatchError, FileError
from rag.ingest.formats.fields import checked, one_line, record_from
from rag.ingest.text import READ_ERRORS, TextSource
from rag.schema import BadRecord, Passage, Record
from rag.store.collection import Collection, Writing, identity
from rag.store.writing import Outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.models.embedder import Embedder
    from rag.store.catalog import StoredPaper

_PAPERS_PER_COMMIT = 100
MAX_DIMENSION = 16_384
_MAX_NUMBERS = 2**19  # in the vectors of one paper: 2 MB
_MAX_NAMED = 20
_MAX_SOURCE_CHARS = 300
_PROBES = 3
# The bundled embedder's vectors of one text differ a little between processors (int8).
_SAME_COSINE = 0.9
_ID = re.compile(r"[a-z2-7]{16}")


@dataclass(frozen=True, slots=True)
class SharedPaper:
    """A paper of the file: a record for each of its sources, its ids, passages and vectors."""

    records: tuple[Record, ...]
    known_as: tuple[str, ...]
    passages: tuple[Passage, ...]
    vectors: NDArray[np.float32]

    def fits(self, held: StoredPaper) -> bool:
        """Whether the passages and vectors are those of the text that is held."""
        first = self.records[0]
        same = (held.paper.title, held.paper.abstract) == (first.title, first.abstract)
        return bool(
            same
            and self.passages
            and passages_fit(held, self.passages)
            and vectors_fit(self.vectors)
        )


def check_shared(file: Path) -> None:
    """Read a whole shared collection, before one is made for it.

    Raises:
        FileError: it is none, or damaged.
    """
    with opened(file, SHARED, [PAPERS, VECTORS]) as archive:
        for member in (PAPERS, VECTORS):
            archive.check(member)


def import_collection(
    collection: Collection,
    embedder: Embedder,
    file: Path,
    on_progress: OnProgress,
    on_estimate: OnEstimate,
    *,
    embed: bool = False,
) -> AddReport:
    """Merge a shared collection into one, its vectors too; with ``embed``, make them anew.

    Raises:
        FileError: the file is no shared collection, or is damaged; then nothing is taken in.
        EmbedderMismatchError: its vectors come from another embedder.
        LockedError: another process is writing.
    """
    started = time.perf_counter()
    with opened(file, SHARED, [PAPERS, VECTORS]) as archive:
        for member in (PAPERS, VECTORS):
            archive.check(member)
        if not embed:
            _check_embedder(archive, embedder)
        with collection.writing(embedder) as writing:
            outcomes, skipped, taken = _take_in(
                archive, writing, None if embed else embedder, on_progress
            )
            passages = embed_waiting(collection, writing, embedder, on_progress, on_estimate)
    return report_of(outcomes, skipped, started, passages=passages, taken_over=taken)


def _check_embedder(archive: Archive, embedder: Embedder) -> None:
    theirs = archive.manifest.embedder
    if not theirs:
        return  # it has no vectors
    ours = (embedder.name, embedder.checksum)
    if (theirs["embedder"], theirs["embedder_checksum"]) != ours or (
        theirs["dimension"] != str(embedder.dimension)
    ):
        raise EmbedderMismatchError(
            f"the vectors in {archive.name} were made with {theirs['embedder']!r} (checksum "
            f"{theirs['embedder_checksum'][:12]}, dimension {theirs['dimension']}), in use is "
            f"{embedder.name!r} (checksum {embedder.checksum[:12]}); choose the first with "
            "--embedder, or take the papers alone and embed them here with "
            f"'footnoted import {archive.name} --embed'"
        )


def _take_in(
    archive: Archive, writing: Writing, embedder: Embedder | None, on_progress: OnProgress
) -> tuple[Counter[Outcome], list[BadRecord], int]:
    """Put every paper; with an embedder, its vectors as well. Returns how many had theirs put."""
    outcomes: Counter[Outcome] = Counter()
    skipped: list[BadRecord] = []
    taken = 0
    stream = _shared_papers(archive)
    while batch := list(itertools.islice(stream, _PAPERS_PER_COMMIT)):
        skipped += [item for item in batch if isinstance(item, BadRecord)]
        papers = [item for item in batch if isinstance(item, SharedPaper)]
        if embedder is not None and not outcomes:
            _probe(archive, embedder, papers)
        records = [record for paper in papers for record in paper.records]
        told, first = writing.catalog.put(records), 0
        for paper in papers:
            outcomes[told[first]] += 1  # its other sources add only their names
            first += len(paper.records)
        taken += _take_over(writing, embedder, papers)
        on_progress(
            Stage.READING, outcomes.total() + len(skipped), archive.manifest.counts["papers"]
        )
    return outcomes, skipped, taken


def _take_over(writing: Writing, embedder: Embedder | None, papers: Sequence[SharedPaper]) -> int:
    """Store the vectors of papers that wait for theirs, and the ids that they are known by."""
    received = writing.catalog.received([paper.records[0] for paper in papers])
    pairs = list(zip(papers, received, strict=True))
    writing.catalog.lead(
        (id_, held.paper.id) for paper, (held, _) in pairs for id_ in paper.known_as
    )
    if embedder is None:
        return 0
    ready = {
        held.number: (held.number, paper.passages, paper.vectors)
        for paper, (held, waits) in pairs
        if waits and paper.fits(held)
    }
    if ready:
        writing.catalog.set_meta(**identity(embedder))
        writing.catalog.put_passages(ready.values())
        writing.follow()
    return len(ready)


def _probe(archive: Archive, embedder: Embedder, papers: Sequence[SharedPaper]) -> None:
    """Embed a few passages to see that the vectors are what the embedder makes of them.

    Raises:
        EmbedderMismatchError: they are not.
    """
    from rag.ingest.passages import PassageParser, cut_passages
    from rag.ingest.sentences import split_sentences
    from rag.schema import Paper

    parser = PassageParser(max_tokens=embedder.max_tokens, count=embedder.count_tokens)
    for shared in [paper for paper in papers if paper.passages][:_PROBES]:
        record = shared.records[0]
        paper = Paper("", record.title, record.abstract)
        [cut] = cut_passages(parser, [(paper, split_sentences(record.abstract))])
        passage, text = cut[0]
        given = shared.passages[0]
        if (given.start, given.end) != (passage.start, passage.end):
            continue  # cut by another version
        cosine = float(embedder.embed([text])[0] @ shared.vectors[0])
        if not cosine >= _SAME_COSINE:
            raise EmbedderMismatchError(
                f"{archive.name} says that {embedder.name!r} made its vectors, but for "
                f"{record.title[:80]!r} that makes another (cosine {cosine:.2f}, expected "
                f"{_SAME_COSINE} or more); take the papers alone and embed them here with "
                f"'footnoted import {archive.name} --embed'"
            )


def _shared_papers(archive: Archive) -> Iterator[SharedPaper | BadRecord]:
    """Every paper of the file, in order, one at a time."""
    dimension = int(archive.manifest.embedder.get("dimension", 0))
    if dimension > MAX_DIMENSION:
        raise FileError(
            f"{archive.name} has vectors of dimension {dimension:,}, at most "
            f"{MAX_DIMENSION:,} are taken"
        )
    name = Path(archive.name).name
    source = TextSource(lambda: archive.opened(PAPERS), name, "utf-8", gzipped=False, head="")
    try:
        with archive.opened(VECTORS) as numbers:
            for number, line in source.lines():
                try:
                    values = json.loads(line or "")
                    passages = _passages(values["passages"], dimension)
                    shape = (len(passages), dimension)
                    vectors = _vectors(numbers.read(4 * dimension * len(passages)), shape)
                    yield _shared(values, source, number, passages, vectors)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                    raise FileError(
                        f"{archive.name}: line {number} of {PAPERS} is not as Footnoted writes "
                        f"it ({error!r}); what came before it stays"
                    ) from error
    except READ_ERRORS as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{archive.name} cannot be read to its end: {error}") from error


def _passages(given: Any, dimension: int) -> tuple[Passage, ...]:  # noqa: ANN401 (JSON)
    if len(given) * dimension > _MAX_NUMBERS:
        raise ValueError(f"{len(given):,} passages, more than an abstract has")
    if any(type(value) is not int or abs(value) >= 2**31 for spot in given for value in spot):
        raise TypeError("a place in a text is no number")
    return tuple(Passage(0, "", *spot) for spot in given)


def _vectors(data: bytes, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Vectors of this shape: passages, dimension."""
    import numpy as np

    return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)


def _shared(
    values: Mapping[str, Any],
    source: TextSource,
    line: int,
    passages: tuple[Passage, ...],
    vectors: NDArray[np.float32],
) -> SharedPaper | BadRecord:
    record = record_from(values, source, line)
    if isinstance(record, BadRecord):
        return record
    # As it is held, not as it would be read from another program's file: the id stays the same.
    exact = checked(values["title"], values["abstract"], source, line)
    if isinstance(exact, BadRecord):
        return exact
    record = replace(record, title=exact.title, abstract=exact.abstract)
    names = [f"{source.name}/{name}" for name in _texts(values["sources"])] or [source.name]
    ids = tuple(id_ for id_ in _texts(values["known_as"]) if _ID.fullmatch(id_))
    records = tuple(replace(record, source=name) for name in names)
    return SharedPaper(records, ids, passages, vectors)


def _texts(values: Iterable[Any]) -> list[str]:
    """A few short texts, each once."""
    texts = [one_line(value)[:_MAX_SOURCE_CHARS] for value in values if isinstance(value, str)]
    return list(dict.fromkeys(text for text in texts if text))[:_MAX_NAMED]
