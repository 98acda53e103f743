"""arXiv, page by page: what is asked for, and what becomes of its failures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from rag.errors import FetchError, InputError, RefusedError
from rag.fetch.arxiv import MAX_QUERY_CHARS, PAGE, ArxivQuery
from rag.fetch.feed import read_feed
from rag.fetch.http import UnusableError
from rag.fetch.pages import Page
from rag.schema import BadRecord, Record
from rag.settings import ARXIV_URL, Settings
from tests.fetching import Clock, client_of
from tests.papers_server import Paper, PapersServer, made, papers_server

QUERY = ArxivQuery("cat:cs.CL AND abs:grokking")


@pytest.fixture
def server() -> Iterator[PapersServer]:
    with papers_server(made(250)) as running:
        yield running


def pages_of(
    server: PapersServer, query: ArxivQuery = QUERY, *, position: int = 0, room: int | None = None
) -> list[Page]:
    with client_of(server.arxiv, Clock(), tries=3) as client:
        return list(query.pages(client, position, room))


def ids(pages: list[Page]) -> list[str]:
    records = (item for page in pages for item in page.items)
    return [item.arxiv_id or "" for item in records if isinstance(item, Record)]


def test_every_paper_comes_once_newest_first(server: PapersServer) -> None:
    pages = pages_of(server)
    assert ids(pages) == [paper.id for paper in server.papers]
    assert [page.position for page in pages] == [100, 200, 250]
    assert {page.total for page in pages} == {250}
    assert server.requests[0].parameters == {
        "search_query": "cat:cs.CL AND abs:grokking",
        "start": "0",
        "max_results": str(PAGE),
        "sortBy": "submittedDate",
        "sortOrder": "descending",
    }
    assert server.starts == [0, 100, 200]


def test_a_paper_comes_as_arxiv_has_it(server: PapersServer) -> None:
    server.papers = [Paper("2503.00001", "Less is < more", "We show $a < b$ & more.", version=3)]
    [page] = pages_of(server)
    [record] = page.items
    assert isinstance(record, Record)
    assert (record.title, record.abstract) == ("Less is < more", "We show $a < b$ & more.")
    assert record.authors == ("Ada Lovelace", "Srinivasa Ramanujan")
    assert (record.year, record.arxiv_id, record.source) == (2025, "2503.00001", "arxiv.org")


def test_no_more_are_asked_for_than_wanted(server: PapersServer) -> None:
    pages = pages_of(server, room=130)
    assert len(ids(pages)) == 130
    assert [r.parameters["max_results"] for r in server.requests] == ["100", "30"]


def test_it_goes_on_from_a_position(server: PapersServer) -> None:
    pages = pages_of(server, position=100, room=50)
    assert ids(pages) == [paper.id for paper in server.papers[100:150]]


def test_a_query_without_papers_has_an_empty_page(server: PapersServer) -> None:
    server.papers = []
    [page] = pages_of(server)
    assert (page.items, page.total) == ((), 0)


def test_papers_since_a_day_are_asked_for_up_to_tomorrow(server: PapersServer) -> None:
    pages_of(server, ArxivQuery("cat:a OR cat:b", date(2025, 1, 2)), room=1)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert server.requests[0].parameters["search_query"] == (
        f"(cat:a OR cat:b) AND submittedDate:[202501020000 TO {tomorrow:%Y%m%d}2359]"
    )


def test_a_short_page_is_followed_by_what_it_left_out(server: PapersServer) -> None:
    server.troubles.append("short")
    assert ids(pages_of(server)) == [paper.id for paper in server.papers]
    assert server.starts == [0, 50, 150]


@pytest.mark.parametrize(
    "trouble",
    ["empty", "truncated", "html", "exceeded", "drop", "stall", "hang", "503", "429-after-7"],
)
def test_a_page_that_fails_is_asked_for_again(server: PapersServer, trouble: str) -> None:
    server.troubles.extend(["fine", trouble])
    assert ids(pages_of(server)) == [paper.id for paper in server.papers]
    assert server.starts == [0, 100, 100, 200]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("empty", "no papers after 100 of 250"),
        ("truncated", "a damaged feed: the XML ends within this record"),
        ("html", "no Atom feed"),
        ("exceeded", "no Atom feed: Rate exceeded"),
        ("500", "HTTP 500 Internal Server Error"),
    ],
)
def test_a_page_that_goes_on_failing_ends_it_with_the_reason(
    server: PapersServer, trouble: str, reason: str
) -> None:
    server.troubles.extend(["fine", trouble, trouble, trouble])
    got: list[Page] = []
    with (
        client_of(server.arxiv, Clock(), tries=3) as client,
        pytest.raises(FetchError, match=rf"asked 3 times in vain: {reason}$"),
    ):
        got.extend(QUERY.pages(client, 0, None))
    assert server.starts == [0, 100, 100, 100]


@pytest.mark.parametrize("trouble", ["error", "error-400"])
def test_a_query_that_arxiv_does_not_take_is_not_repeated(
    server: PapersServer, trouble: str
) -> None:
    server.troubles.append(trouble)
    with pytest.raises(RefusedError, match="arXiv says: incorrect query: cat without a value"):
        pages_of(server)
    assert len(server.requests) == 1


def test_a_refusal_without_words_gives_the_status(server: PapersServer) -> None:
    server.troubles.append("403")
    with pytest.raises(RefusedError, match=r"arXiv \(127.0.0.1\) refuses .* HTTP 403 Forbidden"):
        pages_of(server)


def test_a_total_that_grows_is_followed(server: PapersServer) -> None:
    server.troubles.extend(["total-120", "fine"])
    assert len(ids(pages_of(server))) == 250


def test_a_total_that_shrinks_ends_it(server: PapersServer) -> None:
    server.troubles.extend(["total-900", "fine"])
    assert len(ids(pages_of(server))) == 250
    assert server.starts == [0, 100, 200]


def test_an_empty_page_behind_a_total_that_shrank_is_not_taken_for_the_end(
    server: PapersServer,
) -> None:
    server.troubles.extend(["fine", "fine", "total-300", "fine", "fine"])
    with pytest.raises(FetchError, match="no papers after 250 of 300"):
        pages_of(server)


def test_papers_that_arrive_meanwhile_make_some_come_twice_and_none_get_lost(
    server: PapersServer,
) -> None:
    older = [paper.id for paper in server.papers]
    with client_of(server.arxiv, Clock()) as client:
        pages = QUERY.pages(client, 0, None)
        got = [next(pages)]
        server.papers[:0] = made(5, first=9001)
        got += pages
    assert set(older) <= set(ids(got))
    assert len(ids(got)) == 255


def test_far_down_a_long_list_a_failure_says_what_it_may_be(server: PapersServer) -> None:
    server.troubles.extend(["500"] * 3)
    with pytest.raises(FetchError, match="may give no more than 10,000 papers of a query"):
        pages_of(server, position=10_000)


def test_an_entry_without_an_abstract_is_reported_and_counted(server: PapersServer) -> None:
    server.papers[3] = Paper("2503.00004", "Withdrawn", " ")
    pages = pages_of(server)
    [bad] = [item for page in pages for item in page.items if isinstance(item, BadRecord)]
    assert str(bad) == 'arxiv.org: no abstract for the title "Withdrawn"'
    assert server.starts == [0, 100, 200]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"<feed>arxiv.org/</feed>",
        b'<!DOCTYPE f [<!ENTITY a "b">]><feed>arxiv.org/ &a;</feed>',
        b'<feed xmlns="http://www.w3.org/2005/Atom"><id>http://arxiv.org/</id><x></feed>',
        b'{"papers": []}',
    ],
)
def test_what_is_no_feed_of_arxiv_cannot_be_used(body: bytes) -> None:
    with pytest.raises(UnusableError, match="feed"):
        read_feed(body)


def test_a_query_is_known_by_its_words_and_its_day() -> None:
    assert ArxivQuery("  cat:cs.CL \n AND x ").key == ArxivQuery("cat:cs.CL AND x").key
    day = date(2025, 1, 2)
    assert ArxivQuery("x", day).key != ArxivQuery("x").key
    assert ArxivQuery("x", day).key != ArxivQuery("x", date(2025, 1, 3)).key


@pytest.mark.parametrize(
    ("query", "since"),
    [("", None), (" \t", None), ("x" * (MAX_QUERY_CHARS + 1), None), ("x", date(2999, 1, 1))],
)
def test_what_is_no_query_is_refused(query: str, since: date | None) -> None:
    with pytest.raises(InputError):
        ArxivQuery(query, since)


def test_the_official_address_is_the_default_and_a_mirror_can_be_set() -> None:
    assert Settings.from_env({}).arxiv_url == ARXIV_URL
    settings = Settings.from_env({"FOOTNOTED_ARXIV_URL": "https://mirror.example.org/api/query"})
    assert QUERY.client(settings).name == "arXiv (mirror.example.org)"
    assert QUERY.client(Settings.from_env({})).name == "arXiv (export.arxiv.org)"
