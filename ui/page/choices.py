"""What a reader may choose about an answer."""

from __future__ import annotations

from dataclasses import dataclass

from rag.schema import Filters

MAX_PAPERS = 20


@dataclass(frozen=True, slots=True)
class Choices:
    """Which papers to look at and how many (None: as many as suit the question), and how.

    With ``strict``, what a language model wrote and the abstracts do not support is left out;
    with ``quoting``, sentences are quoted even where there is a language model.
    """

    filters: Filters | None = None
    papers: int | None = None
    strict: bool = False
    quoting: bool = False
