"""The page as Gradio blocks: its tabs, and what programs may call.

What is shown is made by pure functions, what is done by `ui.page.chat` and `ui.page.library`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import api

from rag.errors import RagError
from ui.page.ask_tab import AskTab
from ui.page.chat import Chat
from ui.page.library import Library
from ui.page.papers_tab import PapersTab
from ui.page.parts import Settings, asker_of, html
from ui.page.site import Site
from ui.page.talks_tab import TalksTab

# Gradio keeps what every session shows: 100 kB, and 2 MB where a conversation is long. Nothing that
# the page does rests on it, so that those of the sessions that were used last are more than enough.
MOST_SESSIONS = 64


def build(site: Site, chat: Chat, library: Library) -> gr.Blocks:
    """The page of a site."""
    blocks = gr.Blocks(
        title="Footnoted",
        analytics_enabled=False,
        fill_width=True,
    )
    blocks.state_session_capacity = MOST_SESSIONS
    with blocks:
        html("head", "<h1>Footnoted</h1>", does=False)
        with gr.Tabs(elem_id="tabs") as tabs:
            settings = Settings(site)
            with gr.Tab("Ask", id="ask"):
                ask = AskTab(chat, settings)
            with gr.Tab("History", id="talks") as talks_tab:
                talks = TalksTab(site, ask)
            with gr.Tab("Papers", id="papers") as papers_tab:
                papers = PapersTab(library)
            with gr.Tab("Settings", id="settings"):
                settings.show()
        settings.wire(blocks)
        ask.wire(blocks)
        papers.wire(papers_tab)
        talks.wire(talks_tab, tabs)
        api(_asked(chat), api_name="ask")
    blocks.queue(default_concurrency_limit=8, max_size=site.serving.queue)
    return blocks


def _asked(chat: Chat) -> Callable[..., dict[str, Any]]:
    def ask(question: str, request: gr.Request) -> dict[str, Any]:
        """Answer a question: the whole record."""
        try:
            return chat.record(question, asker_of(request))
        except RagError as error:
            raise gr.Error(chat.told(error), print_exception=False) from error

    return ask
