"""From a live source into a collection: what is kept, and where a fetch goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from eval.standin import StandInEmbedder
from rag.adding import AddReport, Stage
from rag.errors import FetchError, RefusedError
from rag.fetch.arxiv import ArxivQuery
from rag.fetch.daily_papers import DailyPapers
from rag.fetch.marks import KEPT, META, Mark, mark_of, with_mark
from rag.fetch.pages import Source
from rag.fetch.taking import fetch_papers
from rag.store.collection import Collection
from tests.fetching import Clock, client_of
from tests.makers import nearest_ids
from tests.papers_server import Paper, PapersServer, made, papers_server

QUERY = ArxivQuery("cat:cs.CL")
NOON = datetime(2025, 3, 20, 12, 0, tzinfo=UTC)
TOO_LATE = NOON + KEPT


@pytest.fixture
def server() -> Iterator[PapersServer]:
    with papers_server(made(250)) as running:
        yield running


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    opened = Collection(tmp_path / "c", create=True)
    yield opened
    opened.close()


class Heard:
    """What a fetch told as it went on."""

    def __init__(self, at_page: Callable[[int], None] | None = None) -> None:
        self.read: list[tuple[int, int | None]] = []
        self.resumed: list[int] = []
        self._at_page = at_page

    def on_progress(self, stage: Stage, done: int, total: int | None) -> None:
        if stage is Stage.READING:
            self.read.append((done, total))
            if self._at_page:
                self._at_page(len(self.read))


def fetch(
    collection: Collection,
    server: PapersServer,
    source: Source = QUERY,
    *,
    max_papers: int | None = None,
    heard: Heard | None = None,
    now: datetime = NOON,
) -> AddReport:
    heard = heard or Heard()
    url = server.arxiv if isinstance(source, ArxivQuery) else server.daily
    with client_of(url, Clock(), tries=2) as client:
        return fetch_papers(
            collection,
            StandInEmbedder(),
            source,
            client,
            max_papers=max_papers,
            on_progress=heard.on_progress,
            on_estimate=lambda papers, seconds: None,
            on_resume=heard.resumed.append,
            now=lambda: now,
        )


def counts(collection: Collection) -> tuple[int, int]:
    """Papers, and those of them that wait for vectors."""
    found = collection.catalog.counts()
    return found["papers"], found["unembedded"]


def interrupt(page: int) -> None:
    if page == 2:
        raise KeyboardInterrupt


def test_papers_are_added_embedded_and_found(collection: Collection, server: PapersServer) -> None:
    heard = Heard()
    report = fetch(collection, server, heard=heard)
    assert (report.added, report.records, report.skipped) == (250, 250, ())
    assert report.passages >= 250
    assert counts(collection) == (250, 0)
    assert heard.read == [(100, 250), (200, 250), (250, 250)]
    assert heard.resumed == []
    held = collection.catalog.find("2503.00007")
    assert held is not None
    assert held.paper.sources == ("arxiv.org",)
    assert nearest_ids(collection, "Method7 beats baseline7 on corpus7.")[0] == held.paper.id


def test_the_same_again_changes_nothing_and_a_new_version_is_an_update(
    collection: Collection, server: PapersServer
) -> None:
    fetch(collection, server)
    report = fetch(collection, server)
    assert (report.unchanged, report.records, report.passages) == (250, 250, 0)
    server.papers[0] = Paper("2503.00001", server.papers[0].title, "It is all different now.", 2)
    report = fetch(collection, server)
    assert (report.updated, report.unchanged) == (1, 249)


def test_a_paper_from_both_sources_is_one(collection: Collection, server: PapersServer) -> None:
    fetch(collection, server)
    server.days = {"2025-03-14": [*made(2), *made(1, first=900)]}
    day = date(2025, 3, 14)
    report = fetch(collection, server, DailyPapers(day, day))
    assert (report.added, report.merged, report.records) == (1, 2, 3)
    held = collection.catalog.find("2503.00001")
    assert held is not None
    assert held.paper.sources == ("arxiv.org", "huggingface.co/papers/date/2025-03-14")


def test_papers_that_come_twice_are_one(collection: Collection, server: PapersServer) -> None:
    server.papers[100:100] = server.papers[90:100]
    report = fetch(collection, server)
    assert (report.added, report.unchanged) == (250, 10)
    assert counts(collection) == (250, 0)


def test_what_cannot_be_read_is_reported(collection: Collection, server: PapersServer) -> None:
    server.papers[1] = Paper("2503.00002", "Withdrawn", "")
    report = fetch(collection, server)
    assert [str(bad) for bad in report.skipped] == [
        'arxiv.org: no abstract for the title "Withdrawn"'
    ]
    assert report.added == 249


def test_no_more_are_taken_than_wanted(collection: Collection, server: PapersServer) -> None:
    heard = Heard()
    assert fetch(collection, server, max_papers=130, heard=heard).added == 130
    assert heard.read == [(100, 130), (130, 130)]
    server.days = {"2025-03-13": made(5, first=901), "2025-03-14": made(5, first=906)}
    days = DailyPapers(date(2025, 3, 13), date(2025, 3, 14))
    assert fetch(collection, server, days, max_papers=7).added == 7


def test_what_came_before_a_failure_stays_and_the_same_fetch_goes_on_there(
    collection: Collection, server: PapersServer
) -> None:
    server.troubles.extend(["fine", "503", "503"])
    with pytest.raises(
        FetchError,
        match=r"in vain: HTTP 503 .* Before that: 100 added .*; run the same command later, it "
        "goes on after 100 papers, where it stopped$",
    ):
        fetch(collection, server)
    assert counts(collection) == (100, 0)
    server.requests.clear()
    heard = Heard()
    report = fetch(collection, server, heard=heard)
    assert server.starts == [100, 200]
    assert heard.resumed == [100]
    assert heard.read == [(200, 250), (250, 250)]
    assert (report.added, report.unchanged) == (150, 0)
    assert counts(collection) == (250, 0)


def test_a_failure_at_once_says_to_run_it_later_and_a_refusal_does_not(
    collection: Collection, server: PapersServer
) -> None:
    server.troubles.extend(["503", "503", "error"])
    with pytest.raises(FetchError, match=r"HTTP 503 .*; run the same command later$"):
        fetch(collection, server)
    with pytest.raises(RefusedError, match="arXiv says") as got:
        fetch(collection, server)
    assert "later" not in str(got.value)


def test_ctrl_c_keeps_every_page_that_was_told(
    collection: Collection, server: PapersServer
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(collection, server, heard=Heard(interrupt))
    assert counts(collection) == (200, 200)  # found by words; embedded by the next fetch or add
    server.requests.clear()
    assert fetch(collection, server).added == 50
    assert server.starts == [200]
    assert counts(collection) == (250, 0)


def test_a_fetch_that_goes_on_takes_no_more_than_wanted_in_all(
    collection: Collection, server: PapersServer
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(collection, server, max_papers=230, heard=Heard(interrupt))
    assert fetch(collection, server, max_papers=230).added == 30
    assert counts(collection)[0] == 230


def test_days_go_on_at_the_next_day(collection: Collection, server: PapersServer) -> None:
    server.days = {f"2025-03-{day}": made(2, first=10 * day) for day in range(10, 14)}
    days = DailyPapers(date(2025, 3, 10), date(2025, 3, 13))
    with pytest.raises(KeyboardInterrupt):
        fetch(collection, server, days, heard=Heard(interrupt))
    server.requests.clear()
    assert fetch(collection, server, days).added == 4
    assert server.requests[0].parameters["date"] == "2025-03-12"


def test_only_the_same_fetch_goes_on(collection: Collection, server: PapersServer) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(collection, server, heard=Heard(interrupt))
    server.requests.clear()
    fetch(collection, server, ArxivQuery("cat:cs.CV"))
    fetch(collection, server, max_papers=300)
    assert server.starts == [0, 100, 200] * 2
    server.requests.clear()
    fetch(collection, server)
    assert server.starts == [200]


def test_a_fetch_that_stopped_long_ago_begins_anew(
    collection: Collection, server: PapersServer
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(collection, server, heard=Heard(interrupt))
    server.requests.clear()
    heard = Heard()
    fetch(collection, server, heard=heard, now=TOO_LATE)
    assert server.starts == [0, 100, 200]
    assert heard.resumed == []


def test_a_fetch_that_is_complete_leaves_no_mark(
    collection: Collection, server: PapersServer
) -> None:
    fetch(collection, server)
    assert collection.catalog.meta()[META] == "{}"


def test_others_can_write_while_the_next_page_is_waited_for(
    collection: Collection, server: PapersServer
) -> None:
    written: list[int] = []

    def write(page: int) -> None:
        with collection.writing(StandInEmbedder(), timeout_s=0.0) as writing:
            writing.catalog.set_meta(note=str(page))
        written.append(page)

    fetch(collection, server, heard=Heard(write))
    assert written == [1, 2, 3]


def test_marks_are_kept_side_by_side_until_they_are_too_old() -> None:
    later = NOON + timedelta(days=1)
    meta = {META: with_mark({}, "a", Mark(100, 90), NOON)}
    meta = {META: with_mark(meta, "b", Mark(2, 30), later)}
    assert mark_of(meta, "a", later) == Mark(100, 90)
    assert mark_of(meta, "b", later) == Mark(2, 30)
    assert mark_of(meta, "c", later) == Mark()
    assert mark_of(meta, "a", TOO_LATE) == Mark()
    assert mark_of(meta, "b", TOO_LATE) == Mark(2, 30)
    assert '"a"' not in with_mark(meta, "b", None, later + KEPT)


@pytest.mark.parametrize(
    "kept",
    [
        "", "{", "[]", "3", '{"a": 3}', '{"a": ["2025-03-20", 1, 2]}', '{"a": [null, 1, 2]}',
        '{"a": ["2025-03-20T12:00:00+00:00", -1, 2]}', '{"a": ["2025-03-20T12:00:00+00:00", 1]}',
        '{"a": ["2025-03-20T12:00:00+00:00", "1", 2]}',
    ],
)  # fmt: skip
def test_a_mark_that_makes_no_sense_is_the_beginning(kept: str) -> None:
    assert mark_of({META: kept}, "a", NOON) == Mark()
    assert mark_of({META: with_mark({META: kept}, "a", Mark(1, 1), NOON)}, "a", NOON) == Mark(1, 1)
