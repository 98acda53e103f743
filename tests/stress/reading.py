"""A reader under load: every paper it is shown is whole, and what was acknowledged is shown."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from rag.assistant import Assistant
from rag.schema import Hit
from tests.stress.ledger import CHANGING, HELD, REMOVED, Ledger, title, version_of

_SHOWN_ERRORS = 5
_RECENT = 60
_PAUSE_S = 0.01  # writers are to have their turns too


@dataclass(slots=True)
class Seen:
    """What readers saw: searches, how many could be judged, and the worst of what was wrong.

    ``missed_s`` and ``lingered_s`` are how long before a search something had been acknowledged
    that it still missed, or still showed; None where that never happened.
    """

    searches: int = 0
    judged: int = 0
    missed_s: float | None = None
    lingered_s: float | None = None
    errors: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def fail(self, error: str) -> None:
        """Note what must not be."""
        if len(self.errors) < _SHOWN_ERRORS:
            self.errors.append(error)


def read(assistant: Assistant, ledger: Ledger, until: float, chance: random.Random) -> Seen:
    """Search until the time is over, every other time for a paper that was changed lately."""
    seen = Seen()
    while time.monotonic() < until:
        ledger.follow()
        known = sorted(ledger.last.values(), key=lambda entry: entry.at)
        if not known:
            time.sleep(0.01)
            continue
        wanted = chance.choice(chance.choice((known[-_RECENT:], known)))
        _search(assistant, ledger, wanted.number, seen)
        time.sleep(_PAUSE_S)
    return seen


def _search(assistant: Assistant, ledger: Ledger, number: int, seen: Seen) -> None:
    ledger.follow()
    before, started = ledger.last.copy(), time.monotonic()
    try:
        hits = assistant.search(title(number), limit=10)
        shown = _shown(hits)
    except Exception as error:
        seen.fail(f"{type(error).__name__}: {error}")
        return
    ledger.follow()
    seen.searches += 1
    for entry in before.values():
        still = ledger.last[entry.number] == entry  # else it was being changed meanwhile
        if entry.state == CHANGING or not still:
            continue
        age = started - entry.at
        if entry.number == number and entry.state == HELD:
            seen.judged += 1
            if shown.get(number, -1) < entry.version:
                seen.missed_s = max(seen.missed_s or 0.0, age)
        if entry.state == REMOVED:
            seen.judged += entry.number == number
            if entry.number in shown:
                seen.lingered_s = max(seen.lingered_s or 0.0, age)
        elif shown.get(entry.number, entry.version) < entry.version:
            seen.lingered_s = max(seen.lingered_s or 0.0, age)


def _shown(hits: tuple[Hit, ...]) -> dict[int, int]:
    """The versions of the papers that are shown, by number.

    Raises:
        ValueError: a paper is a mix of two versions, or a passage is no run of its sentences.
    """
    shown = {}
    for hit in hits:
        text, passage = hit.paper.abstract, hit.passage
        number, version = version_of(text)
        shown[number] = version
        quote = text[passage.start : passage.end]
        begins = passage.start == 0 or text[passage.start - 2 : passage.start] == ". "
        if not (begins and quote.endswith(".") and quote == quote.strip()):
            raise ValueError(f"a passage that is no run of sentences: {quote!r} of {text!r}")
    return shown
