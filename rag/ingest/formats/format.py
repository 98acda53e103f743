"""What a file format is: how it is recognised and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record


@dataclass(frozen=True, slots=True)
class Format:
    """A file format.

    Attributes:
        name: As people call it, with what it must hold.
        recognise: Whether a text that begins like this is in the format.
        read: The records of a file, in its order; what cannot be read comes as a `BadRecord`
            in its place. Raises one of `rag.ingest.text.READ_ERRORS` when the file fails.
    """

    name: str
    recognise: Callable[[str], bool]
    read: Callable[[TextSource], Iterator[Record | BadRecord]]
