"""What a format is that papers are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rag.schema import Paper


@dataclass(frozen=True, slots=True)
class Format:
    """A format that papers are written in.

    Attributes:
        name: How it is asked for: ``csl-json``.
        title: As people call it: ``CSL-JSON``.
        media_type: What HTTP says of it.
        ending: What the name of its file ends with, without the dot.
        write: The papers as text, in order, in pieces that make a whole document when joined.
    """

    name: str
    title: str
    media_type: str
    ending: str
    write: Callable[[Iterable[Paper]], Iterator[str]]
