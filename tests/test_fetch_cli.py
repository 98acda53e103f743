"""``footnoted fetch``, as people run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.makers import ROOT
from tests.papers_server import PapersServer, made, papers_server
from tests.test_cli import OFFLINE, fine, footnoted

QUERY = ("fetch", "arxiv", "cat:cs.CL AND abs:grokking")


@pytest.fixture
def server() -> Iterator[PapersServer]:
    with papers_server(made(3)) as running:
        yield running


def run(home: Path, server: PapersServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    addresses = {
        "FOOTNOTED_ARXIV_URL": server.arxiv,
        "FOOTNOTED_DAILY_PAPERS_URL": server.daily,
    }
    return footnoted(home, *arguments, **addresses)


def test_papers_of_a_query_are_added_once_and_can_be_asked_about(
    tmp_path: Path, server: PapersServer
) -> None:
    out = fine(run(tmp_path, server, *QUERY, "--since", "2025-01-01", "--max", "2"))
    assert out.startswith("2 added (")
    assert "2 papers in " in out
    [request] = server.requests
    assert request.parameters["search_query"].startswith(
        "(cat:cs.CL AND abs:grokking) AND submittedDate:[202501010000 TO "
    )
    assert request.parameters["max_results"] == "2"
    assert fine(run(tmp_path, server, *QUERY)).startswith("1 added, 2 unchanged (")
    found = fine(footnoted(tmp_path, "search", "Method2 beats baseline2", "--limit", "1"))
    assert found.startswith("1. Paper number 2 & its <sequel> (2025)")


def test_papers_of_days_are_added_and_a_refused_day_is_named(
    tmp_path: Path, server: PapersServer
) -> None:
    server.days = {"2025-03-14": made(2), "2025-03-15": made(2, first=2)}
    server.troubles.extend(["fine", "fine", "fine", "fine", "400-says"])
    done = run(tmp_path, server, "fetch", "daily-papers", "2025-03-14..2025-03-16")
    assert fine(done).startswith("3 added, 1 merged with a held paper, 1 skipped (")
    assert "skipped huggingface.co/papers/date/2025-03-16: there are no papers" in done.stderr


def test_nothing_found_is_said(tmp_path: Path, server: PapersServer) -> None:
    server.papers = []
    assert fine(run(tmp_path, server, *QUERY)).startswith("the source has no such papers")


def test_a_source_that_is_asked_again_is_said_on_standard_error(
    tmp_path: Path, server: PapersServer
) -> None:
    server.troubles.append("503")
    done = run(tmp_path, server, *QUERY)
    assert fine(done).startswith("3 added (")
    assert "arXiv (127.0.0.1): HTTP 503 Service Unavailable" in done.stderr
    assert re.search(r"; trying again in \d s, 2 of 5$", done.stderr, re.MULTILINE)


def test_a_terminal_shows_that_it_reads_before_the_first_answer(
    tmp_path: Path, server: PapersServer
) -> None:
    server.troubles.append("error-400")
    as_terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "FOOTNOTED_ARXIV_URL": server.arxiv}
    done = footnoted(tmp_path, *QUERY, **as_terminal)
    fine(done, 1)
    assert "reading   papers" in done.stderr


def test_a_query_that_arxiv_does_not_take_ends_in_one_line(
    tmp_path: Path, server: PapersServer
) -> None:
    server.troubles.append("error-400")
    done = run(tmp_path, server, *QUERY)
    fine(done, 1)
    assert done.stderr.startswith("footnoted: arXiv says: incorrect query: cat without a value (")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("arxiv", " "),
        ("daily-papers", "yesterday"),
        ("daily-papers", str(datetime.now(UTC).date() + timedelta(days=3))),
        ("daily-papers", "2025-03-14", "--since", "2025-01-01"),
    ],
)
def test_what_cannot_be_fetched_ends_in_one_line_and_leaves_nothing(
    tmp_path: Path, server: PapersServer, arguments: tuple[str, ...]
) -> None:
    done = run(tmp_path / "home", server, "fetch", *arguments)
    fine(done, 1)
    assert done.stderr.startswith("footnoted: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "home").exists()
    assert server.requests == []


@pytest.mark.parametrize(
    "wrong",
    [("pubmed", "x"), ("arxiv", "x", "--since", "lately"), ("arxiv", "x", "--max", "0")],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    fine(footnoted(tmp_path, "fetch", *wrong), 2)


def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    done = footnoted(tmp_path, *QUERY, FOOTNOTED_ARXIV_URL="export.arxiv.org")
    fine(done, 1)
    assert "'export.arxiv.org' is not an address of arXiv" in done.stderr


def test_a_fetch_that_was_killed_goes_on_where_it_stopped(
    tmp_path: Path, server: PapersServer
) -> None:
    server.papers = made(120)
    server.troubles.extend(["fine", "hang"])
    killed = subprocess.Popen(
        [sys.executable, "-m", "ui", *QUERY],
        env={
            **os.environ,
            "FOOTNOTED_HOME": str(tmp_path),
            "FOOTNOTED_COLLECTION": "sample",
            "FOOTNOTED_ARXIV_URL": server.arxiv,
            "PYTHONPATH": f"{OFFLINE}:{ROOT}",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with server.changed:
        assert server.changed.wait_for(lambda: len(server.requests) == 2, timeout=120)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = run(tmp_path, server, *QUERY)
    assert fine(done).startswith("20 added (")
    assert "going on after the 100 papers" in done.stderr
    assert "120 papers in " in done.stdout
    assert server.starts == [0, 100, 100]
