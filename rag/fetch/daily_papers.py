"""The Daily Papers of Hugging Face, day by day.

The API (https://huggingface.co/docs/hub/api): ``date``, ``limit`` (at most 100) and ``p``, the
number of the page from 0. A day without papers gives an empty list, one that has yet to come (in
UTC) is refused with 400.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from io import BytesIO

from rag.errors import InputError, StatusError
from rag.fetch.http import PoliteClient, UnusableError
from rag.fetch.pages import Page
from rag.ingest.formats import daily_papers_api
from rag.ingest.formats.fields import record_from
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Place, Record
from rag.settings import Settings

INTERVAL_S = 1.0
PAGE = 100
FIRST_DAY = date(2023, 5, 4)
"""The first Daily Papers."""

MAX_PAGES = 20
"""No day has 2,000 papers: a server that goes on giving some does not know pages."""

_DAYS = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?")


@dataclass(frozen=True, slots=True)
class DailyPapers:
    """The papers of the days from ``first`` to ``last``, both included.

    Raises:
        InputError: there are no such days, or not yet.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise InputError(f"{self.first}..{self.last} runs backwards: put the earlier day first")
        if self.last > (today := datetime.now(UTC).date()):
            raise InputError(f"{self.last} has yet to come: today is {today} (UTC)")
        if self.last < FIRST_DAY:
            raise InputError(
                f"there were no Daily Papers by {self.last}; {FIRST_DAY} had the first"
            )

    @property
    def key(self) -> str:
        """What is asked for: the same for the same request."""
        return f"daily-papers {self.first}..{self.last}"

    def client(self, settings: Settings) -> PoliteClient:
        """A client of the API at the address that is set."""
        return PoliteClient(settings.daily_papers_url, "Daily Papers", interval_s=INTERVAL_S)

    def pages(self, client: PoliteClient, position: int, room: int | None) -> Iterator[Page]:
        """The pages of the days, from the one that is ``position`` days after the first on.

        Raises:
            FetchError: the API does not answer as it should.
        """
        taken = 0
        for number in range(position, (self.last - self.first).days + 1):
            if room is not None and taken >= room:
                return
            items = _papers_of(client, self.first + timedelta(days=number))
            taken += len(items)
            yield Page(tuple(items), number + 1)


def days_from(text: str) -> DailyPapers:
    """Days from ``2025-03-14`` or ``2025-03-14..2025-03-20``.

    Raises:
        InputError: it is neither, or there are no such days.
    """
    match = _DAYS.fullmatch(text.strip())
    try:
        if match:
            first, last = (date.fromisoformat(day) for day in (match[1], match[2] or match[1]))
            return DailyPapers(first, last)
    except ValueError:
        pass
    raise InputError(
        f"{text[:40]!r} is no day and no range of days; expected 2025-03-14, or "
        "2025-03-14..2025-03-20"
    )


def _papers_of(client: PoliteClient, day: date) -> list[Record | BadRecord]:
    """The papers of a day: pages are asked for until one brings nothing new.

    A page may hold fewer papers than were asked for though another follows.
    """
    source = f"huggingface.co/papers/date/{day}"
    items: dict[str, Record | BadRecord] = {}
    for page in range(MAX_PAGES):
        parameters = {"date": f"{day}", "limit": f"{PAGE}", "p": f"{page}"}
        try:
            found = client.get(parameters, lambda body: _read(body, source))
        except StatusError as error:
            if error.status != 400:
                raise
            return [BadRecord(Place(source), f"there are no papers of this day: {error}")]
        new = {_name(item): item for item in found if _name(item) not in items}
        if not new:
            break
        items |= new
    return list(items.values())


def _name(item: Record | BadRecord) -> str:
    return item.reason if isinstance(item, BadRecord) else item.arxiv_id or item.title


def _read(body: bytes, name: str) -> list[Record | BadRecord]:
    """The papers of a page.

    Raises:
        UnusableError: it is no list of papers.
    """
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"no whole JSON: {error}") from error
    if not (isinstance(listed, list) and all(isinstance(item, dict) for item in listed)):
        raise UnusableError("no list of papers")
    source = TextSource(partial(BytesIO, body), name, "utf-8", gzipped=False, head="")
    return [record_from(daily_papers_api.fields(item), source, None) for item in listed]
