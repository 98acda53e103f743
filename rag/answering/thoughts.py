"""Leaves out what a reasoning model thinks aloud, one character at a time. Pure.

A tag counts where it stands at the beginning or the end of its line (white space aside); a closing
one without an opening one also where nothing was cited before it. All others are text: abstracts
on reasoning models name ``<think>`` in their sentences.
"""

from __future__ import annotations

import re
from enum import Enum, auto

_NAMES = ("think", "thinking", "thought", "reasoning")
_OPEN = frozenset(f"<{name}>" for name in _NAMES)
_CLOSE = frozenset(f"</{name}>" for name in _NAMES)
_TAGS = _OPEN | _CLOSE
_PREFIXES = frozenset(tag[:end] for tag in _TAGS for end in range(1, len(tag)))
_LONGEST = max(map(len, _TAGS))
_TAG = re.compile(rf"(</?(?:{'|'.join(_NAMES)})>)[ \t]{{0,40}}")


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
        self._begins_line = True

    def feed(self, character: str, *, cited: bool = False) -> list[str | Void]:
        """What can be passed on now: characters, and `Void` before what voids the rest.

        Args:
            character: the next one.
            cited: whether what was passed on so far cites anything.
        """
        if self._inside:
            self._held = (self._held + character)[-_LONGEST:].lower()
            if any(self._held.endswith(tag) for tag in _CLOSE):
                self._inside, self._held = False, ""
            return []
        self._held += character
        return self._resolve(cited=cited, final=False)

    def finish(self, *, cited: bool = False) -> list[str | Void]:
        """What was held back and turned out to be text."""
        return [] if self._inside else self._resolve(cited=cited, final=True)

    def _resolve(self, *, cited: bool, final: bool) -> list[str | Void]:
        passed: list[str | Void] = []
        while self._held:
            held = self._held.lower()
            tag = _TAG.match(held)
            if tag:
                following = held[tag.end() :]
                if not (following or self._begins_line or final):
                    break  # what follows tells
                alone = self._begins_line or following[:1] in ("", "\n", "\r")
                if alone or (tag[1] in _CLOSE and not cited):
                    self._leave_out(tag[1])
                    continue
            if (held in _PREFIXES or held == "\r") and not final:
                break
            passed += self._first()
        return passed

    def _leave_out(self, tag: str) -> None:
        self.blocks += 1
        self._inside = tag in _OPEN
        self._void = self._void or tag in _CLOSE
        self._held = "" if self._inside else self._held[len(tag) :]

    def _first(self) -> list[str | Void]:
        """Takes the first character off, or a line end of two."""
        length = 2 if self._held.startswith("\r\n") else 1
        first, self._held = self._held[:length], self._held[length:]
        first = "\n" if first[0] == "\r" else first
        self._begins_line = first == "\n" or (self._begins_line and first.isspace())
        if self._void and first.isspace():
            return []
        voided = [Void.VOID] if self._void else []
        self._void = False
        return [*voided, first]


def without_thoughts(text: str) -> str:
    """A whole reply without what is thought aloud in it."""
    thoughts = Thoughts()
    passed = [item for character in text for item in thoughts.feed(character)]
    passed += thoughts.finish()
    said = ""
    for item in passed:
        said = "" if isinstance(item, Void) else said + item
    return said
