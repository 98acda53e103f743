"""Cuts a BibTeX file into entries, and an entry into its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rag.ingest.text import READ_ERRORS, TextSource

MAX_ENTRY_CHARS = 1_000_000
"""A longer entry is reported and skipped: its last brace is missing, or it holds a full text."""

MAX_STRING_CHARS = 2_000
"""Longer ``@string`` definitions are not taken: one that refers to others grows with each."""

MAX_STRINGS = 100_000

MAX_FIELDS = 1_000
"""More in one entry were never meant as fields."""

NO_PAPER = frozenset(("comment", "preamble", "string"))

_ENTRY = re.compile(r"\ufeff?\s*+@\s*+(?P<kind>[A-Za-z][\w:.+-]*+)\s*+(?P<open>[{(])")
# What follows where it is not just an address in an abstract: "@home (x)".
_HEAD = {
    "{": re.compile(r"[^={}\",]*+(?:[,=]|\}?\s*$)"),
    "(": re.compile(r"[^={}()\"',]*+(?:[,=]|\)?\s*$)"),
}
_ENTRY_WITHOUT_BRACE = re.compile(r"\s*@\s*[A-Za-z][\w:.+-]*\s*")
# Where an entry begins in the same line after another.
_SAME_LINE = re.compile(r"(?<=\})\s*+(?=@[A-Za-z][\w:.+-]*+\s*+\{[^\s,{}=\"]*+,)")
_KEY = re.compile(r"\s*+([^,=\"{}#]*+)(?:,|(?=[)}]))")
_FIELD_NAME = r"[A-Za-z_][\w:.+-]*+"
_FIELD = re.compile(rf"\s*+{_FIELD_NAME}\s*+=")
_NEXT_FIELD = re.compile(rf",\s*+(?={_FIELD_NAME}\s*+=\s*+[{{\"\w])")
_SWALLOWED = re.compile(rf",\s*+{_FIELD_NAME}\s*+=\s*+[{{\"]")
_MARKS = {False: re.compile("[{}]"), True: re.compile('["{}]')}


@dataclass(frozen=True, slots=True)
class Piece:
    """The text from one ``@type{`` to the next, None where it is too long."""

    line: int
    kind: str
    text: str | None

    @property
    def key(self) -> str:
        """What the entry is cited by, in small letters; blank where it has none."""
        opening = _ENTRY.match(self.text or "")
        key = opening and _KEY.match(self.text or "", opening.end())
        return key[1].strip().lower() if key else ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of an entry by their names in small letters, and what was wrong with it."""

    values: Mapping[str, str]
    damage: str | None


@dataclass(slots=True)
class Strings:
    """What ``@string`` defines; a name that nothing defines stands for itself."""

    _values: dict[str, str] = field(default_factory=dict)
    _spent: int = 0

    def __getitem__(self, name: str) -> str:
        value = self._values.get(name.lower(), name)
        self._spent += len(value)
        return value if self._spent <= MAX_ENTRY_CHARS else ""

    def begin_entry(self) -> None:
        """From here on `MAX_ENTRY_CHARS` may be filled in."""
        self._spent = 0

    def learn(self, definitions: Mapping[str, str]) -> None:
        """Take definitions in; the later of two with one name holds."""
        for name, value in definitions.items():
            known = name in self._values or len(self._values) < MAX_STRINGS
            if known and len(value) <= MAX_STRING_CHARS:
                self._values[name] = value


def pieces(source: TextSource) -> Iterator[Piece]:
    """The file cut before every entry; what stands before the first is no entry.

    Raises one of `rag.ingest.text.READ_ERRORS` when the file fails, after what was read.
    """
    begun = _Begun()
    try:
        for number, line in _entry_lines(source):
            kind = _begins(line or "")
            if kind or line is None:
                yield from begun.piece()
                begun = _Begun(number, kind)
            if line is None:
                yield Piece(number, "", None)
            elif begun.kind:
                begun.add(line)
    except READ_ERRORS:
        yield from begun.piece()
        raise
    yield from begun.piece()


def _begins(line: str) -> str:
    """The kind of the entry that begins here, in small letters; blank if none does."""
    found = _ENTRY.match(line)
    if not found:
        return ""
    kind = found["kind"].lower()
    return kind if kind in NO_PAPER or _HEAD[found["open"]].match(line, found.end()) else ""


@dataclass(slots=True)
class _Begun:
    """The lines of a piece so far; its kind is blank where no entry has begun."""

    line: int = 0
    kind: str = ""
    lines: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, line: str) -> None:
        """Take a line in, or from `MAX_ENTRY_CHARS` on only its size."""
        self.size += len(line) + 1
        if self.size > MAX_ENTRY_CHARS:
            self.lines = []
        else:
            self.lines.append(line)

    def piece(self) -> Iterator[Piece]:
        """The piece, if there is one."""
        if self.size > MAX_ENTRY_CHARS:
            yield Piece(self.line, self.kind, None)
        elif self.kind:
            yield Piece(self.line, self.kind, "\n".join(self.lines))


def _entry_lines(source: TextSource) -> Iterator[tuple[int, str | None]]:
    """Lines, with a cut before an entry inside one, and with ``@type`` and its brace in one."""
    waiting: tuple[int, str] | None = None
    for number, line in source.lines():
        if waiting and line is not None and line.lstrip()[:1] in ("{", "("):
            yield waiting[0], f"{waiting[1]}{line}"
            waiting = None
            continue
        if waiting:
            yield waiting
            waiting = None
        if line is None or len(line) <= 1:
            yield number, line
        elif _ENTRY_WITHOUT_BRACE.fullmatch(line):
            waiting = (number, line)
        else:
            yield from ((number, part) for part in _SAME_LINE.split(line))
    if waiting:
        yield waiting


def fields_of(piece: Piece, strings: Strings) -> Entry:
    """The fields of an entry. A field that is damaged is not among them."""
    from pybtex.scanner import PrematureEOF, PybtexSyntaxError  # type: ignore[import-untyped]

    strings.begin_entry()
    parser, end = _parser(piece.text or "", strings, keyed=piece.kind != "string")
    values: dict[str, str] = {}
    damage = None
    before = ""
    for _ in range(MAX_FIELDS):
        parser.current_field_name, parser.current_value = None, []
        try:
            parser.parse_field()
            name = (parser.current_field_name or "").lower()
            if name and not values.get(name, "").strip():
                values[name] = "".join(parser.current_value)
            if parser.optional([parser.COMMA]):
                before = ""
                continue
            before = name or before
            if parser.optional([end]):
                if not _SWALLOWED.match(parser.text, parser.pos):
                    return Entry(values, damage)
            elif name and _FIELD.match(parser.text, parser.pos):
                before = ""  # only a comma is missing
                continue
            what = "its value goes on after its end: check the braces and quotation marks"
        except PrematureEOF:
            damage = damage or "the entry does not end: a brace or a quotation mark is missing"
            return Entry(_without_swallowed(values), damage)
        except PybtexSyntaxError as error:
            what = str(error.args[0])
        # `before` is the field that no comma followed: it ends nobody knows where.
        values.pop(before, None)
        at = (before or parser.current_field_name or "?").lower()
        damage = damage or f"its field {at!r} is damaged: {what}"
        following = _NEXT_FIELD.search(parser.text, parser.pos)
        if not following:
            return Entry(values, damage)
        parser.pos, before = following.end(), ""
    return Entry(values, damage or f"the entry has more than {MAX_FIELDS:,} fields")


def _parser(text: str, strings: Strings, *, keyed: bool) -> tuple[Any, Any]:
    """Pybtex's parser before the first field of an entry, and the token that ends the entry.

    Its names of fields may hold any letters here, and a value without braces any characters
    (``year = 2006-01``).
    """
    from pybtex.database.input.bibtex import LowLevelParser  # type: ignore[import-untyped]
    from pybtex.scanner import Pattern

    parser = LowLevelParser(text, keyless_entries=True, macros=strings)
    parser.NAME = Pattern(r"[^\s\"#%'(),={}\d][^\s\"#%'(),={}]*", "a name")
    parser.NUMBER = Pattern(r"\d[^\s\"#,={}()]*", "a number")
    parser.parse_string = partial(_parse_string, parser)
    opening = _ENTRY.match(text)
    if opening is None:
        raise ValueError(f"no entry begins with {text[:80]!r}")
    parser.pos = opening.end()
    if keyed and (key := _KEY.match(text, parser.pos)):
        parser.pos = key.end()
    return parser, parser.RBRACE if opening["open"] == "{" else parser.RPAREN


def _parse_string(parser: Any, string_end: Any) -> Iterator[Any]:  # noqa: ANN401
    """The parser's own in linear time and without a limit to nesting.

    Its own looks for each mark to the end of the text, each time.
    """
    from pybtex.scanner import PrematureEOF, PybtexSyntaxError, Token

    depth = 0
    quoted = string_end is parser.QUOTE
    for mark in _MARKS[quoted].finditer(parser.text, parser.pos):
        if mark[0] == "{":
            depth += 1
        elif mark[0] == "}" and depth:
            depth -= 1
        elif not depth and quoted and mark[0] == "}":
            raise PybtexSyntaxError("a brace closes that does not open", parser)
        elif not depth:
            value = parser.text[parser.pos : mark.end()]
            parser.pos = mark.end()
            yield Token(value, string_end)
            return
    raise PrematureEOF(parser)


def _without_swallowed(values: Mapping[str, str]) -> dict[str, str]:
    """The fields but for those that hold the beginning of another: their end is missing."""
    return {name: value for name, value in values.items() if not _SWALLOWED.search(value)}
