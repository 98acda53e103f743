"""Opens a file as text: what it is compressed with, which encoding, and how much of it is read."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from rag.errors import FileError
from rag.schema import Place

HEAD_BYTES = 262_144
"""How much of a file is looked at to tell its encoding and its format."""

CHUNK_BYTES = 65_536

MAX_LINE_CHARS = 10_000_000
"""A longer line (or record) is skipped and reported: abstracts are far shorter."""

MAX_EXPANDED_BYTES = 64 * 1024**3
"""How much a compressed file may expand to; the dump of arXiv's metadata has about 5 GB."""

MAX_RATIO = 200
"""How many times its size a compressed file may expand to: text reaches 10, a bomb 1,000."""

RATIO_FREE_BYTES = 64 * 1024**2
"""Up to here a compressed file may expand however small it is."""

Binary = Callable[[], io.BufferedIOBase]
"""Opens the bytes of a file, or of a member of an archive, at their beginning."""

READ_ERRORS = (OSError, EOFError, zlib.error, zipfile.BadZipFile, UnicodeError, FileError)
"""What reading a damaged, vanished or oversized file may raise."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (
    (b"%PDF-", "a PDF: export its title and abstract as text, CSV or JSON"),
    (b"PK\x03\x04", "an archive in an archive, or an Office document: unpack it"),
    (b"(\xb5/\xfd", "compressed with zstd: unpack it (gzip is read as it is)"),
    (b"\xfd7zXZ", "compressed with xz: unpack it (gzip is read as it is)"),
    (b"BZh", "compressed with bzip2: unpack it (gzip is read as it is)"),
    (b"SQLite format 3\0", "an SQLite database: export it as CSV or JSON"),
    (b"PAR1", "a Parquet file: export it as CSV or JSON lines"),
)
# Bytes outside ASCII that read as Western European words or typography.
_LETTER = "[A-Za-z\xc0-\xff]"
_WESTERN = re.compile(
    "(?:[\x00-\x7f\xa0\xa7\xa9\xab\xae\xb0\xb1\xb4\xb5\xb7\xbb\xd7\xc0\xe0\xc9\xe9]"
    "|[\u2013\u2014\u2018-\u201e\u2020-\u2026\u20ac]"
    f"|(?<={_LETTER})[\xc0-\xff]|[\xc0-\xff](?={_LETTER}))*"
)


def _read_as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """For the odd byte in a UTF-8 file that is not UTF-8: nearly always pasted from Windows."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", errors="replace"), error.end


codecs.register_error("footnoted-windows-1252", _read_as_windows_1252)


@dataclass(frozen=True, slots=True)
class TextSource:
    """A file that reads as text: how it is shown to people, how to decode it, how it begins."""

    binary: Binary
    name: str
    encoding: str
    gzipped: bool
    head: str
    max_expanded_bytes: int = MAX_EXPANDED_BYTES

    def chunks(self) -> Iterator[str]:
        """The text from its beginning, in pieces; every line ends in a newline character.

        What stands before a damage is given before one of `READ_ERRORS` is raised.
        """
        errors = "footnoted-windows-1252" if self.encoding.startswith("utf-8") else "replace"
        decoder = _decoder(self.encoding, errors)
        size = 0
        with _opened(self.binary, gzipped=self.gzipped) as binary:
            while data := binary.read1(CHUNK_BYTES):
                size += len(data)
                if self.gzipped and size > self.max_expanded_bytes:
                    limit = f"{self.max_expanded_bytes:,} bytes"
                    raise FileError(f"it expands to more than {limit}: split it into smaller files")
                yield decoder.decode(data)
        yield decoder.decode(b"", final=True)

    def lines(self) -> Iterator[tuple[int, str | None]]:
        """Numbered lines, from 1, without their ends; None for one over `MAX_LINE_CHARS`."""
        number, rest, too_long = 1, "", False
        for chunk in self.chunks():
            *lines, rest = (rest + chunk).split("\n")
            for line in lines:
                yield number, None if too_long or len(line) > MAX_LINE_CHARS else line
                number, too_long = number + 1, False
            if len(rest) > MAX_LINE_CHARS:
                rest, too_long = "", True
        if rest or too_long:
            yield number, None if too_long else rest

    def place(self, line: int | None = None) -> Place:
        """A place in this file."""
        return Place(self.name, line)


def open_text(path: Path, name: str, *, max_expanded_bytes: int = MAX_EXPANDED_BYTES) -> TextSource:
    """Look at the beginning of a file and say how it is to be read as text.

    Args:
        path: The file.
        name: How it is shown to people.
        max_expanded_bytes: How much of a gzip file is read.

    Raises:
        FileError: It cannot be opened, is empty, or is not text.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise FileError(f"{name} cannot be read: {said(error)}") from error
    if not stat.S_ISREG(status.st_mode):
        raise FileError(f"{name} is not a regular file: save its content to a file first")
    return as_text(
        lambda: path.open("rb"),
        name,
        max_expanded_bytes=min(max_expanded_bytes, expansion_limit(status.st_size)),
    )


def expansion_limit(packed_bytes: int) -> int:
    """To how many bytes a compressed file of this size may expand."""
    return min(MAX_EXPANDED_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * packed_bytes))


def as_text(binary: Binary, name: str, *, max_expanded_bytes: int) -> TextSource:
    """Look at the beginning of what ``binary`` opens and say how it is to be read as text.

    Args:
        binary: Opens the bytes anew each time it is called.
        name: How they are shown to people.
        max_expanded_bytes: How much is read of what is packed with gzip.

    Raises:
        FileError: They cannot be opened, are none, or are not text.
    """
    try:
        with binary() as opened:
            gzipped = opened.read(2) == b"\x1f\x8b"
        sample, complete = _sample(binary, gzipped=gzipped)
    except (*READ_ERRORS, ValueError) as error:
        raise FileError(f"{name} cannot be read: {said(error)}") from error
    try:
        encoding = _encoding(sample, complete=complete)
        head = _decoder(encoding, "replace").decode(sample, final=complete)
    except (_NotTextError, LookupError) as error:
        raise FileError(f"{name} is {error}") from None
    if complete and not head.strip():
        raise FileError(f"{name} is empty: there are no papers in it")
    return TextSource(binary, name, encoding, gzipped, head, max_expanded_bytes)


def reading_stopped(error: BaseException) -> str:
    """Says that a file could not be read to its end, and why."""
    return f"reading stopped here, what follows is missing: {said(error)}"


class _NotTextError(Exception):
    """Says what a file is that is not text."""


def _encoding(sample: bytes, *, complete: bool) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return encoding
    for magic, what in _NOT_TEXT:
        if sample.startswith(magic):
            raise _NotTextError(what)
    if b"\0" in sample[:8192]:
        return _utf16_without_mark(sample[:8192])
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=complete)
    except UnicodeDecodeError:
        return _other_encoding(sample)
    return "utf-8"


def _utf16_without_mark(sample: bytes) -> str:
    """UTF-16 of mostly Latin text has a zero in every second byte; anything else is binary."""
    half = len(sample) // 2
    for encoding, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[0::2])):
        if half and zeros.count(0) > 0.7 * half and sample.count(0) < 1.1 * zeros.count(0):
            return encoding
    raise _NotTextError("a binary file: only text formats are read")


def _other_encoding(sample: bytes) -> str:
    """The encoding of bytes that are not UTF-8 throughout.

    Mostly UTF-8 counts as UTF-8; then Windows-1252 is tried before charset-normalizer, which
    takes short Western European text for Central European or for a printer's character set.
    """
    lenient = sample.decode("utf-8", errors="surrogateescape")
    wrong = len(re.findall("[\udc80-\udcff]", lenient))
    right = len(re.findall("[^\0-\x7f\udc80-\udcff]", lenient))
    if right > wrong:
        return "utf-8"
    try:
        western = sample.decode("cp1252")
    except UnicodeDecodeError:
        western = ""
    if western and wrong + right < 0.15 * len(sample) and _WESTERN.fullmatch(western):
        return "cp1252"
    best = charset_normalizer.from_bytes(sample[:65_536]).best()
    return best.encoding if best else "cp1252"


@contextmanager
def _opened(binary: Binary, *, gzipped: bool) -> Iterator[io.BufferedIOBase]:
    with binary() as packed:
        if not gzipped:
            yield packed
            return
        with gzip.GzipFile(fileobj=packed) as unpacked:
            yield unpacked


def _sample(binary: Binary, *, gzipped: bool) -> tuple[bytes, bool]:
    """The beginning of what is opened, and whether that is all of it."""
    sample = b""
    with _opened(binary, gzipped=gzipped) as opened:
        while len(sample) < HEAD_BYTES:
            try:
                data = opened.read1(HEAD_BYTES - len(sample))
            except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile):
                if sample:
                    return sample, False  # what is whole will be read
                raise
            if not data:
                return sample, True
            sample += data
    return sample, False


def _decoder(encoding: str, errors: str) -> io.IncrementalNewlineDecoder:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    return io.IncrementalNewlineDecoder(decoder, translate=True)


def said(error: BaseException) -> str:
    """An error in words, without the path that the operating system puts into it."""
    if isinstance(error, PermissionError):
        return "access is not permitted"
    if isinstance(error, FileNotFoundError):
        return "it does not exist (any more)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, zipfile.BadZipFile):
        return f"the ZIP archive is damaged ({error})"
    if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
        return f"the compressed file is damaged ({error})"
    return str(error) or type(error).__name__
