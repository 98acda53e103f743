"""One sentence of an answer while it is written: its text without markers, and its keys. Pure."""

from __future__ import annotations

from collections.abc import Collection

from rag.answering.sentence_ends import ENDED, is_end

_CLOSING = frozenset(".,;:!?)]}%…。，、；：！？）】»”’")
_TIGHT = frozenset("*_`~\"'|")
_GAP = frozenset(" \t,;/&-–—")
_CJK = 0x2E80
"""From here on words stand without spaces between them."""


class SentenceText:
    """Takes characters and markers until it has ended; ``text`` is what is certain so far."""

    def __init__(self, keys: Collection[str] = ()) -> None:
        self.text = ""
        self.keys = list(keys)
        self._unshown = ""
        self._space = ""
        self._next = ""  # the word that tells whether the sentence has ended
        self._marked = False  # a marker was just removed
        self._spaced = False  # there was a space before it
        self._gap = ""  # since then: what may be punctuation between two markers

    @property
    def ended(self) -> bool:
        """Whether it may be over: it ends with a full stop or the like."""
        return bool(ENDED.search(self.text[-60:]))

    def shown(self) -> str:
        """The text that has been added since this was last asked."""
        unshown, self._unshown = self._unshown, ""
        return unshown

    def take(self, character: str) -> str:
        """Take a character; returns what the next sentence begins with, once this one is over."""
        if self._marked and character in _GAP:
            self._gap += character
            return ""
        return self._take_all(self._emptied_gap() + character)

    def settle(self, *, marker: bool) -> str:
        """Decide what is held back, as a marker follows or the line ends; returns as `take`."""
        gap = self._emptied_gap()
        rest = "" if marker else self._take_all(gap)
        return rest or self._decided(complete=True)

    def mark(self) -> None:
        """Note that a marker was removed here."""
        if not self._marked:
            self._spaced = bool(self._space)
        self._space, self._marked = "", True

    def _emptied_gap(self) -> str:
        gap, self._gap = self._gap, ""
        return gap

    def _take_all(self, characters: str) -> str:
        for place, character in enumerate(characters):
            rest = self._take(character)
            if rest:
                return rest + characters[place + 1 :]
        return ""

    def _take(self, character: str) -> str:
        if character.isspace():
            rest = self._decided(complete=True)
            self._space += character
            return rest + character if rest else ""
        if self._next:
            self._next += character
        elif not self.text:
            self._append(character)
        elif not (self._marked and self._closes_gap(character)):
            self._next = character
        return self._decided(complete=False)

    def _closes_gap(self, character: str) -> bool:
        """Mend the space where a marker was; whether the character has to go with it."""
        self._marked = False
        if character in ".。" and not self._space and self.text[-1] in ".!?。！？":
            return True  # "It works. [key]."
        if character in _CLOSING:
            self._space = ""
        elif not self._space and character not in _TIGHT:
            apart = self._spaced or (character.isalnum() and ord(character) < _CJK)
            self._space = " " if apart else ""
        return False

    def _decided(self, *, complete: bool) -> str:
        """The word that is held, with the space before it, if it begins the next sentence."""
        if not self._next:
            return ""
        ended = is_end(self.text, self._space, self._next, complete=complete)
        if ended is None:
            return ""
        word, self._next = self._next, ""
        if ended:
            return self._space + word
        self._append(word[0])
        return self._take_all(word[1:])

    def _append(self, character: str) -> None:
        self.text += self._space + character
        self._unshown += self._space + character
        self._space = ""
