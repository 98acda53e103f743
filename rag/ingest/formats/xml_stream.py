"""Reads chosen elements out of XML one after another, in bounded memory, past damaged ones.

Expat is driven directly, for it tells the line of every element and the place of a damage, after
which reading goes on at the next record; ``iterparse`` and ``defusedxml`` on top of it tell
neither. Nothing is ever fetched. A document with declarations of its own is refused, so that
nothing can expand, and depth, names, tokens and records are limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.entities import html5
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from rag.errors import FileError
from rag.ingest.formats.xml_pieces import Pieces

MAX_DEPTH = 200
"""How deep elements may be nested; articles reach about 30."""

MAX_NAMES = 10_000
"""How many different names of elements and attributes there may be: the parser keeps them all."""

MAX_RECORD_CHARS = 20_000_000
"""A larger record is skipped; an element counts for `ELEMENT_CHARS` and its attributes."""

ELEMENT_CHARS = 300

MAX_TOKEN_CHARS = 1_000_000
"""A longer tag or comment is refused: the parser would hold it, and read it again and again."""

MAX_DAMAGES = 10_000
"""After so many what follows is not read: each may cost reading a piece of the file again."""

MAX_DOCUMENTS = 1_000_000
"""How many documents may follow each other in one file."""

# Instructions and comments, then a document type or an element; possessive, so it never goes back.
_FIRST = re.compile(
    r"(?:\s++|<\?(?:[^?]|\?(?!>))*+\?>|<!--(?:[^-]|-(?!->))*+-->)*+"
    r"<(?:!DOCTYPE\s++)?(?:[\w.-]+:)?([A-Za-z_][\w.-]*+)"
)
_JUNK_AFTER_DOCUMENT = 9  # XML_ERROR_JUNK_AFTER_DOC_ELEMENT
_ENDLESS = "records"  # what stands around records that follow each other without a root


@dataclass(frozen=True, slots=True)
class Found:
    """An element with the line (from 1) where it begins; names are without their prefixes."""

    line: int
    element: Element


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a record, or what stands around records, cannot be read, and the line (from 1)."""

    line: int
    reason: str


def root_name(head: str) -> str | None:
    """The name, without prefix, of the first element of a text that begins like this.

    A document type gives it too. None if the text does not begin like XML.
    """
    first = _FIRST.match(head)
    return first[1] if first else None


def elements(
    chunks: Iterable[str], names: frozenset[str], skipped: frozenset[str] = frozenset()
) -> Iterator[Found | Damage]:
    """The elements of these names, in order, and what is damaged, in its place.

    Several documents may follow each other. After a damage reading goes on at the next element
    of these names. One that begins inside another is a damage too: the first has no end. The
    encoding that a document declares is ignored, for the text is decoded already. Entities of
    HTML (``&nbsp;``) become what they mean, others stay as they stand.

    Args:
        chunks: The text in pieces; lines end in a newline character.
        names: The elements to give, without prefixes.
        skipped: Elements inside these that are left out.

    Raises:
        FileError: It declares entities of its own, or goes beyond a limit of this module.
    """
    pieces = Pieces(chunks, names)
    around: tuple[str, ...] = ()
    damages = 0
    for _ in range(MAX_DOCUMENTS):
        run = _Run(pieces, names, skipped, around)
        yield from run.read()
        failure = run.failure
        if failure is None:
            return
        goes_on = pieces.skip_to_record(failure.skip_to)
        if not (failure.is_next_document and goes_on):
            yield failure.damage
            damages += 1
        if not goes_on:
            return
        if damages >= MAX_DAMAGES:
            raise FileError(f"{damages:,} damaged records: mend what writes this XML")
        around = run.around or (_ENDLESS,)
    raise FileError(f"more than {MAX_DOCUMENTS:,} documents in one: split it")


@dataclass(frozen=True, slots=True)
class _Failure:
    """What ended a run, and from which position on (see `Pieces`) to look for a record."""

    damage: Damage
    skip_to: int
    is_next_document: bool


class _NestedError(Exception):
    """A record began inside another."""


class _Run:
    """One run of the parser: from the beginning of a text, or from a record after a damage."""

    def __init__(
        self,
        pieces: Pieces,
        names: frozenset[str],
        skipped: frozenset[str],
        around: tuple[str, ...],
    ) -> None:
        self.failure: _Failure | None = None
        self.around = around
        """The elements around the last record; after a damage they are taken for open again."""
        self._pieces = pieces
        self._names = names
        self._skipped = skipped
        self._path = list(around)
        self._given: list[Found | Damage] = []
        self._first_line = 0
        self._record_line = 0
        self._record_depth = 0
        self._skipped_depth = 0
        self._nested_at = 0
        self._builder: TreeBuilder | None = None
        self._size = 0
        self._events = 0
        self._known_names: dict[str, str] = {}
        self._parser = self._made_parser()

    def _made_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", None, self._known_names)
        parser.buffer_text = True
        # As if there were declarations elsewhere: an unknown entity is then no error. None are
        # read, for that would need a handler of external entities.
        parser.UseForeignDTD(True)
        opened = "".join(f"<{name}>" for name in self.around).encode()
        parser.Parse(opened, False)
        self._before_at = len(opened)
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.SkippedEntityHandler = self._entity
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._event
        return parser

    def read(self) -> Iterator[Found | Damage]:
        """What is found up to the end, or up to a ``failure``."""
        unchanged, events = 0, 0
        while True:
            self._before_at += len(self._pieces.before)
            if not self._pieces.next():
                break
            self._first_line = self._first_line or self._pieces.line
            self._parse()
            yield from self._given
            self._given.clear()
            if self.failure:
                return
            unchanged = unchanged + len(self._pieces.piece) if events == self._events else 0
            events = self._events
            if unchanged > MAX_TOKEN_CHARS:
                raise FileError(f"a tag or comment of more than {MAX_TOKEN_CHARS:,} characters")
            if len(self._known_names) > MAX_NAMES:
                raise FileError(f"more than {MAX_NAMES:,} different names of elements: refused")
        yield from self._at_the_end()

    def _parse(self) -> None:
        """Parse the piece at hand; what goes wrong becomes the ``failure``."""
        parser = self._parser
        try:
            parser.Parse(self._pieces.piece, False)
        except _NestedError:
            at = self._position(self._nested_at)
            reason = "the record does not end before the next one begins"
            self.failure = _Failure(Damage(self._record_line, reason), at, False)
        except expat.ExpatError as error:
            at = self._position(parser.ErrorByteIndex)
            line = self._pieces.line_at(at)
            if error.code == _JUNK_AFTER_DOCUMENT:
                damage = Damage(line, "text after the end of the XML")
                self.failure = _Failure(damage, at, True)
            else:
                reason = f"not valid XML: {expat.ErrorString(error.code)}"
                if self._record_line not in (0, line):
                    reason += f" (line {line})"
                damage = Damage(self._record_line or line, reason)
                self.failure = _Failure(damage, at + 1, False)

    def _position(self, index: int) -> int:
        """A position of the parser, counted from the beginning of the piece before."""
        return max(index - self._before_at, 0)

    def _at_the_end(self) -> Iterator[Damage]:
        line = self._pieces.line_at(len(self._pieces.before))
        if self._record_line:
            yield Damage(self._record_line, "the XML ends within this record")
            return
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError:
            if self._path != [_ENDLESS]:
                yield Damage(line, "the XML is cut off here")

    def _document_type(
        self, _name: str, _system: str | None, _public: str | None, has_declarations: int
    ) -> None:
        if has_declarations:
            raise FileError(
                "refused: its DOCTYPE holds declarations of its own, with which a small file can "
                "grow without end or ask for other files; remove what stands in its [ ]"
            )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._events += 1
        local = name.rpartition(":")[2]
        if local in self._names:
            self._begin_record()
        self._path.append(name)
        depth = len(self._path)
        if depth > MAX_DEPTH:
            raise FileError(f"elements nested more than {MAX_DEPTH} deep: refused")
        if self._builder is None or self._skipped_depth:
            return
        if local in self._skipped:
            self._skipped_depth = depth
            return
        self._builder.start(local, {k.rpartition(":")[2]: v for k, v in attributes.items()})
        self._grow(ELEMENT_CHARS + sum(map(len, attributes.values())))

    def _begin_record(self) -> None:
        if self._record_line:
            self._nested_at = self._parser.CurrentByteIndex
            raise _NestedError
        self._record_line = self._first_line + self._parser.CurrentLineNumber - 1
        self._record_depth = len(self._path) + 1
        self.around = tuple(self._path)
        self._builder = TreeBuilder()
        self._size = 0

    def _end(self, name: str) -> None:
        self._events += 1
        depth = len(self._path)
        self._path.pop()
        if self._skipped_depth:
            if depth == self._skipped_depth:
                self._skipped_depth = 0
        elif self._builder is not None:
            self._builder.end(name.rpartition(":")[2])
        if self._record_line and depth == self._record_depth:
            self._end_record()

    def _end_record(self) -> None:
        if self._builder is None:
            reason = f"a record of more than {MAX_RECORD_CHARS:,} characters"
            self._given.append(Damage(self._record_line, reason))
        else:
            self._given.append(Found(self._record_line, self._builder.close()))
        self._builder, self._record_line = None, 0

    def _text(self, text: str) -> None:
        self._events += 1
        if self._builder is not None and not self._skipped_depth:
            self._builder.data(text)
            self._grow(len(text))

    def _entity(self, name: str, is_parameter: bool) -> None:  # noqa: FBT001 (expat's)
        if not is_parameter:
            self._text(html5.get(f"{name};", f"&{name};"))

    def _event(self, *_: object) -> None:
        self._events += 1

    def _grow(self, size: int) -> None:
        """Give a record up that has become too large: its rest is passed over."""
        self._size += size
        if self._size > MAX_RECORD_CHARS:
            self._builder, self._skipped_depth = None, 0
