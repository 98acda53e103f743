from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from rag.store.history import History
from tests.scripted import Scripted
from tests.test_page_security import LOCAL, echo
from ui.page.library import MOST_LISTED, PAGE, Library, Wanted
from ui.page.limits import Limits, TooManyError
from ui.page.papers_tab import shown_of
from ui.page.security import Gate
from ui.page.serving import Serving
from ui.page.site import Site
from ui.page.uploads import KEEP_S, MOST_WAITING, UPLOAD_S, Uploads


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "uploads"
    made.mkdir()
    return made


@pytest.fixture
def library(folder: Path, tmp_path: Path) -> Iterator[Library]:
    history = History(tmp_path)
    with Scripted.open(tmp_path / "c", crossencoder="none", history=False) as assistant:
        yield Library(Site.of(assistant, history, Serving()), folder)
    history.close()


def put(path: Path, size: int = 10, age_s: float = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_what_broke_off_and_what_nobody_added_is_swept(folder: Path) -> None:
    broken = put(folder / "tmpabc", age_s=UPLOAD_S + 60)
    coming = put(folder / "tmpdef", age_s=UPLOAD_S - 60)
    waiting = put(folder / "hash1" / "a.csv", age_s=UPLOAD_S + 60)
    forgotten = put(folder / "hash2" / "b.csv", age_s=KEEP_S + 60)
    assert Uploads(folder, 100).sweep() == 20
    assert [path.exists() for path in (broken, coming, waiting, forgotten)] == [
        False,
        True,
        True,
        False,
    ]


def test_uploads_that_wait_may_take_only_so_much_room(folder: Path) -> None:
    uploads = Uploads(folder, 100)
    for number in range(MOST_WAITING - 1):
        put(folder / f"hash{number}" / "a.csv", size=100)
    uploads.admit()
    put(folder / "tmp", size=1)
    with pytest.raises(TooManyError, match="wait to be added"):
        uploads.admit()


def test_the_gate_refuses_an_upload_without_room(folder: Path) -> None:
    serving = Serving(upload_mb=1)
    gate = Gate(echo, serving, Limits(30, 2), Uploads(folder, 10))

    async def send() -> int:
        transport = httpx.ASGITransport(gate)
        async with httpx.AsyncClient(transport=transport, base_url=LOCAL) as client:
            return (await client.post("/gradio_api/upload", content=b"x")).status_code

    assert asyncio.run(send()) == 200
    put(folder / "hash" / "a.csv", size=100)
    assert asyncio.run(send()) == 429


def test_what_could_not_be_added_can_be_added_again(library: Library, folder: Path) -> None:
    good = folder / "a.jsonl"
    good.write_text('{"title": "Bees", "abstract": "Bees dance."}\n')
    bad = folder / ("0" * 64) / "b.jsonl"
    bad.parent.mkdir()
    bad.write_bytes(b"\x00\x01" * 100)
    end = list(library.add([str(bad)], "", "tab"))[-1]
    assert not end.done
    assert "Not added: b.jsonl" in end.html
    assert bad.exists()
    missing = list(library.add([str(folder / "gone.jsonl")], "", "tab"))[-1]
    assert not missing.done
    assert "Not added" in missing.html
    pasted = list(library.add([str(good)], "only a title", "tab"))[-1]
    assert not pasted.done
    assert good.exists()
    assert list(library.add([str(good)], "", "tab"))[-1].done
    assert not good.exists()


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, PAGE),
        (math.nan, PAGE),
        (math.inf, PAGE),
        (-5, 1),
        (0, 1),
        (50, 50),
        (10**12, MOST_LISTED),
    ],
)
def test_a_page_cannot_ask_for_more_papers_than_are_listed(count: float, shown: int) -> None:
    assert shown_of(count) == shown


def test_the_end_of_what_is_listed_offers_no_more(sample_home: Path, tmp_path: Path) -> None:
    history = History(tmp_path)
    with Scripted.open(
        sample_home / "sample", create=False, crossencoder="none", history=False
    ) as assistant:
        library = Library(Site.of(assistant, history, Serving()), tmp_path)
        assert 'data-do="more"' in library.listed(Wanted(count=305), "me")
        assert 'data-do="more"' not in library.listed(Wanted(count=306), "me")
    history.close()


def test_listing_counts_as_a_search(sample_home: Path, tmp_path: Path) -> None:
    history = History(tmp_path)
    with Scripted.open(
        sample_home / "sample", create=False, crossencoder="none", history=False
    ) as assistant:
        site = Site.of(assistant, history, Serving())
        stopped_clock = Limits(1, 1, clock=lambda: 0.0)
        library = Library(replace(site, limits=stopped_clock), tmp_path)
        told = [library.listed(Wanted(count=1), "me") for _ in range(11)]
    assert "too much was asked" not in told[9]
    assert "too much was asked" in told[10]
    history.close()
