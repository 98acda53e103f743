"""JATS and HTML inside titles and abstracts, as publishers deposit them: the text that they mean.

Fragments need not be well formed, so tags are found one by one; what is no tag of these stays.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_INLINE = (
    r"i|b|u|em|strong|sub|sup|italic|bold|underline|sc|scp|small|tt|code|span|font|a|inf|roman"
    r"|monospace|xref|ext-link|uri|email|named-content|styled-content|inline-formula|tex-math"
    r"|alternatives|math|mrow|mi|mn|mo|mtext|mspace|msup|msub|msubsup|mover|munder|mfrac|msqrt"
    r"|mstyle|mfenced|semantics|annotation|abstract"
)
_BLOCKS = (
    "p", "sec", "title", "label", "list", "list-item", "disp-formula", "disp-quote", "caption",
    "def-list", "def-item", "boxed-text", "div", "ul", "ol", "li", "br", "break", "h1", "h2",
    "h3", "h4", "h5", "h6", "table", "tr", "td",
)  # fmt: skip
_ATTRIBUTES = r"(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*"
_TAG = re.compile(
    rf"<(?P<end>/?)(?:(?:jats|mml|m):(?P<prefixed>[A-Za-z][\w-]*)"
    rf"|(?P<name>(?:{_INLINE}|{'|'.join(_BLOCKS)})(?![\w-]))){_ATTRIBUTES}(?P<empty>/?)>"
    r"|<!--[^<>]*-->",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24}\d{0,2});")
_POWER = re.compile(r"[-+\u2212]?\d+")
# Some preprint servers drop the spaces around names in italics: "in<i>MLH1</i>variants".
_GLUED = re.compile(r"[a-z]{2}<(jats:italic)>[^<>]{2,60}</\1>[a-z]{2}")
_GLUED_BEFORE = re.compile(r"(?<=[a-z]{2})(?=<jats:italic>\w\w)")
_GLUED_AFTER = re.compile(r"(?<=\w\w</jats:italic>)(?=[a-z]{2})")
# What stands around a formula in LaTeX is a whole document.
_PREAMBLE = re.compile(
    r"\\documentclass\b.{0,2000}?\\begin\{document\}|\\end\{document\}", re.DOTALL
)
_NO_LABELS = frozenset(("abstract", "summary", ""))


def abstract_text(markup: str) -> str:
    """The text of an abstract in JATS: a line a paragraph, sections as ``Label: text``.

    Subscripts and superscripts stand in the line (H2O), a power of a number after a caret (10^5).
    The title "Abstract" goes; of a formula given twice the LaTeX stays.
    """
    if _GLUED.search(markup):
        markup = _GLUED_AFTER.sub(" ", _GLUED_BEFORE.sub(" ", markup))
    lines: list[str] = []
    label = ""
    for text, is_title in _blocks(markup):
        if is_title:
            lines += [label.rstrip(": ")] if label else []
            bare = text.rstrip(" :.")
            label = "" if bare.lower() in _NO_LABELS else f"{bare}: "
        else:
            lines.append(f"{label}{text}")
            label = ""
    lines += [label.rstrip(": ")] if label else []
    return "\n".join(lines)


def title_text(markup: str) -> str:
    """A title without its tags and entities."""
    if "<" not in markup and "&" not in markup:
        return markup
    return " ".join(text for text, _ in _blocks(markup))


def unescaped(text: str) -> str:
    """The text with its entities as characters, escaped twice or not."""
    for _ in range(3):
        if "&" not in text:
            break
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return text


def _blocks(markup: str) -> Iterator[tuple[str, bool]]:
    """The paragraphs that are not blank, in order, and whether each is the title of a section."""
    pieces: list[str] = []
    raised_at = alternatives = skipped = at = 0
    in_title = False
    for tag in _TAG.finditer(markup):
        if not skipped:
            pieces.append(_PREAMBLE.sub("", unescaped(markup[at : tag.start()])))
        at = tag.end()
        name = (tag["prefixed"] or tag["name"] or "").lower()
        opens, ends = not tag["end"] and not tag["empty"], bool(tag["end"])
        if name == "alternatives":
            alternatives = max(0, alternatives + opens - ends)
        elif name == "annotation" or (name == "math" and alternatives):
            skipped = max(0, skipped + opens - ends)
        elif name == "sup" and ends:
            pieces[raised_at:] = _raised("".join(pieces[:raised_at]), "".join(pieces[raised_at:]))
        elif name in _BLOCKS:
            if text := " ".join("".join(pieces).split()):
                yield text, in_title
            pieces, raised_at = [], 0
            in_title = name == "title" and opens
        if name == "sup" and opens:
            raised_at = len(pieces)
    if not skipped:
        pieces.append(unescaped(markup[at:]))
    if text := " ".join("".join(pieces).split()):
        yield text, in_title


def _raised(before: str, text: str) -> list[str]:
    """A superscript in the line; "10" raised to "5" must not become "105"."""
    power = before[-1:].isdigit() and _POWER.fullmatch(text.strip())
    return [f"^{text.strip()}" if power else text]
