"""Authors as files write them, as a list of names with the given name first."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping

MAX_CHARS = 200_000
_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv|phd|md)\.?", re.IGNORECASE)
_AND = re.compile(r",?\s+(?:and|&)\s+", re.IGNORECASE)
# The parts of a name in their order, each under its usual names.
_PARTS = (
    ("given", "firstname", "first", "forename"),
    ("droppingparticle",),
    ("nondroppingparticle",),
    ("family", "lastname", "last", "surname"),
    ("suffix",),
)
# An affiliation behind a name, as in "Ann Smith (MIT), Bo"; brackets in a name stay.
_NOTE = re.compile(r"(?<=[^\s,;&)])(?<!\sand)(?:\s*\([^()]*\))+(?=\s*(?:[,;&]|and\b|$))", re.I)


def authors_from(value: object) -> Iterator[str]:
    """Names from a string or from a list of strings, of objects, or of lists of name parts.

    In a string, names are separated by semicolons, by "and", or by commas; "Last, First" becomes
    "First Last".
    """
    if isinstance(value, str):
        yield from _from_string(value[:MAX_CHARS])
    elif isinstance(value, Mapping):
        yield _from_object(value)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, str):
                yield _given_first(item)
            elif isinstance(item, Mapping):
                yield _from_object(item)
            elif isinstance(item, list):
                yield _from_parts(item)


def _from_string(text: str) -> Iterator[str]:
    text = " ".join(text.split())
    if text.startswith("[") and text.endswith("]"):
        listed = _literal(text)
        if listed is not None:
            yield from authors_from(listed)
            return
    text = _NOTE.sub("", text)
    if ";" in text:
        parts = text.split(";")
    else:
        parts = _AND.split(text)
        if not _are_inverted(parts):
            parts = [name for part in parts for name in part.split(",")]
    yield from (_given_first(part) for part in parts if part.strip())


def _are_inverted(parts: list[str]) -> bool:
    """Whether each part is one name as "Last, First".

    Of "Smith, Ann" alone only the single word before the comma tells it from a list of two.
    """
    if any(part.count(",") != 1 for part in parts):
        return False
    return len(parts) > 1 or " " not in parts[0].partition(",")[0].strip()


def _given_first(name: str) -> str:
    last, comma, first = (part.strip() for part in name.partition(","))
    if not comma or not first or "," in first or _SUFFIX.fullmatch(first):
        return name.strip()
    return f"{first} {last}"


def _from_object(item: Mapping[str, object]) -> str:
    fields = {re.sub("[_-]", "", str(key)).lower(): value for key, value in item.items()}
    if isinstance(literal := fields.get("literal"), str) and literal.strip():
        return literal.strip()
    for key in ("name", "fullname", "displayname", "rawauthorname"):
        if isinstance(whole := fields.get(key), str) and whole.strip():
            return _given_first(whole)
    if isinstance(author := fields.get("author"), Mapping):
        return _from_object(author)
    parts = (_part(fields, names) for names in _PARTS)
    return " ".join(part for part in parts if part)


def _part(fields: Mapping[str, object], names: tuple[str, ...]) -> str:
    held = (fields[name] for name in names if name in fields)
    return next((part.strip() for part in held if isinstance(part, str)), "")


def _from_parts(parts: list[object]) -> str:
    """A name in arXiv's parts: ``["Last", "First", "Jr."]``."""
    names = [part for part in parts if isinstance(part, str)]
    return " ".join([*names[1:2], *names[:1], *names[2:3]]).strip()


def _literal(text: str) -> list[object] | None:
    """A list written as JSON or as Python, as tables hold it."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(value, list):
            return value
    return None
