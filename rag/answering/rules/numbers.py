"""A number in the claim has to stand in the evidence."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answering.rules.words import STOPWORDS, stem
from rag.ingest.cleaning import display

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip
_TEENS = (
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_COUNTS = {word: float(n) for n, word in enumerate([*_ONES, *_TEENS])}
_COUNTS |= {word: float(n * 10) for n, word in enumerate(_TENS, start=2)}
_COUNTS |= {"dozen": 12.0, "hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_SCALES = {
    "k": 1e3, "m": 1e6, "b": 1e9, "bn": 1e9, "t": 1e12, "hundred": 1e2, "thousand": 1e3,
    "million": 1e6, "millions": 1e6, "billion": 1e9, "trillion": 1e12, "millionen": 1e6,
    "mio": 1e6, "milliarden": 1e9, "mrd": 1e9, "milliards": 1e9, "millones": 1e6, "milioni": 1e6,
}  # fmt: skip
_TIMES = {
    "half": 0.5, "halves": 0.5, "halved": 0.5, "halving": 0.5, "twice": 2.0, "double": 2.0,
    "doubles": 2.0, "doubled": 2.0, "doubling": 2.0, "triple": 3.0, "triples": 3.0,
    "tripled": 3.0, "thrice": 3.0, "quadruple": 4.0, "quadrupled": 4.0, "tenfold": 10.0,
    "twofold": 2.0, "threefold": 3.0, "fourfold": 4.0, "fivefold": 5.0, "sixfold": 6.0,
    "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "fifth": 0.2, "tenth": 0.1,
}  # fmt: skip

_NUMBER = re.compile(
    r"""(?<![\w.,])(?<![A-Za-z]-)(?<![\w.,][\^_])
    (?P<digits>\d{1,3}(?:[ \u202f]\d{3})+(?!\d|[.,]\d)|\d+(?:[.,·]\d+)*)
    (?:\s?(?P<scale>[KkMBT]|bn)(?![\w])
      |[\s-](?P<word>hundred|thousand|millions?|billion|trillion
         |Millionen|Mio|Milliarden|Mrd|milliards|millones|milioni)\b)?
    (?P<unit>\s?%|\s?percentage[ ]points?|\s?pp\b|\s?per\s?cent\b|\s?percent\b|\s?-?\s?fold\b
      |\s?[x×](?![A-Za-z0-9])|\s?-?times\b)?
    (?P<ordinal>(?:st|nd|rd|th)\b)?
    (?![A-Za-z0-9])""",
    re.VERBOSE,
)
_SPELLED = re.compile(
    rf"(?<![\w-])(?<!\d[ ])(?:(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_ONES[1:10])})"
    rf"|{'|'.join(word for word in _COUNTS if word not in ('zero', 'one'))})(?!\w)",
    re.IGNORECASE,
)
_FRACTION = re.compile(rf"\b(?:{'|'.join(_TIMES)})\b", re.IGNORECASE)
_FACTOR = re.compile(r"[\s-]?(?:fold|times)\b", re.IGNORECASE)
_PERCENT = re.compile(r"[\s-](?:per\s?cent|percentage points?)\b", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?:about|around|roughly|approximately|approx\.?|circa|some|near|close to|~|≈|rund|etwa|ca\.?"
    r"|environ|unos|up to|order of)\W*$",
    re.IGNORECASE,
)
_ABOVE = re.compile(
    r"(?:over|more than|greater than|above|exceed\w*|at least|upwards? of|>|≥|larger than"
    r"|higher than|mehr als|plus de|más de)\W*$",
    re.IGNORECASE,
)
_BELOW = re.compile(
    r"(?:nearly|almost|under|less than|fewer than|below|at most|up to|within|<|≤|lower than"
    r"|smaller than|fast|weniger als)\W*$",
    re.IGNORECASE,
)
_PERIODS = frozenset({"second", "minut", "hour", "day", "week", "month", "year", "decad"})
_MOST = 200
"""Numbers of a claim that are looked up: a real one has a few, and each costs a comparison."""
_NOUN_END = re.compile(r"[,;:.()\d]|\b(?:and|or)\b")
_MAGNITUDE = re.compile(r"orders? of magnitude|fold\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text.

    ``values`` are its readings ("1.000" may be one or a thousand). ``unit`` is ``%``, ``x`` (a
    factor) or empty; ``noun`` holds the stems of up to four words after it; ``rounding`` is
    ``about``, ``above``, ``below`` or empty; ``counted`` marks a small whole number without a
    unit, which may merely count what the evidence lists.
    """

    text: str
    values: tuple[float, ...]
    unit: str
    noun: tuple[str, ...]
    rounding: str
    counted: bool


def numbers(text: str) -> list[Number]:
    """The numbers of a text in order of appearance: digits, then words."""
    shown = display(text)
    return [*_digits(shown), *_spelled(shown)]


def _digits(text: str) -> Iterator[Number]:
    for match in _NUMBER.finditer(text):
        scale = _SCALES.get((match["scale"] or match["word"] or "").lower(), 1.0)
        unit = _unit(match["unit"] or "")
        values = tuple(value * scale for value in _readings(match["digits"]))
        if match["scale"] and match[0][-2:-1].isspace():
            values += tuple(_readings(match["digits"]))  # "10 M" may be molar
        whole = scale == 1 and not unit and values[0] <= 12 and values[0].is_integer()
        shown = text[match.start("digits") : match.end()].strip()
        yield Number(
            shown,
            values,
            unit,
            _noun(text, match.end()),
            _rounding(text, match.start("digits")),
            counted=whole,
        )


def _readings(digits: str) -> tuple[float, ...]:
    """What the digits can mean: "1,000" is a thousand, "76,2" is 76.2, "1.000" is either."""
    digits = digits.replace("·", ".").replace(" ", "").replace("\u202f", "")
    plain = digits.replace(",", "")
    if "," not in digits:
        readings = [plain] if plain.count(".") < 2 else [plain.replace(".", "")]
        if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", digits):
            readings.append(digits.replace(".", ""))
    elif re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        readings = [plain]
    elif re.fullmatch(r"\d{1,3}(?:\.\d{3})*,\d+", digits):
        readings = [digits.replace(".", "").replace(",", ".")]
    else:
        readings = [plain if plain.count(".") < 2 else plain.replace(".", "")]
    return tuple(float(reading) for reading in readings)


def _unit(written: str) -> str:
    written = written.strip().lower()
    if not written:
        return ""
    return "%" if written[0] in "%p" else "x"


def _spelled(text: str) -> Iterator[Number]:
    for match in _SPELLED.finditer(text):
        word, after = match[0].lower(), text[match.end() : match.end() + 20]
        factor = _FACTOR.match(after)
        percent = _PERCENT.match(after)
        tens, _, ones = word.replace(" ", "-").partition("-")
        yield Number(
            match[0],
            (_COUNTS[tens] + _COUNTS.get(ones, 0.0),),
            "x" if factor else "%" if percent else "",
            _noun(text, match.end()),
            _rounding(text, match.start()),
            counted=not factor and not percent,
        )
    for match in _FRACTION.finditer(text):
        value = _TIMES[match[0].lower().split()[0]]
        yield Number(match[0], (value,), "x", _noun(text, match.end()), "about", counted=False)


def _noun(text: str, end: int) -> tuple[str, ...]:
    run = _NOUN_END.split(text[end : end + 80], maxsplit=1)[0]
    return tuple(stem(word) for word in re.findall(r"[^\W\d_]+", run)[:4])


def _rounding(text: str, start: int) -> str:
    before = text[max(0, start - 24) : start]
    for name, pattern in (("about", _ABOUT), ("above", _ABOVE), ("below", _BELOW)):
        if pattern.search(before):
            return name
    return ""


def veto(claim: str, evidence: Sequence[str]) -> str | None:
    """The reason why a number of the claim rules it out, or None."""
    text = " \n ".join(evidence)
    given = list(dict.fromkeys(numbers(text)))
    magnitude = _MAGNITUDE.search(display(text)) is not None
    for number in list(dict.fromkeys(numbers(claim)))[:_MOST]:
        agreeing = [other for other in given if _agree(number, other)]
        if agreeing:
            if reason := _attached_elsewhere(number, agreeing, given):
                return reason
        elif reason := _missing(number, given, magnitude=magnitude):
            return reason
    return None


def _missing(number: Number, given: Sequence[Number], *, magnitude: bool) -> str | None:
    """The reason of a veto on a number that the evidence does not give."""
    if number.unit == "x" and (magnitude or not any(other.unit for other in given)):
        return None  # "half", "ten times": often what a table or other words amount to
    if number.counted:
        rival = next((other for other in given if _same_noun(number, other)), None)
        return None if rival is None else _reason(number, rival)
    return _reason(number, _nearest(number, given))


def _attached_elsewhere(
    number: Number, agreeing: Sequence[Number], given: Sequence[Number]
) -> str | None:
    """The reason where the number stands in the evidence, but counts something else there."""
    nouns = set(number.noun)
    if number.noun[:1] and number.noun[0] in _PERIODS:
        others = [other for other in agreeing if other.noun[:1] and other.noun[0] in _PERIODS]
        if len(others) == len(agreeing) and all(o.noun[0] != number.noun[0] for o in others):
            theirs = f"{others[0].text} {others[0].noun[0]}"
            return f"the claim says {number.text} {number.noun[0]}, the evidence says {theirs}"
    if not number.noun or number.noun[0] in STOPWORDS or number.unit:
        return None
    if any(nouns & set(other.noun) or not other.noun for other in agreeing):
        return None
    rival = next((other for other in given if other.noun[:1] == number.noun[:1]), None)
    return None if rival is None or rival in agreeing else _reason(number, rival)


def _agree(number: Number, other: Number) -> bool:
    return any(
        _close(number, mine, theirs)
        for mine in _in_common(number, other)
        for theirs in other.values
    )


def _in_common(number: Number, other: Number) -> tuple[float, ...]:
    """The claim's readings in the unit of the evidence's number."""
    if number.unit == "x" and other.unit == "%":
        return tuple(value * 100 for value in number.values)
    if number.unit == "%" and other.unit in ("x", ""):
        return (*number.values, *(value / 100 for value in number.values))
    if number.unit == "x" and number.values[0] < 1:
        return (*number.values, *(1 / value for value in number.values))
    if number.unit == "x" and other.unit == "x":
        return (*number.values, *(1 / value for value in number.values if value))
    return number.values


def _close(number: Number, mine: float, theirs: float) -> bool:
    if math.isclose(mine, theirs, rel_tol=1e-9):
        return True
    if number.rounding == "about":
        return abs(mine - theirs) <= 0.1 * max(abs(mine), abs(theirs))
    if number.rounding == "above":
        return mine <= theirs <= 1.5 * mine
    if number.rounding == "below":
        return 0.8 * mine <= theirs <= mine
    return False


def _same_noun(number: Number, other: Number) -> bool:
    """Whether both count the same thing: the first noun-like word after one follows the other."""
    return bool(number.noun and other.noun and number.values != other.values) and (
        number.noun[0] == other.noun[0] or number.noun[:2] == other.noun[1:3]
    )


def _nearest(number: Number, given: Sequence[Number]) -> Number | None:
    """The evidence's number that the claim most likely got wrong.

    One that counts if the claim's does; then same noun, unit, size.
    """

    def likeness(other: Number) -> tuple[bool, int, bool, float]:
        shared = len(set(number.noun) & set(other.noun))
        size = -abs(number.values[0] - other.values[0])
        return other.counted == number.counted, shared, number.unit == other.unit, size

    return max(given, key=likeness, default=None)


def _reason(number: Number, other: Number | None) -> str:
    if other is None:
        return f"the claim says {number.text}, the evidence gives no number"
    return f"the claim says {number.text}, the evidence says {other.text}"
