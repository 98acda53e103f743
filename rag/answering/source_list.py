"""A list of sources in an answer, which is left out: the footnotes are made by code. Pure."""

from __future__ import annotations

from rag.answering.line_starts import Body, read_start


class SourceList:
    """Drops lines until, after an empty one, a line begins that looks like no entry."""

    def __init__(self) -> None:
        self.entries = 0
        self._after_blank = False
        self._line = ""
        self._keyed = False

    def take(self, character: str) -> Body | None:
        """Drop a character of a line; returns what that line begins with if the answer goes on."""
        self._line += character
        if not self.entries or not self._after_blank or self._keyed:
            return None
        told = read_start(self._line, ended=False)
        return told if isinstance(told, Body) and not told.layout.strip() else None

    def mark(self) -> None:
        """Note that a marker stands in the line."""
        self._keyed = True

    def end_line(self) -> None:
        """End a line of the list."""
        filled = self._keyed or any(character.isalnum() for character in self._line)
        self.entries += filled
        self._after_blank = not filled
        self._line, self._keyed = "", False
