"""Papers that come in through the page: files and pasted text, in a thread that can be stopped."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.adding import AddReport, Stage
from rag.assistant import Assistant
from rag.errors import FileError, InputError
from rag.ingest.formats import recognised

EVERY_S = 0.2
MAX_PASTED_CHARS = 1_000_000
PASTED = "pasted.txt"


@dataclass(frozen=True, slots=True)
class Step:
    """How far an add is: a stage with papers done and in all, or at the end its report."""

    stage: Stage | None = None
    done: int = 0
    total: int | None = None
    report: AddReport | None = None
    cancelled: bool = False


class _CancelledError(Exception):
    """Raised out of an add to end it between two commits, as an interrupt would."""


class Adding:
    """An add in a thread of its own.

    What was committed before it is cancelled stays; the papers that still wait for their vectors
    are embedded by the next add.
    """

    def __init__(self, assistant: Assistant, paths: Sequence[Path]) -> None:
        self._assistant = assistant
        self._paths = paths
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._step = Step()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="adding", daemon=True)

    def cancel(self) -> None:
        """End it after the batch that is being written."""
        self._cancelled.set()

    def steps(self) -> Iterator[Step]:
        """How far it is, a few times a second; the last step has the report or is cancelled.

        Raises:
            RagError: what adding raises.
        """
        self._thread.start()
        shown = None
        while not self._done.wait(EVERY_S):
            if self._step != shown:
                shown = self._step
                yield shown
        if self._error is not None:
            raise self._error
        yield self._step

    def _run(self) -> None:
        try:
            report = self._assistant.add(*self._paths, on_progress=self._progress)
            self._step = Step(report=report)
        except _CancelledError:
            self._step = Step(self._step.stage, self._step.done, self._step.total, cancelled=True)
        except BaseException as error:  # raised where the steps are taken
            self._error = error
        finally:
            self._done.set()

    def _progress(self, stage: Stage, done: int, total: int | None) -> None:
        self._step = Step(stage, done, total)
        if self._cancelled.is_set():
            raise _CancelledError


def paste(text: str, directory: Path) -> Path:
    """A file with what was pasted: records in a known format, or a title and, below, its abstract.

    Raises:
        InputError: the text is too long, or neither.
    """
    if len(text) > MAX_PASTED_CHARS:
        raise InputError(
            f"the text has {len(text):,} characters, at most {MAX_PASTED_CHARS:,} can be pasted; "
            "save it as a file and upload that"
        )
    path = directory / PASTED
    if recognised(text[:100_000]) is None:
        title, _, abstract = text.strip().partition("\n")
        if not abstract.strip():
            raise FileError(
                "the pasted text is in no known format; expected records (JSON Lines, JSON, CSV) "
                "or a title in the first line and its abstract below"
            )
        text = json.dumps({"title": title.strip(), "abstract": abstract.strip()}) + "\n"
    path.write_text(text, encoding="utf-8", errors="replace")
    return path


def folder() -> tempfile.TemporaryDirectory[str]:
    """A directory for what is pasted, gone when left."""
    return tempfile.TemporaryDirectory(prefix="footnoted-")
