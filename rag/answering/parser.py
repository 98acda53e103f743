"""Reads the answer of a language model while it is written: text in, claims out. Pure.

Every decision is taken character by character, from what came before and what is held back, so
that every split of the stream gives the same. The stages: `Thoughts` leaves out what is thought
aloud, `Markers` finds the keys, `Parser` puts lines and sentences together.

A claim is a sentence; a line ends one too. Keys belong to the sentence that they stand in or
after; where a line begins with keys, as the lines of the context do, to the sentence that
follows. Layout (line breaks, bullets, rules) becomes the ``lead`` of the next claim; a heading is a
claim that is marked as one. Left out are thoughts, markers, lines that open or close a code block,
and lists of sources. All else stays as it was written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import Enum, auto

from rag.answering.drafts import Declined, Draft, Event, Restarted, Text
from rag.answering.line_starts import (
    MAX_START_CHARS,
    Body,
    Refusal,
    Special,
    Start,
    after_label,
    announces_sources,
    read_body,
    read_refusal,
    read_start,
)
from rag.answering.markers import Marker, Markers, names_like_keys
from rag.answering.sentence_text import SentenceText
from rag.answering.source_list import SourceList
from rag.answering.thoughts import Thoughts, Void
from rag.schema import DeclineReason

__all__ = ["Declined", "Draft", "Event", "Parser", "Restarted", "Text"]

MAX_HEADING_CHARS = 80
"""A longer heading is a claim like any other."""


class _Mode(Enum):
    READING = auto()
    SOURCES = auto()  # in a list of sources
    SKIPPING = auto()  # to the end of the line
    DECLINED = auto()


_AFTER_EARLY = frozenset(" \t,;:.-–—")
_ASKS = re.compile(r"[?？؟]\W*$")
_BOLD_LINE = re.compile(r"\*\*[^*]+\*\*:?|__[^_]+__:?")


class Parser:
    """Turns a stream of text into events.

    The texts of all `Text` events since the last `Draft` are the lead and text of the next.

    Args:
        keys: those of the context.
        said: the context and the question: a bracket with names that stand there is no key.
    """

    def __init__(self, keys: Collection[str], said: str = "") -> None:
        self._keys = frozenset(keys)
        self._names = names_like_keys(said) - self._keys
        self._thoughts = Thoughts()
        self._counts: Counter[str] = Counter()
        self._events: list[Event] = []
        self._begin()

    @property
    def counts(self) -> Mapping[str, int]:
        """What was removed so far, by name; nothing stands at 0.

        ``unknown_keys`` (made-up citations), ``unplaced_keys`` (with no sentence near),
        ``thoughts`` (blocks), ``source_lists``, ``late_refusals`` (after claims that cite).
        """
        counts = self._counts + Counter({"thoughts": self._thoughts.blocks})
        return dict(sorted(counts.items()))

    def feed(self, piece: str) -> list[Event]:
        """The events that the next piece of the stream brings, in order."""
        for character in piece:
            for passed in self._thoughts.feed(character, cited=self._keys_met):
                self._pass_on(passed)
        return self._collected()

    def finish(self) -> list[Event]:
        """The last events; nothing is fed afterwards."""
        for passed in self._thoughts.finish(cited=self._keys_met):
            self._pass_on(passed)
        for unit in self._markers.finish():
            self._take(unit)
        if self._mode is not _Mode.DECLINED:
            self._take("\n")
        self._release_waiting()
        self._counts["unplaced_keys"] += len(self._early)
        return self._collected()

    def _collected(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _pass_on(self, passed: str | Void) -> None:
        if isinstance(passed, Void):
            shown = self._begun or self._mode is _Mode.DECLINED
            self._counts.clear()
            self._begin()
            self._events += [Restarted()] if shown else []
            return
        for unit in self._markers.feed(passed):
            self._take(unit)

    # -- state

    def _begin(self) -> None:
        self._markers = Markers(self._keys, self._names)
        self._mode = _Mode.READING
        self._begun = False  # something was shown
        self._keys_met = False
        self._cited = False  # a claim has keys
        self._waiting: Draft | None = None  # the claim that ended its line: keys may follow
        self._in_table = False
        self._lead = ""
        self._early: list[str] = []  # keys of the sentence that follows
        self._begin_line()

    def _begin_line(self) -> None:
        self._start: str | None = ""  # of the line or sentence, until it is known what begins
        self._whole_line = True  # no sentence of the line has ended
        self._body: Body | None = None  # as which the line began
        self._prefixed = False  # the line began with keys: they stand before their sentences
        self._keyed = False  # a marker stood before the text
        self._sentence = SentenceText()

    def _take(self, unit: str | Marker) -> None:
        if isinstance(unit, Marker):
            self._counts["unknown_keys"] += unit.unknown
            self._keys_met = self._keys_met or bool(unit.keys)
        if self._mode is _Mode.SOURCES:
            self._take_source(unit)
        elif self._mode is _Mode.DECLINED:
            return
        elif unit == "\n":
            self._end_line()
        elif self._mode is _Mode.SKIPPING:
            return
        elif isinstance(unit, Marker):
            self._take_marker(unit)
        else:
            self._take_character(unit)

    # -- keys

    def _take_marker(self, marker: Marker) -> None:
        self._continue(self._sentence.settle(marker=True))
        if self._start is not None and not self._open_before(marker):
            return
        later = self._prefixed and self._sentence.ended
        _extend(self._early if later else self._sentence.keys, marker.keys)
        self._sentence.mark()

    def _open_before(self, marker: Marker) -> bool:
        """Open the line that a marker stands in; False: it stands before all text."""
        start = self._start or ""
        if self._whole_line and announces_sources(start):
            self._begin_sources()
            self._take_source(marker)
            return False
        if not _says_something(start):
            _extend(self._early, marker.keys)
            self._keyed = True
            return False
        told = self._told(start, ended=True)
        if told is Special.SOURCES and marker.keys:  # only where nothing was said before
            told = read_body(start)
        self._tell(told)
        if self._mode is _Mode.SOURCES:
            self._take_source(marker)
        return self._mode is _Mode.READING

    def _attach(self, keys: Collection[str]) -> None:
        """Give keys that stand on a line of their own to the claim before it."""
        assert self._waiting is not None
        own = list(self._waiting.keys)
        _extend(own, keys)
        heading = self._waiting.heading and not own
        self._waiting = replace(self._waiting, keys=tuple(own), heading=heading)
        self._cited = self._cited or bool(own)

    # -- lines

    def _take_character(self, character: str) -> None:
        if self._start is None:
            self._continue(self._sentence.take(character))
        elif self._keyed and character in _AFTER_EARLY and not _says_something(self._start):
            return
        else:
            self._start += character
            self._tell(self._told(self._start, ended=False))

    def _told(self, start: str, *, ended: bool) -> Start:
        if self._whole_line:
            told = read_start(start, ended=ended)
            first = not (self._begun or ended) and len(start) < MAX_START_CHARS
            return Special.UNDECIDED if told is Special.SOURCES and first else told
        if ended and not _says_something(start):
            return Special.LAYOUT
        return read_refusal(start, ended=ended) or Body("", start)

    def _tell(self, told: Start) -> None:
        """Act on what a line or sentence begins with."""
        if isinstance(told, Body):
            self._open(told)
        elif isinstance(told, Refusal):
            self._decline(told.reason)
        elif told is Special.SOURCES:
            self._begin_sources()

    def _open(self, body: Body) -> None:
        """Begin the text of a claim."""
        self._start = None
        self._body = self._body or body
        self._lead += body.layout
        self._prefixed = self._prefixed or bool(self._early)
        self._sentence.keys, self._early = self._early, []
        for character in body.rest:
            self._take_character(character)

    def _end_line(self) -> None:
        kept = self._mode is _Mode.READING and self._end_text()
        if self._mode is _Mode.SKIPPING:
            self._lead = self._lead.rstrip(" \t")
            kept = not self._lead.endswith("\n")
            self._mode = _Mode.READING
        if self._mode is _Mode.READING:
            self._lead += "\n" if kept else ""
            self._begin_line()

    def _end_text(self) -> bool:
        """End what is read of a line; False: nothing of it remains."""
        self._continue(self._sentence.settle(marker=False))
        if self._start:
            told = self._told(self._start, ended=True)
            if told is Special.CODE_FENCE:
                return False
            if told is Special.LAYOUT and not self._keyed:
                self._in_table = self._in_table and self._start.lstrip().startswith("|")
                self._lead += self._start
            self._tell(told)
            if told is Special.SOURCES:
                self._sources.end_line()
            self._continue(self._sentence.settle(marker=False))
        if self._sentence.text:
            self._end_claim_line()
            return True
        if self._early and self._waiting is not None:
            self._attach(self._early)
            self._early = []
        return not self._keyed

    def _end_claim_line(self) -> None:
        sentence = self._sentence
        _extend(sentence.keys, self._early)
        self._early = []
        body = self._body or Body("", "")
        head = body.heading or (body.in_table and not self._in_table)
        head = head or bool(_BOLD_LINE.fullmatch(sentence.text))
        self._in_table = body.in_table
        short = len(sentence.text) <= MAX_HEADING_CHARS
        short = short and (not sentence.ended or bool(_ASKS.search(sentence.text)))
        heading = head and short and self._whole_line and not sentence.keys
        self._waiting = replace(self._finished(), heading=heading)

    # -- sentences

    def _continue(self, following: str) -> None:
        """Show what was added to the sentence; ``following`` begins the next, if it is over."""
        self._show(self._sentence.shown())
        if not following:
            return
        self._events.append(self._finished())
        word = following.lstrip()
        self._lead = following[: len(following) - len(word)]
        self._start, self._whole_line = "", False
        self._sentence = SentenceText()
        for character in word:
            self._take_character(character)

    def _finished(self) -> Draft:
        claim = Draft(self._sentence.text, tuple(self._sentence.keys), self._lead)
        self._cited = self._cited or bool(claim.keys)
        self._lead = ""
        return claim

    def _show(self, added: str) -> None:
        if not added:
            return
        self._release_waiting()
        if not self._begun:
            self._lead, self._begun = self._lead.lstrip(), True
        shown = added
        if added == self._sentence.text:
            self._lead = re.sub(r"\n{3,}", "\n\n", self._lead)
            shown = self._lead + added
        if self._events and isinstance(self._events[-1], Text):
            self._events[-1] = Text(self._events[-1].text + shown)
        else:
            self._events.append(Text(shown))

    def _release_waiting(self) -> None:
        self._events += [self._waiting] if self._waiting is not None else []
        self._waiting = None

    # -- what does not count

    def _decline(self, reason: DeclineReason | None) -> None:
        if self._cited:
            self._counts["late_refusals"] += 1
            self._start, self._mode = "", _Mode.SKIPPING
            return
        self._waiting = None
        self._lead, self._early = "", []
        self._events.append(Declined(reason))
        self._mode = _Mode.DECLINED

    def _begin_sources(self) -> None:
        self._mode = _Mode.SOURCES
        self._counts["source_lists"] += 1
        self._sources = SourceList()
        self._sole = not self._cited
        for character in after_label(self._start or ""):
            self._sources.take(character)

    def _take_source(self, unit: str | Marker) -> None:
        """Take a part of a list of sources, which may be all that cites the claim before it."""
        if isinstance(unit, Marker):
            self._sources.mark()
            if self._sole and not self._sources.entries and self._waiting is not None:
                self._attach(unit.keys)
        elif unit == "\n":
            self._sources.end_line()
        else:
            body = self._sources.take(unit)
            if body is not None:
                self._mode = _Mode.READING
                self._begin_line()
                self._open(body)


def _extend(keys: list[str], more: Collection[str]) -> None:
    keys += [key for key in more if key not in keys]


def _says_something(text: str) -> bool:
    return any(character.isalnum() for character in text)
