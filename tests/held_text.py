"""A text to read that is not in a file."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from rag.ingest.text import TextSource


class HeldText(TextSource):
    """A source that holds its text; its name is "papers"."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        super().__init__(BytesIO, "papers", "utf-8", gzipped=False, head=text)

    def chunks(self) -> Iterator[str]:
        return iter([self.head])
