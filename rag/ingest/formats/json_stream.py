"""Reads JSON values one after another from a text, in bounded memory, past broken ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rag.ingest.text import MAX_LINE_CHARS

MAX_TRIES = 1_000
"""How many places to try to go on from after a broken value."""

NEAR_CHARS = 400
"""How far from the beginning of a broken object its fields are looked for."""

_FIRST_FIELDS = re.compile(r'[{,]\s*"(\w+)"\s*:')
_SPACE = re.compile(r"[ \t\n\r]*")
_OPENING = re.compile(r"\[[ \t\n\r]*(?P<first>(?=\S))?")
_OBJECT = re.compile(r"(?<=[,\[\]}\s])\{")
_DECODER = json.JSONDecoder()


class BrokenJsonError(Exception):
    """A value is not valid JSON; ``reason`` says what is wrong with it, ``line`` where."""

    def __init__(self, reason: str, line: int) -> None:
        self.reason = f"not valid JSON: {reason.removesuffix(' at').removesuffix(' starting')}"
        self.line = line
        super().__init__(f"{self.reason} (line {line})")

    def said_at(self, line: int) -> str:
        """What is wrong, for a place with a line; the own line is named only if it is another."""
        return self.reason if line == self.line else str(self)


def kind_of(value: object) -> str:
    """What JSON calls a value: null, true, false, string, number, list or object."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


class JsonStream:
    """A text of JSON with a position in it, read as far as it is needed."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self._text = ""
        self._at = 0
        self.line = 1
        """The line (from 1) of the position."""
        self.gave_up = False
        """Whether text was passed over that may hold objects, for there was too much of it."""

    def peek(self) -> str:
        """Go on to the next character that is not white space: that one, or "" at the end."""
        while True:
            self._go_to(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on():
                return ""

    def take(self, character: str) -> bool:
        """Go past the next character that is not white space if it is this one."""
        if self.peek() != character:
            return False
        self._go_to(self._at + 1)
        return True

    def value(self) -> object:
        """The value at the position, which goes past it.

        Raises:
            BrokenJsonError: It is not valid, or longer than a line may be; the position stays.
        """
        self.peek()
        value, length = self._decoded()
        self._go_to(self._at + length)
        return value

    def name(self) -> str:
        """The name of a field at the position, which goes past it and its colon.

        Raises:
            BrokenJsonError: There is no name or no colon.
        """
        name = self.value()
        if not isinstance(name, str) or not self.take(":"):
            raise BrokenJsonError("expected a name and a colon", self.line)
        return name

    def look(self) -> object:
        """The value at the position, which stays; None where it is broken."""
        try:
            return self._decoded()[0]
        except BrokenJsonError:
            return None

    def look_into_list(self) -> object:
        """The first value of the list at the position, which stays; None if there is none."""
        while (opening := _OPENING.match(self._text, self._at)) and opening["first"] is None:
            if not self._read_on():
                return None
        try:
            return self._decoded(opening.end() - self._at)[0] if opening else None
        except BrokenJsonError:
            return None

    def skip_to_object(self, names: frozenset[str]) -> bool:
        """From a broken value on to the next object that has a field of one of these names.

        That object may be broken too: then such a name stands near its beginning. False if there
        is none, or none among the next places to try; then the text is at its end.
        """
        for _ in range(MAX_TRIES):
            while not (found := _OBJECT.search(self._text, self._at + 1)):
                self._go_to(max(self._at, len(self._text) - 1))
                if not self._read_on():
                    break
            if not found:
                break
            self._go_to(found.start())
            if any(name.lower() in names for name in self._names_here()):
                return True
        else:
            self.gave_up = True
        self._go_to(len(self._text))
        while self._read_on():
            self._go_to(len(self._text))
        return False

    def _names_here(self) -> list[str]:
        """The fields of the object at the position; of a broken one those near its beginning."""
        value = self.look()
        if isinstance(value, dict):
            return list(map(str, value))
        beginning = self._text[self._at : self._at + NEAR_CHARS].partition("}")[0]
        return _FIRST_FIELDS.findall(beginning)

    def _decoded(self, offset: int = 0) -> tuple[object, int]:
        """The value ``offset`` characters on, and how many characters it takes."""
        while True:
            start = self._at + offset
            try:
                value, end = _DECODER.raw_decode(self._text, start)
                # What stands at the end of what was read so far may go on: 12 | 34.
                if end < len(self._text) or not self._read_on():
                    return value, end - start
                continue
            except json.JSONDecodeError as error:
                reason, where = error.msg, error.pos
            except (ValueError, RecursionError) as error:
                raise BrokenJsonError(str(error), self.line) from None
            unfinished = where > len(self._text) - 16 or reason.startswith("Unterminated string")
            if len(self._text) - start > MAX_LINE_CHARS:
                reason = f"{reason}, and no end within {MAX_LINE_CHARS:,} characters"
                unfinished = False
            if not unfinished or not self._read_on():
                line = self.line + self._text.count("\n", self._at, where)
                raise BrokenJsonError(reason, line)

    def _go_to(self, position: int) -> None:
        self.line += self._text.count("\n", self._at, position)
        self._at = position

    def _read_on(self) -> bool:
        """Forget what is behind the position and read about as much again; False at the end."""
        wanted = len(self._text) - self._at + 1
        pieces = [self._text[self._at :]]
        while wanted > 0 and (piece := next(self._chunks, None)) is not None:
            pieces.append(piece)
            wanted -= len(piece)
        self._text, self._at = "".join(pieces), 0
        return len(pieces) > 1
