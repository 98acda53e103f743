r"""LaTeX in the titles, names and addresses of BibTeX files, as the characters that it means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rag.ingest.formats.authors import MAX_CHARS, authors_from
from rag.ingest.formats.fields import storable

MAX_LATEX_CHARS = 5_000
"""Longer titles and names are left as they are: the decoder takes up to 0.1 ms a character."""

_STYLE = re.compile(
    r"\\(?:text(?:bf|it|tt|sc|rm|sf|up|sl|md|normal|superscript|subscript)|emph|mbox|url|underline"
    r"|math(?:bf|it|tt|rm|sf|cal|bb|frak|scr)|boldsymbol|ensuremath"
    r"|(?:em|bf|it|tt|sc|rm|sf)(?:series|shape|family)?)(?![A-Za-z])\s*"
)
_NAME_OF_TEX = re.compile(r"\\((?:La|Bib)?TeX)(?![A-Za-z])\s*(?:\{\})?")
# The decoder knows \'i and \'\i, not \'{\i}.
_DOTLESS = re.compile(r"(\\['`\"^~=.])\s*\{\\([ij])\s*\}")
_NEEDS_DECODING = re.compile(r"[\\~]|--|``|''")
_FORMULA = re.compile(r"(\$[^$]*\$)")
# What stands for a sign of LaTeX itself, the sign, and a character that keeps its place meanwhile.
_SIGNS = (
    (re.compile(r"\\textbackslash(?![A-Za-z])\s*(?:\{\})?"), "\\", "\ufdd0"),
    (re.compile(r"\\textasciitilde(?![A-Za-z])\s*(?:\{\})?"), "~", "\ufdd1"),
    (re.compile(r"\\textasciicircum(?![A-Za-z])\s*(?:\{\})?"), "^", "\ufdd5"),
    (re.compile(r"\\(?:textbraceleft(?![A-Za-z])\s*(?:\{\})?|\{)"), "{", "\ufdd2"),
    (re.compile(r"\\(?:textbraceright(?![A-Za-z])\s*(?:\{\})?|\})"), "}", "\ufdd3"),
    (re.compile(r"\\(?:textdollar(?![A-Za-z])\s*(?:\{\})?|\$)"), "$", "\ufdd4"),
)
_TO_SIGNS = str.maketrans({held: sign for _, sign, held in _SIGNS})
_TO_LATEX = str.maketrans({held: f"\\{sign}" for _, sign, held in _SIGNS})
NAMED_BRACES = {"{": r"\textbraceleft{}", "}": r"\textbraceright{}"}
"""Braces that nothing counts."""

ENTRY = re.compile(r"@(?=\s*[A-Za-z][\w:.+-]*\s*[{(])")
"""An at sign at which an entry seems to begin."""

_GUARDED_ENTRY = re.compile(r"\{@\}" + ENTRY.pattern[1:])
_BRACES = str.maketrans("", "", "{}")
_ESCAPED = re.compile(r"\{?\\([#$%&_{}~])(?:\{\})?\}?|\{?\\textasciitilde\s*(?:\{\})?\}?|\\url\b")
_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv|ph\.? ?d|m\.?d)\.?", re.IGNORECASE)


def one_group(text: str) -> bool:
    """Whether the text is a single pair of braces and what stands between them."""
    depth = 0
    for mark in re.finditer("[{}]", text):
        depth += 1 if mark[0] == "{" else -1
        if depth == 0:
            return text.startswith("{") and mark.end() == len(text)
    return False


def verbatim(text: str) -> str:
    r"""An abstract with its white space as BibTeX reads it, and its LaTeX as it stands.

    Pairs of braces round the whole go, and what the export writes so that braces can be counted
    and nothing looks like an entry: ``\textbraceleft{}``, ``\textbraceright{}``, ``{@}``.
    """
    text = " ".join(text.split())
    while one_group(text):
        text = text[1:-1].strip()
    for sign, name in NAMED_BRACES.items():
        text = text.replace(name, sign)
    return _GUARDED_ENTRY.sub("@", text)


def plain(text: str) -> str:
    r"""A title or a name with LaTeX's accents and symbols as characters, without its braces.

    Formulas (``$x^2$``) stay as they are.
    """
    if len(text) > MAX_LATEX_CHARS:
        return text
    text = storable(text)  # none of the characters that keep a sign's place
    if "\\" in text:
        for written, _, held in _SIGNS:
            text = written.sub(held, text)
    pieces = _FORMULA.split(text)
    return "".join(
        piece.translate(_TO_LATEX) if i % 2 else _prose(piece) for i, piece in enumerate(pieces)
    )


def _prose(text: str) -> str:
    if _NEEDS_DECODING.search(text):
        text = _decoded(_NAME_OF_TEX.sub(r"\1", _STYLE.sub("", _DOTLESS.sub(r"\1\2", text))))
    return text.translate(_BRACES).translate(_TO_SIGNS)


def _decoded(text: str) -> str:
    import latexcodec  # noqa: F401 (registers the codec)

    # A bare % would begin a comment of TeX; exporters write it and mean per cent.
    safe = re.sub(r"(?<!\\)%", r"\\%", text)
    space = " " if text[:1].isspace() else ""
    try:
        return space + safe.encode().decode("latex+utf-8").lstrip()
    except (UnicodeError, ValueError):
        return text


def unescaped(text: str) -> str:
    r"""An address or an identifier without LaTeX's escapes: ``\_`` and ``\url{…}``."""
    text = _ESCAPED.sub(lambda m: m[1] or ("~" if "tilde" in m[0] else ""), text)
    return text.translate({ord("{"): " ", ord("}"): " "}).strip()


def names(text: str) -> list[Mapping[str, str] | str]:
    """The names of a BibTeX list (``Last, First and von Last, Jr, First and {A Group}``).

    A list that is separated by semicolons or commas is taken as one too.
    """
    from pybtex.bibtex.utils import split_name_list  # type: ignore[import-untyped]

    text = " ".join(text[:MAX_CHARS].split())
    listed = [name for name in split_name_list(text) if name.strip() and name != "others"]
    if len(listed) == 1 and not text.startswith("{") and (";" in text or text.count(",") > 2):
        return list(authors_from(plain(text)))
    return list(map(_parts, listed))


def _parts(name: str) -> dict[str, str]:
    family, *others = map(plain, _at_commas(name))
    if len(others) == 1:
        return {"given": others[0], "family": family}
    if len(others) == 2:
        lineage, given = others
        if _SUFFIX.fullmatch(given):  # "Vugt, Arie, PhD" is common and not BibTeX's order
            lineage, given = given, lineage
        return {"given": given, "family": f"{family} {lineage}".strip()}
    return {"family": plain(name)}


def _at_commas(name: str) -> Iterator[str]:
    """The parts of a name between the commas that stand in no braces."""
    depth = start = 0
    for mark in re.finditer("[{},]", name):
        if mark[0] == "," and depth <= 0:
            yield name[start : mark.start()].strip()
            start = mark.end()
        elif mark[0] != ",":
            depth += 1 if mark[0] == "{" else -1
    yield name[start:].strip()
