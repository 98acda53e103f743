"""``fetch``: every page that was reported is there, and the next fetch goes on after it."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing
from pathlib import Path
from typing import ClassVar

from eval.standin import StandInEmbedder
from rag.adding import Stage
from rag.fetch.arxiv import ArxivQuery
from rag.fetch.marks import META
from rag.fetch.taking import fetch_papers
from rag.store.collection import Collection
from rag.store.database import FILE_NAME
from tests.fetching import Clock, client_of
from tests.papers_server import made, papers_server
from tests.stress.adding import reported, reporting
from tests.stress.scenario import Said, Say, Scenario, well, whole

PAPERS = 800


class Fetching(Scenario):
    """Pages of a loopback server go into a collection."""

    name: ClassVar[str] = "fetch"

    def __init__(self) -> None:
        self._open = ExitStack()

    def prepare(self, place: Path) -> None:
        server = self._open.enter_context(papers_server(made(PAPERS)))
        (place / "address").write_text(server.arxiv)

    def work(self, place: Path, say: Say) -> None:
        with (
            closing(Collection(place / "papers", create=True)) as collection,
            client_of((place / "address").read_text(), Clock()) as client,
        ):
            fetch_papers(
                collection,
                StandInEmbedder(),
                ArxivQuery("cat:cs.CL"),
                client,
                max_papers=None,
                on_progress=reporting(say),
                on_estimate=lambda *_: None,
                on_resume=lambda taken: say(resumed=taken),
            )

    def look(self, place: Path, said: Said, *, ended: bool) -> None:
        taken = reported(said, Stage.READING)
        if not (place / "papers" / FILE_NAME).exists():
            assert not taken
            return
        held = whole(place / "papers")
        assert held.papers >= taken
        assert held.papers % 100 == 0, "half a page"
        if ended:
            assert (held.papers, held.unembedded) == (PAPERS, 0)
            with closing(Collection(place / "papers", create=False)) as collection:
                assert collection.catalog.meta()[META] == "{}"
            well(place / "papers")

    def renew(self, place: Path) -> None:
        shutil.rmtree(place / "papers")

    def close(self) -> None:
        self._open.close()
