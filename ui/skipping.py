"""What was skipped, told on standard error: trouble with whole files first."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rag.export import write_file
from rag.schema import BadRecord
from ui.terminal import complain, visible

SHOWN_SKIPS = 10
SHOWN_KINDS = 5

# A reason's beginning says of what kind it is; then come figures and words of the record.
_DETAIL = re.compile(r": | \(| for the | that begins |, ")
_FIGURE = re.compile(r"\d[\d,]*")


def show_skipped(skipped: Sequence[BadRecord], file: Path | None) -> None:
    """Tell what was skipped and why; in a terminal the first few, and the others by kind.

    ``file`` gets all of them, a line each: place, tab, reason.

    Raises:
        StorageError: the file cannot be written.
    """
    ordered = files_first(skipped)
    shown = SHOWN_SKIPS if sys.stderr.isatty() else len(ordered)
    for bad in ordered[:shown]:
        complain(f"skipped {bad}")
    rest = ordered[shown:]
    if rest:
        complain(f"and {len(rest):,} more skipped{'' if file else ' (--skipped FILE lists all)'}:")
        for count, kind in by_kind(rest):
            complain(f"{count:,}: {kind}")
    if file is not None:
        write_file(file, _rows(ordered))


def files_first(skipped: Iterable[BadRecord]) -> list[BadRecord]:
    """Trouble with a whole file, or with what is left of one, before that with single records."""
    return sorted(skipped, key=lambda bad: bad.place.line is not None and not _ends_file(bad))


def by_kind(skipped: Iterable[BadRecord]) -> list[tuple[int, str]]:
    """How many were skipped for what kind of reason, the most first; rare kinds are one."""
    counts = Counter(_kind(bad.reason) for bad in skipped).most_common()
    rows = [(count, kind) for kind, count in counts[:SHOWN_KINDS]]
    if others := sum(count for _, count in counts[SHOWN_KINDS:]):
        rows.append((others, "for other reasons"))
    return rows


def _ends_file(bad: BadRecord) -> bool:
    return "what follows is" in bad.reason


def _kind(reason: str) -> str:
    return _FIGURE.sub("N", _DETAIL.split(reason, maxsplit=1)[0])


def _rows(skipped: Iterable[BadRecord]) -> Iterator[str]:
    for bad in skipped:
        yield f"{_cell(str(bad.place))}\t{_cell(bad.reason)}\n"


def _cell(text: str) -> str:
    return visible(" ".join(text.split()))
