"""Papers of a query to the arXiv API, newest first.

The API's rules (https://info.arxiv.org/help/api/user-manual.html and …/tou.html): one request
every three seconds over one connection, pages of at most 2,000. Pages now and then come empty, or
with fewer papers than were asked for, though more follow; then the page is asked for again, or the
next one begins earlier. Papers that arrive meanwhile push the others down the list: some come
twice, none is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from rag.errors import FetchError, InputError, RefusedError, StatusError
from rag.fetch.feed import Feed, read_feed
from rag.fetch.http import PoliteClient, UnusableError
from rag.fetch.pages import Page
from rag.settings import Settings

INTERVAL_S = 3.0
PAGE = 100
"""Papers a request: more make the API slow, and known pages of 166 and more fail."""

MAX_QUERY_CHARS = 2_000

_DEEP = 10_000


@dataclass(frozen=True, slots=True)
class ArxivQuery:
    """A query in arXiv's own words, for papers first submitted on ``since`` (UTC) or later.

    Raises:
        InputError: the query is empty or too long, or the day has yet to come.
    """

    query: str
    since: date | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "query", " ".join(self.query.split()))
        if not self.query:
            raise InputError(
                "the query to arXiv is empty; expected one such as 'cat:cs.CL AND abs:grokking'"
            )
        if len(self.query) > MAX_QUERY_CHARS:
            raise InputError(
                f"the query to arXiv has {len(self.query):,} characters, at most "
                f"{MAX_QUERY_CHARS:,} fit in a request: make several of it"
            )
        if self.since and self.since > _tomorrow():
            raise InputError(f"{self.since} has yet to come: nothing was submitted since then")

    @property
    def key(self) -> str:
        """What is asked for: the same for the same request."""
        return f"arxiv {self.query}" + (f" since={self.since}" if self.since else "")

    def client(self, settings: Settings) -> PoliteClient:
        """A client of the API at the address that is set."""
        return PoliteClient(settings.arxiv_url, "arXiv", interval_s=INTERVAL_S)

    def pages(self, client: PoliteClient, position: int, room: int | None) -> Iterator[Page]:
        """The pages from the paper at ``position`` on, newest first, at most ``room`` papers.

        Raises:
            FetchError: the API does not take the query, or does not answer as it should.
        """
        known = 0
        end = None if room is None else position + room
        while end is None or position < end:
            size = PAGE if end is None else min(PAGE, end - position)
            feed = self._page(client, position, size, known)
            position, known = position + len(feed.items), feed.total
            yield Page(feed.items, position, feed.total)
            if position >= feed.total:
                return

    def _page(self, client: PoliteClient, start: int, size: int, known: int) -> Feed:
        def read(body: bytes) -> Feed:
            feed = read_feed(body)
            if not feed.items and start < max(feed.total, known):
                raise UnusableError(f"no papers after {start:,} of {max(feed.total, known):,}")
            return feed

        parameters = {
            "search_query": self.search_query(),
            "start": str(start),
            "max_results": str(size),
            "sortBy": "submittedDate",
            "sortOrder": "descending",
        }
        try:
            return client.get(parameters, read)
        except StatusError as error:
            raise _in_words(error) from error
        except RefusedError:
            raise
        except FetchError as error:
            if start < _DEEP:
                raise
            hint = f"arXiv may give no more than {start:,} papers of a query: narrow it, or --since"
            raise FetchError(f"{error}. {hint}") from error

    def search_query(self) -> str:
        """The query as it is sent: with the days that were asked for."""
        if self.since is None:
            return self.query
        days = f"[{self.since:%Y%m%d}0000 TO {_tomorrow():%Y%m%d}2359]"
        return f"({self.query}) AND submittedDate:{days}"


def _in_words(error: StatusError) -> RefusedError:
    """The refusal in arXiv's own words, where its body is a feed that has some."""
    try:
        read_feed(error.body)
    except RefusedError as said:
        return said
    except UnusableError:
        pass
    return error


def _tomorrow() -> date:
    return datetime.now(UTC).date() + timedelta(days=1)
