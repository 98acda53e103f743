"""``python -m tests.sessions DIRECTORY``: how much Gradio keeps, as JSON.

In a process of its own: Gradio leaves event loops behind, of which a test would complain.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import gradio as gr
from gradio.state_holder import SessionState

from rag.assistant import Assistant
from rag.store.history import History
from ui.page.ask_tab import AskTab
from ui.page.blocks import MOST_SESSIONS, build
from ui.page.chat import Chat, Shown
from ui.page.examples import Examples
from ui.page.library import Library
from ui.page.parts import Settings
from ui.page.serving import Serving
from ui.page.site import Site

STEPS = (
    Shown("past", "question", busy=True),
    Shown(current="progress"),
    Shown(current="answer", place="c", busy=False),
    Shown(),
)


def components(site: Site, chat: Chat, questions: int) -> int:
    """How many components a session holds after so many questions."""
    with gr.Blocks() as blocks:
        settings = Settings(site)
        tab = AskTab(chat, settings)
        settings.show()
        tab.wire(blocks)
    state = SessionState(blocks)
    submit = next(each for each in blocks.fns.values() if len(each.outputs) == len(tab.shown))

    async def ask() -> None:
        for step in STEPS * questions:
            await blocks.postprocess_data(submit, list(tab.show(step)), state)

    asyncio.run(ask())
    return len(state.config_values)


def sessions(site: Site, chat: Chat, directory: Path) -> int:
    """How many sessions are held after more came than may be."""
    app = gr.routes.App.create_app(build(site, chat, Library(site, directory)))
    for number in range(MOST_SESSIONS + 20):
        app.state_holder[str(number)]
    return len(app.state_holder.session_data)


def main(directory: Path) -> None:
    """Print the figures."""
    with Assistant.open(directory / "c", history=False) as assistant:
        site = Site.of(assistant, History(directory), Serving())
        chat = Chat(site, Examples(assistant))
        values = {
            "components after 1 question": components(site, chat, 1),
            "components after 3 questions": components(site, chat, 3),
            "sessions": sessions(site, chat, directory),
        }
    print(json.dumps(values))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
