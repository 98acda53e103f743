"""What ``footnoted export`` does."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rag.errors import InputError
from rag.export import export_papers, to_markdown, write_file
from rag.records import answer_from_json
from ui.cli import OK
from ui.terminal import complain, line, papers_in_words

if TYPE_CHECKING:
    from pathlib import Path

    from rag.assistant import Assistant
    from rag.schema import Filters, Paper


def export_collection(
    assistant: Assistant, filters: Filters, format_: str, output: Path | None
) -> int:
    """Write the papers that the filters let through, one at a time.

    Raises:
        InputError: papers are not written in this format.
        StorageError: the file cannot be written.
    """
    if format_ == "json":
        raise InputError(
            "json is the record of an answer: name one with --answer, or ask for jsonl (a paper "
            "a line)"
        )
    return _write_papers(assistant.papers(filters), format_, output, "no paper is held that fits")


def export_answer(
    assistant: Assistant, answer_id: str, filters: Filters, format_: str, output: Path | None
) -> int:
    """Write a kept answer as JSON or Markdown, or the papers that it cites in another format.

    Raises:
        InputError: there are filters too.
        UnknownAnswerError: no answer has this id, or several begin so.
        StorageError: the file cannot be written.
    """
    if filters:
        raise InputError("an answer cites what it cites: leave out --answer, or the filters")
    assert assistant.history is not None
    record = assistant.history.answer(answer_id)
    answer = answer_from_json(record.text)
    if format_ not in ("json", "markdown"):
        return _write_papers(answer.papers, format_, output, "the answer cites no paper")
    text = record.text if format_ == "json" else to_markdown(answer)
    _write([text, "\n"], output)
    if output is not None:
        line(f"answer {record.id} written to {output}")
    return OK


def _write_papers(papers: Iterable[Paper], format_: str, output: Path | None, none: str) -> int:
    written = 0

    def counted() -> Iterator[Paper]:
        nonlocal written
        for paper in papers:
            written += 1
            yield paper

    _write(export_papers(counted(), format_), output)
    if output is not None:
        line(f"{papers_in_words(written)} written to {output}")
    if not written:
        complain(none)
    return OK


def _write(pieces: Iterable[str], output: Path | None) -> None:
    if output is None:
        sys.stdout.writelines(pieces)
    else:
        write_file(output, pieces)
