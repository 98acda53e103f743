"""The tab with this browser's conversations: listed, opened, deleted."""

from __future__ import annotations

from typing import Any

import gradio as gr

from rag.errors import RagError
from ui.page import lists, turns
from ui.page.ask_tab import AskTab
from ui.page.chat import Asker, Shown
from ui.page.parts import QUIET, asker_of, data_of, html, put
from ui.page.site import Site


class TalksTab:
    """The conversations of whoever looks, the one that went on last first."""

    def __init__(self, site: Site, ask: AskTab) -> None:
        self._site = site
        self._ask = ask
        self._list = html("talks")

    def wire(self, tab: gr.Tab, tabs: gr.Tabs) -> None:
        """Say what happens when."""
        tab.select(self._on_select, None, self._list, **QUIET)
        outputs = [self._list, tabs, *self._ask.shown]
        self._list.click(self._on_button, self._ask.place, outputs, **QUIET)

    def _listed(self, asker: Asker) -> str:
        try:
            return lists.conversations(self._site.talks.listed(asker.owner))
        except RagError as error:
            return turns.notice(self._site.told(error))

    def _on_select(self, request: gr.Request) -> Any:  # noqa: ANN401 (see `put`)
        return put(self._listed(asker_of(request)))

    def _on_button(self, request: gr.Request, event: gr.EventData, place: str) -> tuple[Any, ...]:
        data, asker = data_of(event), asker_of(request)
        wanted = str(data.get("id", ""))
        if data.get("do") == "open":
            shown = self._ask.chat.opened(wanted, asker)
            return (gr.skip(), gr.Tabs(selected="ask"), *self._ask.show(shown))
        if data.get("do") == "forget":
            try:
                self._site.talks.forget(wanted, asker.owner)
            except RagError as error:
                note = turns.notice(self._site.told(error))
                return (put(note), gr.skip(), *self._ask.show(Shown()))
        shown = self._ask.chat.opened("", asker) if wanted == place else Shown()
        return (put(self._listed(asker)), gr.skip(), *self._ask.show(shown))
