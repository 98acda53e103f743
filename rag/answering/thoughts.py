"""Leaves out what a reasoning model thinks aloud, one character at a time. Pure."""

from __future__ import annotations

from enum import Enum, auto

_NAMES = ("think", "thinking", "thought", "reasoning")
_OPEN = frozenset(f"<{name}>" for name in _NAMES)
_CLOSE = frozenset(f"</{name}>" for name in _NAMES)
_TAGS = _OPEN | _CLOSE
_PREFIXES = frozenset(tag[:end] for tag in _TAGS for end in range(1, len(tag)))
_LONGEST = max(map(len, _TAGS))


class Void(Enum):
    """What came before was thought: some servers leave the opening tag out."""

    VOID = auto()


class Thoughts:
    """Passes on what stands outside ``<think>…</think>``, with Unix line ends.

    A block that is never closed lasts to the end. A closing tag without an opening one makes
    what came before it a thought, if anything is said after it. ``blocks`` counts both.
    """

    def __init__(self) -> None:
        self.blocks = 0
        self._held = ""
        self._inside = False
        self._void = False

    def feed(self, character: str) -> list[str | Void]:
        """What can be passed on now: characters, and `Void` before what voids the rest."""
        if self._inside:
            self._held = (self._held + character)[-_LONGEST:].lower()
            if any(self._held.endswith(tag) for tag in _CLOSE):
                self._inside, self._held = False, ""
            return []
        self._held += character
        return self._resolve(final=False)

    def finish(self) -> list[str | Void]:
        """What was held back and turned out to be text."""
        return [] if self._inside else self._resolve(final=True)

    def _resolve(self, *, final: bool) -> list[str | Void]:
        passed: list[str | Void] = []
        while self._held:
            held = self._held.lower()
            if held in _TAGS:
                self.blocks += 1
                self._inside = held in _OPEN
                self._void = self._void or held in _CLOSE
                self._held = ""
            elif (held in _PREFIXES or held == "\r") and not final:
                break
            else:
                passed += self._first()
        return passed

    def _first(self) -> list[str | Void]:
        """Takes the first character off, or a line end of two."""
        length = 2 if self._held.startswith("\r\n") else 1
        first, self._held = self._held[:length], self._held[length:]
        first = "\n" if first[0] == "\r" else first
        if self._void and first.isspace():
            return []
        voided = [Void.VOID] if self._void else []
        self._void = False
        return [*voided, first]
