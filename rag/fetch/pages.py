"""What a live source gives: pages of papers, and where to go on after each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rag.schema import BadRecord, Record

if TYPE_CHECKING:
    from rag.fetch.http import PoliteClient
    from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class Page:
    """Some papers of a source, those that could not be read among them.

    ``position`` is what to go on from after this page, in the source's own unit; ``total`` how
    many papers there are in all, None where the source does not say.
    """

    items: tuple[Record | BadRecord, ...]
    position: int
    total: int | None = None


class Source(Protocol):
    """A live source, asked for something certain."""

    @property
    def key(self) -> str:
        """What is asked for: the same for the same request."""

    def client(self, settings: Settings) -> PoliteClient:
        """A client of the source at the address that is set, as fast as the source allows."""

    def pages(self, client: PoliteClient, position: int, room: int | None) -> Iterator[Page]:
        """The pages from a position on (0 is the beginning), asked for as they are taken.

        ``room`` is how many papers are still wanted (None: all there are); the last page may
        hold more.

        Raises:
            FetchError: the source does not answer as it should.
        """
