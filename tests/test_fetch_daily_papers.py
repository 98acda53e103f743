"""Daily Papers, day by day: what is asked for, and what becomes of its failures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from rag.errors import FetchError, InputError, RefusedError
from rag.fetch.daily_papers import MAX_PAGES, DailyPapers, days_from
from rag.fetch.pages import Page
from rag.schema import BadRecord, Record
from rag.settings import DAILY_PAPERS_URL, Settings
from tests.fetching import Clock, client_of
from tests.papers_server import Paper, PapersServer, made, papers_server

THURSDAY = date(2025, 3, 13)
THREE = DailyPapers(THURSDAY, date(2025, 3, 15))


@pytest.fixture
def server() -> Iterator[PapersServer]:
    with papers_server() as running:
        running.days = {"2025-03-13": made(3), "2025-03-14": made(150, first=11)}
        yield running


def pages_of(
    server: PapersServer, days: DailyPapers = THREE, *, position: int = 0, room: int | None = None
) -> list[Page]:
    with client_of(server.daily, Clock(), tries=3) as client:
        return list(days.pages(client, position, room))


def ids(page: Page) -> list[str]:
    return [item.arxiv_id or "" for item in page.items if isinstance(item, Record)]


def asked(server: PapersServer) -> list[tuple[str, str]]:
    return [(r.parameters["date"][-2:], r.parameters["p"]) for r in server.requests]


def test_every_day_is_a_page_with_all_its_papers(server: PapersServer) -> None:
    pages = pages_of(server)
    days = [server.days.get(day, []) for day in ("2025-03-13", "2025-03-14", "2025-03-15")]
    assert [ids(page) for page in pages] == [[paper.id for paper in day] for day in days]
    assert [page.position for page in pages] == [1, 2, 3]
    # A page may hold fewer than were asked for: only one without anything new is the last.
    assert asked(server) == [
        ("13", "0"), ("13", "1"), ("14", "0"), ("14", "1"), ("14", "2"), ("15", "0"),
    ]  # fmt: skip


def test_a_paper_comes_as_the_day_has_it(server: PapersServer) -> None:
    server.days = {"2025-03-13": [Paper("2503.00001", "A & B", "It is so. And more.")]}
    [page] = pages_of(server, DailyPapers(THURSDAY, THURSDAY))
    [record] = page.items
    assert isinstance(record, Record)
    assert (record.title, record.abstract) == ("A & B", "It is so. And more.")
    assert record.authors == ("Ada Lovelace", "Srinivasa Ramanujan")
    assert (record.year, record.arxiv_id) == (2025, "2503.00001")
    assert record.source == "huggingface.co/papers/date/2025-03-13"


def test_a_server_that_does_not_know_pages_is_not_asked_for_ever(server: PapersServer) -> None:
    server.pages_known = False
    [page] = pages_of(server, DailyPapers(THURSDAY, THURSDAY))
    assert len(page.items) == 3
    assert asked(server) == [("13", "0"), ("13", "1")]


def test_a_day_without_end_is_cut_off(server: PapersServer) -> None:
    server.days["2025-03-13"] = made(100 * MAX_PAGES + 50)
    [page] = pages_of(server, DailyPapers(THURSDAY, THURSDAY))
    assert len(page.items) == 100 * MAX_PAGES


def test_it_goes_on_at_a_day_and_ends_when_enough_were_taken(server: PapersServer) -> None:
    assert [page.position for page in pages_of(server, position=1, room=10)] == [2]
    assert pages_of(server, room=0) == []


def test_a_day_that_is_refused_is_reported_and_the_next_one_asked_for(
    server: PapersServer,
) -> None:
    server.troubles.append("400-says")
    first, second, _ = pages_of(server)
    [bad] = first.items
    assert isinstance(bad, BadRecord)
    assert bad.place.file == "huggingface.co/papers/date/2025-03-13"
    assert "HTTP 400 Bad Request (Invalid date)" in bad.reason
    assert len(second.items) == 150


def test_any_other_refusal_ends_it(server: PapersServer) -> None:
    server.troubles.append("404")
    with pytest.raises(RefusedError, match="HTTP 404"):
        pages_of(server)


@pytest.mark.parametrize("trouble", ["truncated", "html", "object", "drop", "502", "429-after-7"])
def test_a_page_that_fails_is_asked_for_again(server: PapersServer, trouble: str) -> None:
    server.troubles.append(trouble)
    assert len(ids(pages_of(server)[0])) == 3
    assert asked(server)[:2] == [("13", "0"), ("13", "0")]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [("html", "no whole JSON"), ("object", "no list of papers"), ("exceeded", "no whole JSON")],
)
def test_a_page_that_goes_on_failing_ends_it_with_the_reason(
    server: PapersServer, trouble: str, reason: str
) -> None:
    server.troubles.extend([trouble] * 3)
    with pytest.raises(FetchError, match=f"asked 3 times in vain: {reason}"):
        pages_of(server)


def test_days_are_read() -> None:
    assert days_from("2025-03-13..2025-03-15") == THREE
    assert days_from(" 2025-03-13 ") == DailyPapers(THURSDAY, THURSDAY)
    assert days_from("2025-03-13").key == "daily-papers 2025-03-13..2025-03-13"
    today = datetime.now(UTC).date()
    assert days_from(str(today)).last == today


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2025-3-14", "2025-02-30", "2025-03-14..", "2025-03-14..2025-03-13",
        "2025-03-14-2025-03-15", "2020-01-01", "٢٠٢٥-03-14",
        str(datetime.now(UTC).date() + timedelta(days=2)),
    ],
)  # fmt: skip
def test_what_are_no_days_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        days_from(text)


def test_the_official_address_is_the_default_and_a_mirror_can_be_set() -> None:
    assert Settings.from_env({}).daily_papers_url == DAILY_PAPERS_URL
    mirrored = Settings.from_env({"FOOTNOTED_DAILY_PAPERS_URL": "http://127.0.0.1:1/x"})
    assert THREE.client(mirrored).name == "Daily Papers (127.0.0.1)"
    assert THREE.client(Settings.from_env({})).name == "Daily Papers (huggingface.co)"
