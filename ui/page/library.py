"""What the Papers tab does: find, add, remove."""

from __future__ import annotations

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
from ui.page.uploading import Adding, folder, paste

PAGE = 25
MOST_LISTED = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which papers to list: those that fit a query, best first, or all in order of arrival."""

    query: str = ""
    filters: Filters | None = None
    count: int = PAGE


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
        """What the collection holds."""
        return lists.figures(shelf(self._site.assistant.directory))

    def listed(self, wanted: Wanted, client: str) -> str:
        """The papers that are wanted, as a list."""
        try:
            found = self._found(wanted, client)
        except RagError as error:
            return turns.notice(str(error))
        more = len(found) > wanted.count
        return lists.papers(found[: wanted.count], more=more, removable=self.changeable)

    def _found(self, wanted: Wanted, client: str) -> Sequence[Paper]:
        """The papers, and one more where there are more."""
        assistant = self._site.assistant
        if not wanted.query.strip():
            return list(islice(assistant.papers(wanted.filters), wanted.count + 1))
        self._site.searching(client)
        limit = min(wanted.count + 1, MOST_LISTED)
        hits = assistant.search(wanted.query, limit=limit, filters=wanted.filters)
        return [hit.paper for hit in hits]

    def add(self, files: Sequence[str], pasted: str, session: str) -> Iterator[str]:
        """Add uploaded files and pasted text; how far it is, then what it did.

        The uploaded files are deleted at the end.
        """
        uploaded = [path for path in map(Path, files) if self._is_upload(path)]
        try:
            if not self.changeable:
                raise InputError("this collection is served to be read only")
            with folder() as directory:
                paths = list(uploaded)
                paths += [paste(pasted, Path(directory))] if pasted.strip() else []
                if not paths:
                    raise InputError("nothing is chosen: drop files, or paste text, then add")
                yield from self._added(paths, session)
        except RagError as error:
            yield turns.notice(f"Not added: {error}")
        finally:
            for path in uploaded:
                path.unlink(missing_ok=True)

    def _is_upload(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._uploads)

    def _added(self, paths: Sequence[Path], session: str) -> Iterator[str]:
        adding = Adding(self._site.assistant, paths)
        with self._lock:
            self._running[session] = adding
        try:
            for step in adding.steps():
                yield lists.step(step)
        finally:
            adding.cancel()
            with self._lock:
                self._running.pop(session, None)

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
            return turns.notice(str(error))
        return lists.removed(removed)
