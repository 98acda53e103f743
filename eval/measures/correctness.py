"""Whether an answer says what a right answer says: facts ("nuggets") found in its sentences.

Wordings are compared token by token, so that "FIT" is not found in "benefit" nor "7.6" in
"17.6". Case, white space, the kind of dash and remnants of LaTeX make no difference. English
only: words of scripts without spaces come out as one token.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from eval.schema import Case, Nugget, Response
from rag.ingest.cleaning import display

_RAISED = re.compile("[⁰¹²³⁴-⁹⁺⁻]+")
_PERCENT = re.compile(r"\bper ?cent\b", re.IGNORECASE)
# En and em dashes join or interrupt; only a hyphen or a minus sign makes a number negative.
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2212", "-") | {"×": " x "})
_TOKEN = re.compile(
    r"""
      (?P<number>
        (?: (?<![^\s(\[{^~=<>≤≥:,]) - )?               # a sign, not a hyphen
        (?: \d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d])       # 1,000.5
          | \d+(?:\.\d+)*                               # 7.6
          | (?<![^\s(\[{^~=<>≤≥:,-]) \.\d+ )             # .5
      )
    | [^\W\d_][^\W_]* (?: (?<=\d) (?:\.\d+)+ )?         # FIT, T5, Qwen2.5
    | [%$€£<>≤≥±+=/&\#°]
    """,
    re.VERBOSE,
)


def tokens(text: str) -> tuple[str, ...]:
    """The words, whole numbers and telling symbols of a text, in order, in comparable form.

    Thousands separators go ("1,000" is "1000"), ".5" is "0.5", "per cent" is "%". Numbers keep
    their digits: "7.60" is not "7.6", as "3.10" is not "3.1".
    """
    plain = _RAISED.sub(lambda run: f" ^{run[0]}", display(text))
    plain = unicodedata.normalize("NFKC", plain).translate(_DASHES)
    plain = _PERCENT.sub("%", plain)
    found = _TOKEN.finditer(plain.casefold())
    return tuple(_number(match[0]) if match["number"] else match[0] for match in found)


def _number(text: str) -> str:
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    digits = digits.replace(",", "")
    return f"{sign}0{digits}" if digits.startswith(".") else sign + digits


def says(sentences: Sequence[str], wordings: Sequence[str]) -> bool:
    """Whether any wording stands, token by token in a row, inside any one of the sentences."""
    wanted = [wording for wording in map(tokens, wordings) if wording]
    return any(_holds(tokens(sentence), wording) for sentence in sentences for wording in wanted)


def _holds(sentence: tuple[str, ...], wording: tuple[str, ...]) -> bool:
    last = len(sentence) - len(wording)
    return any(sentence[at : at + len(wording)] == wording for at in range(last + 1))


def nugget_recall(
    nuggets: Sequence[Nugget], response: Response, *, vital_only: bool = False
) -> float | None:
    """Share of the nuggets that the answer holds, from 0 to 1; None if there are none.

    ``vital_only`` leaves out the merely welcome ones (after the nuggets of TREC's question
    answering track, Voorhees 2003). A declined answer holds none: it scores 0.
    """
    wanted = [nugget for nugget in nuggets if nugget.vital or not vital_only]
    said = answer_sentences(response)
    return sum(says(said, nugget.any) for nugget in wanted) / len(wanted) if wanted else None


def answer_sentences(response: Response) -> tuple[str, ...]:
    """The texts of the claims; none if the question was declined."""
    return () if response.declined is not None else tuple(claim.text for claim in response.claims)


def violations(case: Case, response: Response) -> float | None:
    """1 if the answer says something it must not, else 0; None if declined or nothing is barred.

    It looks for wordings: a sentence that denies one counts as saying it.
    """
    if response.declined is not None or not case.must_not_claim:
        return None
    return float(says(answer_sentences(response), case.must_not_claim))


def correct(case: Case, response: Response) -> float | None:
    """1 if the answer holds every vital nugget and nothing it must not; None without vital ones."""
    recall = nugget_recall(case.nuggets, response, vital_only=True)
    return None if recall is None else float(recall == 1 and not violations(case, response))
