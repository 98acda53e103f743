"""What comes out of a language model's answer while it is read: text, claims, a refusal."""

from __future__ import annotations

from dataclasses import dataclass

from rag.schema import DeclineReason


@dataclass(frozen=True, slots=True)
class Text:
    """Text that may be shown now: the next piece of the lead and text of the next `Draft`."""

    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished claim, unchecked: its keys in order, each once; ``lead`` stands before it.

    ``heading``: it cites nothing and is set as a heading, a line in bold or a table's first row.
    """

    text: str
    keys: tuple[str, ...]
    lead: str = ""
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """The model declined in the fixed form; None: it gave no reason that is known.

    Nothing follows, and what came before (it cites nothing) does not count.
    """

    reason: DeclineReason | None


@dataclass(frozen=True, slots=True)
class Restarted:
    """All events before were the model's thoughts: forget them."""


Event = Text | Draft | Declined | Restarted
