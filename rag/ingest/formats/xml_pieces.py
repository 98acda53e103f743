"""A text of XML as bytes in pieces, in which the next record can be found after a damage."""

from __future__ import annotations

import re
from collections.abc import Iterable

PIECE_CHARS = 4_096
"""A piece is no shorter, but for the last."""

_OVERLAP = 256
"""How long the beginning of an opening tag may be that stands on two pieces."""

# What XML cannot hold, not even as a number.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Pieces:
    """The pieces of a text, one at hand; the one before stays, for a tag may begin in it.

    What XML cannot hold is a space each.
    """

    def __init__(self, chunks: Iterable[str], names: frozenset[str]) -> None:
        self._chunks = iter(chunks)
        self._opening = re.compile(
            rf"<(?:[\w.-]+:)?(?:{'|'.join(sorted(names))})(?=[\s/>])".encode()
        )
        self._begun = False
        self._waiting = b""
        self.before = b""
        self.piece = b""
        self.line = 1
        """The line (from 1) where ``before`` begins."""

    def next(self) -> bool:
        """Go to the next piece; False, with an empty one, at the end."""
        self.line += self.before.count(b"\n")
        self.before = self.piece
        self.piece = self._waiting or self._encoded()
        self._waiting = b""
        return bool(self.piece)

    def line_at(self, position: int) -> int:
        """The line of a position that is counted from the beginning of ``before``."""
        return self.line + (self.before + self.piece)[:position].count(b"\n")

    def skip_to_record(self, position: int) -> bool:
        """Let the next piece begin at the first record from a position on; False if none does."""
        text = self.before + self.piece
        while not (opening := self._opening.search(text, position)):
            kept = max(position, len(text) - _OVERLAP)
            self.line += text[:kept].count(b"\n")
            following = self._encoded()
            if not following:
                return False
            text, position = text[kept:] + following, 0
        self.line += text[: opening.start()].count(b"\n")
        self._waiting = text[opening.start() :]
        self.before = self.piece = b""
        return True

    def _encoded(self) -> bytes:
        """More of the text; white space before its beginning is dropped, XML allows none."""
        gathered, size = [], 0
        for chunk in self._chunks:
            text = _FORBIDDEN.sub(" ", chunk)
            if not self._begun:
                begin = text.lstrip(" \t\n")
                self.line += text.count("\n", 0, len(text) - len(begin))
                text, self._begun = begin, bool(begin)
            gathered.append(text)
            size += len(text)
            if size >= PIECE_CHARS:
                break
        return "".join(gathered).encode()
