"""A command that fails before it has put anything into a new collection leaves none behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from rag.store.collection import LOCK, Collection
from rag.store.database import FILE_NAME
from rag.store.unused import gone_if_unused
from tests.backups import made
from tests.makers import PAPERS, put
from tests.papers_server import made as papers_made
from tests.papers_server import papers_server
from tests.test_cli import fine, footnoted


def test_an_import_with_another_embedder_leaves_no_collection(tmp_path: Path) -> None:
    file = made(tmp_path / "papers").export_collection(tmp_path / "s.zip").file
    home = tmp_path / "home"
    done = footnoted(home, "import", "--quiet", str(file), "-c", "new")
    fine(done, 1)
    assert "were made with 'stand-in'" in done.stderr
    assert not (home / "new").exists()


def test_a_fetch_that_gets_nothing_leaves_no_new_collection(tmp_path: Path) -> None:
    command = ("fetch", "arxiv", "cat:cs.CL", "--quiet")
    with papers_server(papers_made(3)) as server:
        server.troubles.extend(["error-400", "fine", "error-400"])
        for there in (False, True, True):
            footnoted(tmp_path, *command, FOOTNOTED_ARXIV_URL=server.arxiv)
            assert (tmp_path / "sample").exists() == there
    assert "3 papers" in fine(footnoted(tmp_path, "collections"))


def fail(directory: Path, then: Callable[[], object] = lambda: None) -> None:
    """Make a collection, do something else, and be interrupted."""

    def work() -> None:
        with gone_if_unused(directory):
            Collection(directory, create=True).close()
            then()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()


def test_an_empty_one_is_gone_and_can_be_made_again(tmp_path: Path) -> None:
    for _ in range(2):
        fail(tmp_path / "new")
        assert list(tmp_path.iterdir()) == []


def test_one_that_stood_there_stays(tmp_path: Path) -> None:
    Collection(tmp_path / "held", create=True).close()
    fail(tmp_path / "held")
    assert (tmp_path / "held" / FILE_NAME).exists()


def test_one_that_holds_a_paper_stays(tmp_path: Path) -> None:
    def fill() -> None:
        with closing(Collection(tmp_path / "new", create=False)) as collection:
            put(collection, *PAPERS)

    fail(tmp_path / "new", fill)
    with closing(Collection(tmp_path / "new", create=False)) as collection:
        assert collection.catalog.counts()["papers"] == 3


def test_one_that_somebody_else_writes_to_stays(tmp_path: Path) -> None:
    other = FileLock(tmp_path / "new" / LOCK)
    fail(tmp_path / "new", other.acquire)
    other.release()
    assert (tmp_path / "new" / FILE_NAME).exists()


def test_one_with_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    fail(tmp_path / "new", (tmp_path / "new" / "notes.txt").touch)
    assert (tmp_path / "new" / FILE_NAME).exists()


def test_one_that_cannot_be_read_stays_and_the_error_is_the_first_one(tmp_path: Path) -> None:
    catalog = tmp_path / "new" / FILE_NAME
    fail(tmp_path / "new", lambda: catalog.write_bytes(b"nothing" * 1000))
    assert catalog.exists()
