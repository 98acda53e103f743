"""What the Papers tab does: find, add, remove."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock

from rag.errors import InputError, RagError
from rag.schema import Filters, Paper
from ui.page import lists, turns
from ui.page.shelf import shelf
from ui.page.site import Site
from ui.page.uploading import Adding, Step, folder, paste

PAGE = 25
MOST_LISTED = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which papers to list: those that fit a query, best first, or all in order of arrival."""

    query: str = ""
    filters: Filters | None = None
    count: int = PAGE


@dataclass(frozen=True, slots=True)
class Added:
    """How far an add is, as HTML; ``done`` once it has its report and its files are deleted."""

    html: str
    done: bool = False


class Library:
    """The papers of one site, for all tabs; ``uploads`` is where uploaded files are put."""

    def __init__(self, site: Site, uploads: Path) -> None:
        self._site = site
        self._uploads = uploads.resolve()
        self._lock = Lock()
        self._running: dict[str, Adding] = {}

    @property
    def changeable(self) -> bool:
        """Whether papers may be added and removed through the page."""
        return not self._site.serving.read_only

    def figures(self) -> str:
        """What the collection holds, or why that is not known."""
        try:
            return lists.figures(shelf(self._site.assistant.directory))
        except RagError as error:
            return turns.notice(self._told(error))

    def listed(self, wanted: Wanted, client: str) -> str:
        """The papers that are wanted, as a list."""
        try:
            found = self._found(wanted, client)
        except RagError as error:
            return turns.notice(self._told(error))
        more = wanted.count < min(len(found), MOST_LISTED)
        return lists.papers(found[: wanted.count], more=more, removable=self.changeable)

    def _found(self, wanted: Wanted, client: str) -> Sequence[Paper]:
        """The papers, and one more where there are more."""
        self._site.searching(client)
        assistant = self._site.assistant
        if not wanted.query.strip():
            return list(islice(assistant.papers(wanted.filters), wanted.count + 1))
        limit = min(wanted.count + 1, MOST_LISTED)
        hits = assistant.search(wanted.query, limit=limit, filters=wanted.filters)
        return [hit.paper for hit in hits]

    def add(self, files: Sequence[str], pasted: str, session: str) -> Iterator[Added]:
        """Add uploaded files and pasted text; how far it is, then what it did.

        The uploaded files are deleted once they were read to the end; after an error or a cancel
        they stay, so that they can be added again.
        """
        uploaded = [path for path in map(Path, files) if self._is_upload(path)]
        done = False
        try:
            if not self.changeable:
                raise InputError("this collection is served to be read only")
            with folder() as directory:
                paths = list(uploaded)
                paths += [paste(pasted, Path(directory))] if pasted.strip() else []
                if not paths:
                    raise InputError("nothing is chosen: drop files, or paste text, then add")
                for step in self._added(paths, session):
                    done = step.report is not None
                    if done:
                        for path in uploaded:
                            path.unlink(missing_ok=True)
                    yield Added(lists.step(step), done)
        except RagError as error:
            yield Added(turns.notice(f"Not added: {self._told(error)}"))

    def _is_upload(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._uploads) and not path.is_dir()

    def _told(self, error: RagError) -> str:
        """What an error says, files called as those who gave them call them."""
        uploads = re.escape(f"{self._uploads}{os.sep}")
        return re.sub(rf"{uploads}[0-9a-f]{{64}}/", "", self._site.told(error))

    def _added(self, paths: Sequence[Path], session: str) -> Iterator[Step]:
        adding = Adding(self._site.assistant, paths)
        with self._lock:
            self._running[session] = adding
        try:
            yield from adding.steps()
        finally:
            adding.cancel()
            with self._lock:
                if self._running.get(session) is adding:
                    del self._running[session]

    def cancel(self, session: str) -> None:
        """End the add that a tab has running."""
        with self._lock:
            adding = self._running.get(session)
        if adding is not None:
            adding.cancel()

    def remove(self, paper_id: str) -> str:
        """Remove a paper; returns what to tell."""
        try:
            if not self.changeable:
                raise InputError("this collection is served to be read only")
            removed = self._site.assistant.remove(paper_id)
        except RagError as error:
            return turns.notice(self._told(error))
        return lists.removed(removed)
