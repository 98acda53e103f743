r"""LaTeX in titles, names and sentences, as characters.

Only what is certain is rewritten: a paper's own macros (``\\pdim``) stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

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
    "xi": "ξ", "Xi": "Ξ", "Pi": "Π", "iota": "ι", "upsilon": "υ", "vartheta": "ϑ", "varrho": "ϱ",
    "subset": "⊂", "subseteq": "⊆", "supset": "⊃", "supseteq": "⊇", "notin": "∉", "cup": "∪",
    "cap": "∩", "setminus": "∖", "emptyset": "∅", "varnothing": "∅", "forall": "∀", "exists": "∃",
    "nabla": "∇", "partial": "∂", "int": "∫", "sum": "∑", "prod": "∏", "propto": "∝", "equiv": "≡",
    "cong": "≅", "simeq": "≃", "triangleq": "≜", "leqslant": "≤", "geqslant": "≥", "lesssim": "≲",
    "gtrsim": "≳", "prec": "≺", "succ": "≻", "perp": "⊥", "parallel": "∥", "mid": "|", "vert": "|",
    "Vert": "‖", "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈",
    "rceil": "⌉", "mapsto": "↦", "gets": "←", "longrightarrow": "→", "leftrightarrow": "↔",
    "Rightarrow": "⇒", "Leftarrow": "⇐", "Leftrightarrow": "⇔", "implies": "⇒", "iff": "⇔",
    "uparrow": "↑", "downarrow": "↓", "oplus": "⊕", "otimes": "⊗", "odot": "⊙", "circ": "∘",
    "ast": "*", "star": "⋆", "bullet": "•", "dagger": "†", "ddagger": "‡", "prime": "′",
    "wedge": "∧", "vee": "∨", "land": "∧", "lor": "∨", "neg": "¬", "lnot": "¬", "div": "÷",
    "colon": ":", "hbar": "ℏ", "degree": "°", "textdegree": "°", "checkmark": "✓",
    "textmu": "µ", "textendash": "–", "textemdash": "—", "textasciitilde": "~", "textbar": "|",
    "textasciicircum": "^", "textquoteright": "’", "LaTeX": "LaTeX", "TeX": "TeX", "ln": "ln",
    "sin": "sin", "cos": "cos", "tan": "tan", "lim": "lim", "limsup": "lim sup",
    "liminf": "lim inf", "sup": "sup", "inf": "inf", "arg": "arg", "argmax": "argmax",
    "argmin": "argmin", "det": "det", "dim": "dim", "Pr": "Pr", "poly": "poly", "xspace": "",
    "displaystyle": "", "textstyle": "", "limits": "", "nolimits": "", "noindent": "",
}  # fmt: skip
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328",
    "r": "\u030a",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "aa": "å", "AA": "Å", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ",
    "dj": "đ", "DJ": "Đ", "ng": "ŋ", "NG": "Ŋ",
}  # fmt: skip

_OVER = {
    "tilde": "\u0303", "widetilde": "\u0303", "hat": "\u0302", "widehat": "\u0302", "bar": "\u0304",
    "overline": "\u0304", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7",
}  # fmt: skip
_SIMPLE = re.compile(r"√?[\w.^]+")
_FONTS = "em|it|bf|rm|sf|tt|sc|sl|cal|itshape|bfseries"
_MATH_FONTS = "math(?:bf|it|tt|rm|sf|cal|bb|frak|scr|bm)|boldsymbol|bm|text|operatorname"


def _symbol(match: re.Match[str]) -> str:
    return _SYMBOLS.get(match[1], match[0])


def _accented(match: re.Match[str]) -> str:
    letter = match["letter"].removeprefix("\\")  # an accent over \\i replaces its dot
    return unicodedata.normalize("NFC", letter + _ACCENTS[match["mark"]])


def _letter(match: re.Match[str]) -> str:
    return _LETTERS[match["name"]]


def _over(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match["letter"] + _OVER[match["over"]])


def _root(match: re.Match[str]) -> str:
    return f"√{match[1]}" if _SIMPLE.fullmatch(match[1]) else f"√({match[1]})"


def _fraction(match: re.Match[str]) -> str:
    parts = (part.strip() for part in match.groups())
    return "/".join(part if _SIMPLE.fullmatch(part) else f"({part})" for part in parts)


_ACCENTED: tuple[Rule, ...] = (
    # \'e, \"{o}, \'{\i}, \c{c}, \c c, {\H o}, {\aa}, \O rsted.
    (re.compile(r"\{\\(?P<mark>['`\"^~=.])\s*\{?(?P<letter>\\[ij]|[A-Za-z])\}?\}"), _accented),
    (re.compile(r"\\(?P<mark>['`\"^~=.])\s*(?:\{(?P<letter>\\[ij]|[A-Za-z])\})"), _accented),
    (
        re.compile(r"\\(?P<mark>['`\"^~=.])(?P<letter>\\[ij])(?:\s+(?=[a-z])|(?![A-Za-z]))"),
        _accented,
    ),
    (re.compile(r"\\(?P<mark>['`\"^~=.])(?P<letter>[A-Za-z])"), _accented),
    (re.compile(r"\\(?P<mark>[cvuHkr])\s*\{(?P<letter>\\[ij]|[A-Za-z])\}"), _accented),
    (re.compile(r"\{\\(?P<mark>[cvuHkr])\s+(?P<letter>\\[ij]|[A-Za-z])\}"), _accented),
    (re.compile(r"\\(?P<mark>[cvuHkr])\s+(?P<letter>[A-Za-z])(?![A-Za-z]*\\)"), _accented),
    (re.compile(rf"\{{\\(?P<name>{'|'.join(_LETTERS)})\s*\}}"), _letter),
    (re.compile(rf"\\(?P<name>{'|'.join(_LETTERS)})(?:\{{\}}|\s+(?=[a-z])|(?![A-Za-z]))"), _letter),
)

RULES: tuple[Rule, ...] = (
    *_ACCENTED,
    # Degrees before symbols, symbols before what is glued to them: \in\mathbb R.
    (re.compile(r"\^\{?\\circ(?![A-Za-z])\}?|\^\{∘\}|\^∘"), "°"),
    (re.compile(r"\\([A-Za-z]+)(?![A-Za-z])(?:\{\})?"), _symbol),
    # {\em X}, also where the sentence ends before the brace does; \mathbb R.
    (re.compile(rf"\{{\\(?:{_FONTS})(?![A-Za-z])\s*([^{{}}]*)\}}"), r"\1"),
    (re.compile(rf"\{{\\(?:{_FONTS})\s+(?=[^{{}}]*$)"), ""),
    (re.compile(rf"\\(?:{_FONTS})(?![A-Za-z])(?:\s+(?=\w)|\{{([^{{}}]*)\}})"), r"\1"),
    (re.compile(rf"\\(?:{_MATH_FONTS})\s+([A-Za-z])(?![A-Za-z])"), r"\1"),
    (re.compile(rf"\\(?:{_MATH_FONTS})(?=[^\x00-\x7f])"), ""),
    # Roots, fractions, letters with something above.
    (re.compile(r"\\sqrt\{([^{}]*)\}"), _root),
    (re.compile(r"\\sqrt\s+(\w)(?!\w)"), r"√\1"),
    (re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}"), _fraction),
    (re.compile(r"\\[dt]?frac\s?(\d)(\d)"), r"\1/\2"),
    (re.compile(rf"\\(?P<over>{'|'.join(_OVER)})(?:\{{(?P<letter>[^\W\d_])\}})"), _over),
    (re.compile(rf"\\(?P<over>{'|'.join(_OVER)})\s+(?P<letter>[^\W\d_])(?![^\W\d_])"), _over),
    (re.compile(rf"\\(?P<over>{'|'.join(_OVER)})(?P<letter>[\u0370-\u03ff])"), _over),
    # \left( \bigl[ \right), \cite{key}.
    (re.compile(r"\\(?:left|right|[bB]ig{1,2}[lr]?)(?![A-Za-z])\s*\.?(?=[\W_])"), ""),
    (re.compile(r"\\cite[tp]?\*?\{([^{}]*)\}"), r"[\1]"),
    # \% \& \$ \_ \{, thin spaces, the signs around a formula.
    (re.compile(r"\\([%&#_${}])"), r"\1"),
    (re.compile(r"\\\|"), "‖"),
    (re.compile(r"\\[,;:! ]"), " "),
    (re.compile(r"\\[()]"), ""),
    (re.compile(r"\\[\[\]]"), " "),
)
"""Where there is a backslash."""

SCRIPTS: tuple[Rule, ...] = (
    # x^{2}, x_{max}, x^{k+1}.
    (re.compile(r"([_^])\{\s*([-+−]?[\w.,′*]+)\s*\}"), r"\1\2"),
    (re.compile(r"([_^])\{\s*([^{}]*?)\s*\}"), r"\1(\2)"),
)
"""Where there is a brace."""


def accented(text: str) -> str:
    r"""The text with LaTeX's accents and letters as characters, for titles and names.

    ``Erd\H{o}s``, ``{\"o}``, ``Ma\~nas``, ``\O rsted``; everything else stays.
    """
    if "\\" not in text:
        return text
    for pattern, replacement in _ACCENTED:
        text = pattern.sub(replacement, text)
    return text
