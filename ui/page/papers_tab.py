"""The tab with the collection's papers: found, added, removed."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

import gradio as gr

from rag.errors import InputError
from ui.page import turns
from ui.page.library import MOST_LISTED, PAGE, Library, Wanted
from ui.page.parts import BROKEN, FILTERS, QUIET, asker_of, data_of, filters, html, put

_log = logging.getLogger(__name__)


class PapersTab:
    """What the collection holds, and what can be done with it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._figures = html("figures", does=False)
        with gr.Accordion("Add papers", open=False, visible=library.changeable):
            self._files = gr.File(label="Files", file_count="multiple", type="filepath")
            self._pasted = gr.Textbox(
                label="Or paste records, or a title and below it an abstract", lines=4
            )
            with gr.Row():
                self._add = gr.Button("Add", variant="primary", min_width=72)
                self._cancel = gr.Button("Cancel", min_width=72)
            self._added = html("added", does=False)
        with gr.Row(elem_id="find"):
            query = gr.Textbox(
                label="Find papers", placeholder="Words or a question", max_length=1_000, scale=3
            )
            rest = [
                gr.Textbox(label=label, placeholder="any", max_length=length, scale=1)
                for label, length in FILTERS
            ]
            self._fields = [query, *rest]
        self._count = gr.Number(PAGE, visible=False, precision=0)
        self._told = html("told", does=False)
        self._list = html("list")

    def wire(self, tab: gr.Tab) -> None:
        """Say what happens when."""
        found = [self._list, self._count]
        everything = [self._figures, *found]
        tab.select(self._on_select, self._fields, everything, **QUIET)
        gr.on([field.submit for field in self._fields], self._on_find, self._fields, found, **QUIET)
        self._list.click(
            self._on_button,
            [self._count, *self._fields],
            [*found, self._figures, self._told],
            **QUIET,
        )
        self._add.click(
            self._on_add,
            [self._files, self._pasted],
            [self._added, self._files, self._pasted],
            concurrency_limit=1,
            concurrency_id="add",
            **QUIET,
        ).then(self._on_select, self._fields, everything, **QUIET)
        self._cancel.click(self._on_cancel, None, None, queue=False, **QUIET)

    def _on_select(self, request: gr.Request, *fields: str | None) -> tuple[Any, ...]:
        return (self._library.figures(), *self._on_find(request, *fields))

    def _on_find(self, request: gr.Request, *fields: str | None) -> tuple[Any, ...]:
        return self._listed(request, PAGE, *fields), PAGE

    def _listed(self, request: gr.Request, count: int, *fields: str | None) -> str:
        query, *rest = fields
        try:
            wanted = Wanted(query or "", filters(*rest), count)
        except InputError as error:
            return turns.notice(str(error))
        return self._library.listed(wanted, asker_of(request).client)

    def _on_button(
        self, request: gr.Request, event: gr.EventData, count: float | None, *fields: str
    ) -> tuple[Any, ...]:
        data, shown = data_of(event), shown_of(count)
        told: Any = gr.skip()
        if data.get("do") == "more":
            shown = shown_of(shown + PAGE)
        elif data.get("do") == "remove":
            told = put(self._library.remove(str(data.get("id", ""))))
        return self._listed(request, shown, *fields), shown, self._library.figures(), told

    def _on_add(
        self, request: gr.Request, files: list[str] | None, pasted: str | None
    ) -> Iterator[tuple[Any, ...]]:
        try:
            for step in self._library.add(files or [], pasted or "", asker_of(request).session):
                yield step.html, *((put(None), put("")) if step.done else (gr.skip(), gr.skip()))
        except Exception:
            _log.exception("papers could not be added")
            yield turns.notice(BROKEN), gr.skip(), gr.skip()

    def _on_cancel(self, request: gr.Request) -> None:
        self._library.cancel(asker_of(request).session)


def shown_of(count: float | None) -> int:
    """How many papers to list when a page says that it lists so many, which may be anything."""
    if count is None or not math.isfinite(count):
        return PAGE
    return min(MOST_LISTED, max(1, int(count)))
