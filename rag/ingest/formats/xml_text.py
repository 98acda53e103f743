"""The text of XML elements as it is stored: of PubMed, of JATS, and of formulas inside them.

Markup goes, the text stays in its order. Only where that would say something else a sign is put
in: ``10<sup>5</sup>`` is not 105 but 10^5, and a fraction keeps its stroke.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

_SPACE = re.compile(r"[ \t\n\r]+")
_POWER = re.compile(r"[-+\u2212\u2013]?\d")
# What is not part of the running text: notes, pictures, formulas in a second notation.
_DROPPED = frozenset(
    ("fn", "graphic", "inline-graphic", "alt-text", "long-desc", "object-id", "media",
     "annotation", "annotation-xml", "supplementary-material")
)  # fmt: skip
_APART = frozenset(
    ("br", "break", "p", "title", "list", "list-item", "def-list", "def-item", "disp-formula",
     "disp-quote", "DispFormula", "td", "th", "tr")
)  # fmt: skip
_TABLES, _ROWS = ("mtable", "matrix"), ("mtr", "mlabeledtr", "matrixrow", "vector")
_INVISIBLE = re.compile("[\u2061-\u2064]")
_ONE_TERM = re.compile(r"[\w.]+")


def inline_text(element: Element | None) -> str:
    """The text of an element on one line, with single spaces; empty for none.

    Other spaces than those of ASCII stay: ``337&#x2009;802``.
    """
    if element is None:
        return ""
    parts: list[str] = []
    _write_content(element, parts)
    return _SPACE.sub(" ", "".join(parts)).strip(" ")


def labelled(label: str | None, text: str) -> str:
    """A section of an abstract as ``Label: text``; the text alone without a label."""
    name = (label or "").strip().rstrip(":.").rstrip()
    if not name or not text:
        return text
    return f"{name} {text}" if name.endswith("?") else f"{name}: {text}"


def sections_text(element: Element | None) -> str:
    """The text of an abstract in JATS: a line a paragraph, sections as ``Label: text``.

    Its own heading ("Abstract") is left out.
    """
    return "" if element is None else "\n".join(_sections(element))


def _sections(element: Element) -> list[str]:
    if not any(child.tag in ("sec", "p", "list") for child in element):
        text = inline_text(_without_heading(element))
        return [text] if text else []
    found = []
    for child in element:
        if child.tag == "sec":
            inner = _sections(child)
            if inner:
                inner[0] = labelled(inline_text(child.find("title")), inner[0])
            found += inner
        elif child.tag == "list":
            found += map(inline_text, child.iter("list-item"))
        elif child.tag not in ("title", "label", *_DROPPED):
            found.append(inline_text(child))
    return list(filter(None, found))


def _without_heading(element: Element) -> Element:
    copy = Element(element.tag)
    copy.text = element.text
    for child in element:
        if child.tag in ("title", "label"):
            copy.text = f"{copy.text or ''} {child.tail or ''}"
        else:
            copy.append(child)
    return copy


def _write_content(element: Element, parts: list[str]) -> None:
    parts.append(element.text or "")
    for child in element:
        _write(child, parts)
        parts.append(child.tail or "")


def _write(element: Element, parts: list[str]) -> None:
    tag = element.tag
    if tag in _DROPPED:
        return
    if tag in ("sub", "sup"):
        # These stand on what is before them: a line break there was made by a printer of XML.
        before = parts[-1].rstrip(" \t\n")
        if "\n" not in parts[-1][len(before) :]:
            before = parts[-1]
        parts[-1] = before
        text = inline_text(element)
        parts.append(_raised(before, text) if tag == "sup" else text)
    elif tag == "math":
        parts.append(_formula(element))
    elif tag == "tex-math":
        parts.append(_tex(element))
    elif tag == "alternatives":
        _write_best(element, parts)
    elif tag in _APART:
        parts.append(" ")
        _write_content(element, parts)
        parts.append(" ")
    else:
        _write_content(element, parts)


def _write_best(alternatives: Element, parts: list[str]) -> None:
    """One of several notations: a formula's MathML, then TeX, then what else there is."""
    for tag in ("math", "tex-math"):
        if (found := alternatives.find(tag)) is not None:
            _write(found, parts)
            return
    for child in alternatives:
        if child.tag not in _DROPPED:
            _write(child, parts)
            return


def _raised(before: str, text: str) -> str:
    """A superscript in the line; a number on a number is a power."""
    return f"^{text}" if before[-1:].isdecimal() and _POWER.match(text) else text


def _tex(element: Element) -> str:
    """A formula in TeX; of the whole document that Springer makes of one, its body."""
    text = "".join(element.itertext())
    _, begins, body = text.partition("\\begin{document}")
    return (body.partition("\\end{document}")[0] if begins else text).strip()


def _formula(element: Element) -> str:
    """A formula of MathML as one line of text, without spaces between its terms."""
    tag = element.tag
    if tag in _DROPPED:
        return ""
    if tag == "semantics":
        return _formula(element[0]) if len(element) else ""
    terms = [_formula(child) for child in element]
    if not terms or tag in ("cn", "ci", "mtext"):
        text = _SPACE.sub(" ", " ".join(element.itertext()))
        return _INVISIBLE.sub("", text if tag == "mtext" else text.strip())
    if tag == "mfrac":
        return "/".join(map(_grouped, terms[:2]))
    if tag == "msqrt":
        return f"√{_grouped(''.join(terms))}"
    if tag == "mroot" and len(terms) == 2:
        return f"{_grouped(terms[0])}^(1/{terms[1]})"
    if tag in ("msup", "msubsup", "munderover") and len(terms) > 1:
        return "".join(terms[:-1]) + _exponent(terms[0], terms[-1])
    if tag == "mfenced":
        return _fenced(element, terms)
    if tag in _TABLES:
        return "; ".join(terms)
    return (" " if tag in _ROWS or tag == "apply" else "").join(terms)


def _exponent(base: str, text: str) -> str:
    """What stands at the upper right of a term; marks such as a prime stay without a sign."""
    return f"^{_grouped(text)}" if base and re.search(r"\w", text) else text


def _grouped(text: str) -> str:
    return text if _ONE_TERM.fullmatch(text) else f"({text})"


def _fenced(element: Element, terms: list[str]) -> str:
    separator = element.get("separators", ",").strip()[:1]
    return element.get("open", "(") + separator.join(terms) + element.get("close", ")")
