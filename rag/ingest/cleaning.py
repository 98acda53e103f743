r"""Cleans a verbatim quote for display and for matching against other text.

The stored abstract is never changed: saved pages carry remnants of LaTeX, with their backslash
(``80\%``) or without (``sim0.01%``, ``textbf{X}``), of HTML and of Markdown. Only what is
certain is rewritten: "2.88 times" and "le" between words stay as they are.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable

MAX_PASSES = 20
"""Nesting deeper than this is not cleaned at all."""

_SYMBOLS = {
    "sim": "~", "approx": "≈", "times": "×", "cdot": "·", "pm": "±", "mp": "∓", "le": "≤",
    "leq": "≤", "ge": "≥", "geq": "≥", "neq": "≠", "ne": "≠", "ll": "≪", "gg": "≫",
    "textgreater": ">", "textless": "<", "to": "→", "rightarrow": "→", "leftarrow": "←",
    "infty": "∞", "in": "∈", "ell": "ℓ", "ldots": "…", "dots": "…", "cdots": "…",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ", "chi": "χ",
    "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ",
    "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ss": "ß", "o": "ø", "O": "Ø", "l": "ł",
    "L": "Ł", "ae": "æ", "AE": "Æ", "aa": "å", "AA": "Å", "log": "log", "exp": "exp",
    "max": "max", "min": "min", "textbackslash": "\\", "quad": " ", "qquad": " ",
}  # fmt: skip
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328",
    "r": "\u030a",
}  # fmt: skip

_STYLES = (
    r"text(?:bf|it|tt|sc|rm|sf|up|sl|md|normal)?|emph|underline|mbox|url"
    r"|math(?:bf|it|tt|rm|sf|cal|bb|frak|scr)|boldsymbol|operatorname"
)
_COLOURS = "black|blue|brown|cyan|gray|green|magenta|orange|pink|purple|red|teal|violet"

_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _symbol(match: re.Match[str]) -> str:
    return _SYMBOLS.get(match[1], match[0])


def _accented(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match["letter"] + _ACCENTS[match["mark"]])


def _entity(match: re.Match[str]) -> str:
    character = html.unescape(match[0])
    return character if character.isprintable() or character.isspace() else " "


_RULES: tuple[_Rule, ...] = (
    (re.compile(r"&(?:amp;)*(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24}\d{0,2});"), _entity),
    (re.compile("[\u00ad\u200b\u2060\ufeff]"), ""),
    # \footnote{X}; \href{address}{X}; \textcolor{blue}{X} and what saved pages leave of it.
    (re.compile(r"\\footnote\{([^{}]*)\}"), r" (\1)"),
    (re.compile(r"\\href\{[^{}]*\}\{([^{}]*)\}"), r"\1"),
    (re.compile(rf"(?:\\(?:text)?color\{{\w+\}}|\\?\b(?:{_COLOURS}))\{{([^{{}}]*)\}}"), r"\1"),
    (re.compile(rf"(?:\\|\b)(?:{_STYLES})\{{([^{{}}]*)\}}"), r"\1"),
    (re.compile(r"\{(https?://[^{}\s]*)\}"), r"\1"),
    # The same where the sentence ends before the brace does.
    (re.compile(r"\\footnote\{(?=[^{}]*$)"), " "),
    (re.compile(rf"(?:\\|\b)(?:{_STYLES}|{_COLOURS})\{{(?=[^{{}}]*$)"), ""),
    # Accents: \'e, \"{o}, \c{c}; symbols: \sim, \alpha.
    (re.compile(r"\\(?P<mark>['`\"^~=.])(?P<letter>[A-Za-z])"), _accented),
    (re.compile(r"\\(?P<mark>['`\"^~=.cvuHkr])\{(?P<letter>[A-Za-z])\}"), _accented),
    (re.compile(r"\\([A-Za-z]+)(?![A-Za-z])(?:\{\})?"), _symbol),
    # \% \& \$ \_ and thin spaces.
    (re.compile(r"\\([%&#_$])"), r"\1"),
    (re.compile(r"\\[,;:! ]"), " "),
    # A formula in dollar signs; not "$5 and $10".
    (re.compile(r"\$\$?(?![\s\d])([^$]{1,200}?)(?<!\s)\$\$?(?!\d)"), r"\1"),
    (re.compile(r"\$(?!\d)([^$\s]{1,60})\$"), r"\1"),
    (re.compile(r"\$(\d[^$\s]{0,40})\$(?!\d)"), r"\1"),
    # Symbols that have lost their backslash.
    (re.compile(r"(?<![A-Za-z])sim ?(?=\d)"), "~"),
    (re.compile(r"(?<![A-Za-z])leq ?(?=\d)|(?<=\()le (?=\d)"), "≤ "),
    (re.compile(r"(?<![A-Za-z])geq ?(?=\d)|(?<=\()ge (?=\d)"), "≥ "),
    (re.compile(r"(?<=\d)times(?![A-Za-z])"), "×"),
    # A tie between words; a tilde before a number stays.
    (re.compile(r"(?<=[A-Za-z.)])~(?=\w)"), " "),
    # ``quoted'' and **strong**.
    (re.compile(r"``|(?<![^\s(])''(?=\w)"), "“"),
    (re.compile(r"''"), "”"),
    (re.compile(r"\*\*(?=\S)([^*]+?)(?<=\S)\*\*"), r"\1"),
    # "out-of- domain"; but "short- or long-term" stays.
    (re.compile(r"(\w-\w+-) (?!(?:and|or|nor|to|but|versus|vs)\b)(?=[a-z])"), r"\1"),
    (re.compile(r"\s+"), " "),
)  # fmt: skip


def display(text: str) -> str:
    """The text as people should read it: one line, without remnants of markup.

    Cleaning twice is the same as cleaning once, and a text that is not blank never comes out
    blank.
    """
    plain = " ".join(text.split())
    cleaned = plain
    for _ in range(MAX_PASSES):
        before = cleaned
        for pattern, replacement in _RULES:
            cleaned = pattern.sub(replacement, cleaned)
        cleaned = cleaned.strip()
        if cleaned == before:
            return cleaned or plain
    return plain
