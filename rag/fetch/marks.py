"""Where fetches stopped, kept with the collection, so that they go on there.

The marks are one JSON object in the catalog's settings: written under the collection's lock right
after the papers of a page, gone when the fetch is complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

META = "fetches"
"""The name of the setting."""

KEPT = timedelta(days=7)
"""A fetch that stopped longer ago begins anew: what it asked for has moved on."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a fetch has come: a position in its source, and the papers taken so far."""

    position: int = 0
    taken: int = 0


def mark_of(meta: Mapping[str, str], key: str, now: datetime) -> Mark:
    """Where the fetch with this key stopped; the beginning if it did not, or too long ago."""
    return Mark(*_stopped(meta, now).get(key, ("", 0, 0))[1:])


def with_mark(meta: Mapping[str, str], key: str, mark: Mark | None, now: datetime) -> str:
    """The setting with another mark for this key, or none; those that are too old are left out."""
    marks = _stopped(meta, now)
    marks.pop(key, None)
    if mark is not None:
        marks[key] = (now.isoformat(timespec="seconds"), mark.position, mark.taken)
    return json.dumps(marks, ensure_ascii=False)


def _stopped(meta: Mapping[str, str], now: datetime) -> dict[str, tuple[str, int, int]]:
    """The marks by key: when, position, taken. What cannot be understood counts as none."""
    marks: dict[str, tuple[str, int, int]] = {}
    try:
        kept = json.loads(meta.get(META) or "{}").items()
        for key, (when, position, taken) in kept:
            if min(position, taken) >= 0 and now - datetime.fromisoformat(when) < KEPT:
                marks[key] = (when, int(position), int(taken))
    except (ValueError, TypeError, AttributeError):
        return {}
    return marks
