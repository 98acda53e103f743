"""Changes the number that a case asks for, in its abstract and in what the case expects. Pure.

Only that number is changed, wherever it stands in the abstract: what follows from it (a sum, a
share in words) is not, so a changed abstract need not add up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

from eval.casechecks import evidence_text, numbers_in
from eval.schema import Case
from rag.schema import Record

# A number on its own: not in "GPT-3.5", "7B", "6-31", "2024/25".
_BEFORE, _AFTER = r"(?<![\w.,/–-])", r"(?![\w/–-]|[.,]\d)"
_ALONE = re.compile(_BEFORE + r"\d+(?:,\d{3})*(?:\.\d+)?" + _AFTER)
_ATTEMPTS = 2000
_FAR = Decimal("0.2")  # the new number differs by at least this share, so rounding is no excuse


def asked_number(case: Case, title: str) -> str | None:
    """The first number of a vital nugget that its evidence writes alike; None if there is none.

    The question and the title must not hold it, or they would contradict the changed abstract.
    """
    quoted = {number for span in case.evidence for number in _ALONE.findall(span.quote)}
    told = numbers_in(f"{case.question} {title}")
    wordings = (wording for nugget in case.nuggets if nugget.vital for wording in nugget.any)
    found = (number for wording in wordings for number in _ALONE.findall(wording))
    return next((n for n in found if n in quoted and _value(n) not in told), None)


def new_number(old: str, case: Case, record: Record) -> str | None:
    """A number of the same format that stands nowhere yet; None if there is none.

    Digits are replaced one by one, so length, commas and decimals stay, and offsets with them. A
    percentage of at most 100 stays one, and the number keeps its order among the others that the
    evidence holds, so that "from 49.5% to 93.5%" stays a rise.
    """
    wordings = [wording for nugget in case.nuggets for wording in nugget.any]
    texts = [record.abstract, record.title, case.question, *case.must_not_claim, *wordings]
    taken = numbers_in(" ".join(texts))
    others = numbers_in(evidence_text(case)) - {_value(old)}
    percent = re.search(rf"{_BEFORE}{re.escape(old)}\s?\\?%", record.abstract) is not None
    for attempt in range(_ATTEMPTS):
        new = _drawn(old, f"{case.base_id} {attempt}")
        if percent and _value(new) > 100 >= _value(old):
            continue
        if _value(new) not in taken and _fits(_value(old), _value(new), others):
            return new
    return None


def _drawn(old: str, seed: str) -> str:
    """The number with every digit drawn anew: no zero but at the start, where it had one."""
    digits = [int(digit, 16) for digit in sha256(seed.encode()).hexdigest()]
    places = [place for place, character in enumerate(old) if character.isdigit()]
    new = list(old)
    for place, digit in zip(places, digits, strict=False):
        new[place] = str(digit % 9 + 1)
    if old[0] == "0":
        new[0] = "0"
    return "".join(new)


def _fits(old: Decimal, new: Decimal, others: Collection[Decimal]) -> bool:
    far = abs(new - old) >= _FAR * old
    return far and all((new < other) == (old < other) for other in others)


def with_number(text: str, old: str, new: str) -> str:
    """The text with the new number wherever the old one stands on its own."""
    return re.sub(_BEFORE + re.escape(old) + _AFTER, new, text)


def case_with_number(case: Case, old: str, new: str, record: Record) -> Case:
    """The case as the changed abstract answers it; claiming the old number is now wrong."""
    was = [w for n in case.nuggets for w in n.any if _value(old) in numbers_in(w)]
    nuggets = tuple(replace(n, any=_reworded(n.any, old, new)) for n in case.nuggets)
    evidence = tuple(replace(s, quote=record.abstract[s.start : s.end]) for s in case.evidence)
    return replace(
        case,
        evidence=evidence,
        nuggets=nuggets,
        must_not_claim=tuple(dict.fromkeys((*case.must_not_claim, *was))),
    )


def _reworded(wordings: Sequence[str], old: str, new: str) -> tuple[str, ...]:
    """The wordings with the new number; those that say the old one in words are left out."""
    holding = [wording for wording in wordings if _value(old) in numbers_in(wording)]

    def renumbered() -> Iterator[str]:
        for wording in holding:
            for number in _ALONE.findall(wording):
                if _value(number) == _value(old):
                    # "40.5" beside "40.50": neither ends in a zero any more.
                    plain = new if number == old or "," in number else new.replace(",", "")
                    yield with_number(wording, number, plain)

    return tuple(dict.fromkeys(renumbered())) if holding else tuple(wordings)


def _value(number: str) -> Decimal:
    return Decimal(number.replace(",", ""))
