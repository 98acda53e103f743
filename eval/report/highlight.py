"""Quotes marked inside the abstract that they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise


def place(abstract: str, quote: str, start: int, end: int) -> tuple[int, int] | None:
    """Where a quote stands: at its offsets, else where it is first found, else None.

    Offsets can miss: the abstract of a derived case is not the one that it was written for.
    """
    if not quote:
        return None
    if abstract[start:end] == quote:
        return start, end
    found = abstract.find(quote)
    return (found, found + len(quote)) if found >= 0 else None


def highlighted(
    abstract: str,
    gold: Iterable[tuple[int, int]],
    cited: Iterable[tuple[int, int]],
) -> str:
    """The abstract as HTML, its gold and cited pieces in ``<mark class="gold cited">``.

    Where the two overlap, the piece has both classes; removing the tags gives back the abstract.
    """
    layers = (("gold", list(gold)), ("cited", list(cited)))
    cuts = {0, len(abstract)}
    for _, spans in layers:
        cuts.update(min(len(abstract), max(0, at)) for span in spans for at in span)
    edges = sorted(cuts)
    parts: list[str] = []
    for start, end in pairwise(edges):
        names = [name for name, spans in layers if _covered(spans, start, end)]
        text = escape(abstract[start:end])
        parts.append(f'<mark class="{" ".join(names)}">{text}</mark>' if names else text)
    return "".join(parts)


def _covered(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    return any(low <= start and end <= high for low, high in spans)
