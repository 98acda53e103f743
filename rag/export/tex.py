r"""Text that TeX prints as it is, and text whose braces BibTeX can count. Pure.

Braces must balance whichever way a reader counts them: BibTeX counts ``\{`` as a brace, other
readers do not.
"""

from __future__ import annotations

import re

from rag.ingest.formats.bibtex_text import ENTRY, NAMED_BRACES, one_group
from rag.ingest.formats.fields import one_line, storable

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_LIGATURES = frozenset(("--", "``", "''", ",,", "<<", ">>", "?`", "!`"))
_BRACE = re.compile(r"(\\*)([{}])")

# A formula in dollar signs, not "$5 and $10": in ASCII, as every engine sets it.
_FORMULA = re.compile(r"(?<!\\)\$(?=[^\s$])([^$]{0,200}?[^\s\\$])\$(?!\d)")
_PLAIN_FORMULA = re.compile(
    r"(?:[A-Za-z0-9 +\-*/=<>()\[\]|.,:;!?'^_{}]|\\[A-Za-z]+|\\[,;:!{}|%&_ ])+"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
# Commands that only set something: none of them reads a file, writes one or defines a command.
_COMMANDS = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi
    rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi
    Psi Omega ell hbar infty partial nabla emptyset varnothing aleph Re Im top bot angle prime star
    ast circ bullet cdot cdots ldots dots vdots times div pm mp oplus otimes odot cup cap setminus
    wedge vee neg lnot land lor forall exists in ni notin subset subseteq supset supseteq sim simeq
    approx cong equiv propto ne neq le leq ge geq ll gg lesssim gtrsim prec succ parallel perp mid
    to mapsto gets rightarrow leftarrow leftrightarrow Rightarrow Leftarrow Leftrightarrow uparrow
    downarrow longrightarrow hookrightarrow implies iff sum prod int oint sqrt frac tfrac dfrac
    binom log ln exp sin cos tan cot sinh cosh tanh arcsin arccos arctan min max sup inf lim limsup
    liminf arg argmin argmax det dim ker deg gcd Pr mod bmod pmod bar hat tilde vec dot ddot check
    breve acute grave widehat widetilde overline underline overbrace underbrace mathbf mathit
    mathrm mathsf mathtt mathcal mathbb mathfrak mathscr boldsymbol bm text textbf textit textrm
    textsf texttt operatorname rm bf it big Big bigg Bigg bigl bigr Bigl Bigr lfloor
    rfloor lceil rceil langle rangle lvert rvert lVert rVert vert Vert quad qquad
"""
_HARMLESS = frozenset(_COMMANDS.split())


def escape_tex(text: str) -> str:
    """Text on one line that TeX prints as it is.

    A formula in dollar signs stays one if it holds nothing but letters, signs and commands that
    set them; any other dollar sign is a dollar sign.
    """
    line = one_line(text)
    alone = _unmatched(line)
    pieces, at = list[str](), 0
    for found in _FORMULA.finditer(line):
        if _is_formula(found[1]):
            pieces += [_prose(line, at, found.start(), alone), found[0]]
            at = found.end()
    return "".join([*pieces, _prose(line, at, len(line), alone)])


def keep_verbatim(text: str) -> str:
    r"""Text as it stands, on one line, for a field that is not typeset: an abstract.

    Changed is only what would end the field, or begin an entry in the eyes of readers that look
    for one: a brace without a partner is named (``\textbraceleft{}``), and so is a pair round the
    whole, the @ of ``@name{`` is put into braces, and a space comes behind a backslash at the end.
    """
    kept = one_line(text)
    for place in sorted(_unmatched(kept), reverse=True):
        kept = f"{kept[:place]}{NAMED_BRACES[kept[place]]}{kept[place + 1 :]}"
    if one_group(kept):
        kept = f"{NAMED_BRACES['{']}{kept[1:-1]}{NAMED_BRACES['}']}"
    return ENTRY.sub("{@}", kept) + (" " if kept.endswith("\\") else "")


def keep_address(text: str) -> str:
    """A DOI or an address as BibLaTeX takes it, verbatim; braces and backslashes as ``%7B``."""
    return re.sub(r"[{}\\\s]", lambda found: f"%{ord(found[0]):02X}", storable(text).strip())


def _prose(line: str, start: int, end: int, alone: set[int]) -> str:
    """A part of the line without formulas, escaped."""
    return "".join(_escaped(line, place, alone) for place in range(start, end))


def _escaped(line: str, place: int, alone: set[int]) -> str:
    character = line[place]
    if place in alone:
        return NAMED_BRACES[character]
    if line[max(place - 1, 0) : place + 1] in _LIGATURES:
        return f"{{{character}}}"
    return _SPECIAL.get(character, character)


def _unmatched(text: str) -> set[int]:
    """Where braces stand that have no partner with as many backslashes (up to two) before it."""
    open_: tuple[list[int], ...] = ([], [], [])
    alone: set[int] = set()
    for found in _BRACE.finditer(text):
        waiting = open_[min(len(found[1]), 2)]
        if found[2] == "{":
            waiting.append(found.start(2))
        elif waiting:
            waiting.pop()
        else:
            alone.add(found.start(2))
    return alone.union(*open_)


def _is_formula(inner: str) -> bool:
    return (
        _PLAIN_FORMULA.fullmatch(inner) is not None
        and (" " not in inner or re.search(r"[\\^_]", inner) is not None)
        and _HARMLESS.issuperset(_COMMAND.findall(inner))
        and not _unmatched(inner)
    )
