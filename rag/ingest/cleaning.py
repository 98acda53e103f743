r"""Cleans a verbatim quote for display and for matching against other text.

The stored abstract is never changed: saved pages carry remnants of LaTeX, with their backslash
(``80\%``) or without (``sim0.01%``, ``textbf{X}``), of HTML and of Markdown. Only what is
certain is rewritten: "2.88 times" and "le" between words stay as they are.
"""

from __future__ import annotations

import html
import re

from rag.ingest.latex import RULES as LATEX
from rag.ingest.latex import SCRIPTS, Rule, accented

__all__ = ["MAX_PASSES", "accented", "display"]

MAX_PASSES = 20
"""Nesting deeper than this is not cleaned at all."""

_STYLES = (
    r"text(?:bf|it|tt|sc|rm|sf|up|sl|md|normal)?|emph|underline|mbox|url"
    r"|math(?:bf|it|tt|rm|sf|cal|bb|frak|scr)|boldsymbol|operatorname"
)
_COLOURS = "black|blue|brown|cyan|gray|green|magenta|orange|pink|purple|red|teal|violet"

# Tags that are certain to be some; of one letter only in pairs, for "a <p> token" may be meant.
_ATTRIBUTES = r"(?:\s+[\w:-]+=(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*/?"
_INLINE_TAGS = r"em|strong|sub|sup|span|small|italic|bold|(?:jats|mml):[\w-]+"
_BLOCK_TAGS = "br|div|h[1-6]|ul|ol|li|title|sec|jats:(?:p|title|sec|list|list-item)"
_PAIRED_TAGS = "i|b|u|p|a|tt"


def _entity(match: re.Match[str]) -> str:
    character = html.unescape(match[0])
    return character if character.isprintable() or character.isspace() else " "


_FORMULA = r"[≤≥∈→^_≈∼~√\\]"

_MARKUP: tuple[Rule, ...] = (
    (re.compile(r"&(?:amp;)*(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24}\d{0,2});"), _entity),
    (re.compile("[\u00ad\u200b\u2060\ufeff]"), ""),
    (re.compile(r"(?<=\d)<sup>([-+−]?\d+)</sup>"), r"^\1"),
    (re.compile(rf"</?(?:{_BLOCK_TAGS}){_ATTRIBUTES}>", re.IGNORECASE), " "),
    (re.compile(rf"</?(?:{_INLINE_TAGS}){_ATTRIBUTES}>", re.IGNORECASE), ""),
    (re.compile(rf"<({_PAIRED_TAGS}){_ATTRIBUTES}>([^<>]*)</\1>", re.IGNORECASE), r"\2"),
    # \footnote{X}; \href{address}{X}; \textcolor{blue}{X} and what saved pages leave of it.
    (re.compile(r"\\footnote\{([^{}]*)\}"), r" (\1)"),
    (re.compile(r"\\href\{[^{}]*\}\{([^{}]*)\}"), r"\1"),
    (re.compile(rf"(?:\\(?:text)?color\{{\w+\}}|\\?\b(?:{_COLOURS}))\{{([^{{}}]*)\}}"), r"\1"),
    (re.compile(rf"(?:\\|\b)(?:{_STYLES})\{{([^{{}}]*)\}}"), r"\1"),
    (re.compile(r"\{(https?://[^{}\s]*)\}"), r"\1"),
    # The same where the sentence ends before the brace does.
    (re.compile(r"\\footnote\{(?=[^{}]*$)"), " "),
    (re.compile(rf"(?:\\|\b)(?:{_STYLES}|{_COLOURS})\{{(?=[^{{}}]*$)"), ""),
)

_REST: tuple[Rule, ...] = (
    # A formula in dollar signs; not "$5 and $10".
    (re.compile(r"\$\$?(?![\s\d])([^$]{1,200}?)(?<!\s)\$\$?(?!\d)"), r"\1"),
    (re.compile(r"\$(?!\d)([^$\s]{1,60})\$"), r"\1"),
    (re.compile(r"\$(\d[^$\s]{0,40})\$(?!\d)"), r"\1"),
    # One that begins with a space or a number and holds what only formulas hold.
    (re.compile(rf"\$\$?\s*([^$]{{0,200}}?{_FORMULA}[^$]{{0,200}}?)\s*\$\$?(?!\d)"), r"\1"),
    # Symbols that have lost their backslash; but sim2real is a word.
    (re.compile(r"(?<![A-Za-z])sim ?(?=\d)(?!2(?:real|sim)\b)"), "~"),
    (re.compile(r"(?<![A-Za-z])leq ?(?=\d)|(?<=\()le (?=\d)"), "≤ "),
    (re.compile(r"(?<![A-Za-z])geq ?(?=\d)|(?<=\()ge (?=\d)"), "≥ "),
    (re.compile(r"(?<=\d)times(?![A-Za-z])"), "×"),
    # A tie between words; a tilde before a number stays.
    (re.compile(r"(?<=[A-Za-z.)])~(?=\w)|(?<=\d)~(?=[A-Za-zμ])"), " "),
    # ``quoted'' and **strong**.
    (re.compile(r"``|(?<![^\s(])''(?=\w)"), "“"),
    (re.compile(r"''"), "”"),
    (re.compile(r"\*\*(?=\S)([^*]+?)(?<=\S)\*\*"), r"\1"),
    # "out-of- domain"; but "short- or long-term" stays.
    (re.compile(r"(\w-\w+-) (?!(?:and|or|nor|to|but|versus|vs)\b)(?=[a-z])"), r"\1"),
    (re.compile(r"\s+"), " "),
)  # fmt: skip


# Each with what a text must hold for one of the rules to apply.
_STAGES = (("\\", LATEX), ("", _MARKUP), ("{", SCRIPTS), ("", _REST))


def display(text: str) -> str:
    """The text as people should read it: one line, without remnants of markup.

    Cleaning twice is the same as cleaning once, and a text that is not blank never comes out
    blank.
    """
    plain = " ".join(text.split())
    cleaned = plain
    for _ in range(MAX_PASSES):
        before = cleaned
        for sign, rules in _STAGES:
            if sign in cleaned:
                for pattern, replacement in rules:
                    cleaned = pattern.sub(replacement, cleaned)
        cleaned = cleaned.strip()
        if cleaned == before:
            return cleaned or plain
    return plain
