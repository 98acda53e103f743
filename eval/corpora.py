"""The collections that cases are put to: the sample, and those with disturbed abstracts.

Each is built once from its records and kept under a name that its content gives, so that a second
run starts at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rag.adding import OnProgress
from rag.assistant import Assistant
from rag.errors import FileError
from rag.ingest.reading import read_papers
from rag.models.embedder import Embedder
from rag.schema import Record

SAMPLE = Path(__file__).parents[1] / "data" / "daily_papers"
_FIELDS = ("title", "abstract", "authors", "year", "venue", "url", "doi", "arxiv_id")


@dataclass(frozen=True, slots=True)
class Corpora:
    """Builds collections under ``directory`` with one embedder."""

    directory: Path
    embedder: Embedder

    def open(self, name: str, records: Sequence[Record], on_progress: OnProgress) -> Assistant:
        """A collection of these records, built if it is not there yet."""
        lines = [_line(record) for record in records]
        digest = sha256("\n".join([self.embedder.checksum, *lines]).encode()).hexdigest()[:12]
        home = self.directory / f"{name}-{digest}"
        assistant = Assistant.open(
            home / "collection", embedder=self.embedder, llm="none", history=False
        )
        done = home / "complete"
        if not done.exists():
            file = home / f"{name}.jsonl"
            file.write_text("\n".join(lines), encoding="utf-8")
            assistant.add(file, on_progress=on_progress)
            done.touch()
        return assistant


def _line(record: Record) -> str:
    row = {name: getattr(record, name) for name in _FIELDS}
    return json.dumps({name: value for name, value in row.items() if value})


def sample_records(folder: Path = SAMPLE) -> tuple[Record, ...]:
    """The 306 papers of the sample collection, each once, in order of arrival.

    Raises:
        FileError: the pages are not there (they come with the repository, not with the package).
    """
    if not folder.exists():
        raise FileError(
            f"{folder} is not there: the bundled cases are about the sample collection, which "
            "comes with the repository; run them from a clone, or name your own with --cases"
        )
    return distinct(item for item in read_papers(folder) if isinstance(item, Record))


def distinct(records: Iterable[Record]) -> tuple[Record, ...]:
    """The records without those whose title and abstract came before."""
    return tuple({(r.title, r.abstract): r for r in records}.values())
