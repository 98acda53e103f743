"""The tab with the conversation and its evidence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import gradio as gr

from rag.errors import InputError
from ui.page import turns
from ui.page.chat import MAX_QUESTION_CHARS, Chat, Shown
from ui.page.parts import BROKEN, QUIET, Settings, asker_of, chosen, data_of, html, put
from ui.page.site import AT_ONCE

_PLACE_FROM_ADDRESS = "() => (location.hash.match(/^#c=([0-9a-z]+)$/) || ['', ''])[1]"
_PLACE_TO_ADDRESS = (
    "place => { history.replaceState(null, '', place ? '#c=' + place : location.pathname); }"
)
_EVIDENCE = (
    '<aside id="panel" aria-label="Evidence" tabindex="-1"><h2>Evidence</h2>'
    '<div id="cards"></div><p class="known" id="no-cards">The papers that an answer cites are '
    "shown here. Click on a footnote to see the sentence that it rests on.</p></aside>"
)

_log = logging.getLogger(__name__)


class AskTab:
    """The tab with the conversation and its evidence."""

    def __init__(self, chat: Chat, settings: Settings) -> None:
        self.chat = chat
        self._settings = settings
        self.place = gr.Textbox(visible=False)
        self._again = gr.Checkbox(visible=False)
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=3, min_width=320, elem_id="conversation"):
                self.past = html("past")
                self.current = html("current")
                with gr.Row(elem_id="composer"):
                    self._question = gr.Textbox(
                        label="Question",
                        placeholder="Ask about the papers …",
                        lines=1,
                        max_lines=6,
                        max_length=MAX_QUESTION_CHARS,
                        container=False,
                        scale=8,
                        elem_id="question",
                    )
                    self._ask = gr.Button("Ask", variant="primary", scale=1, min_width=72)
                    self._stop = gr.Button(
                        "Stop", variant="stop", scale=1, min_width=72, visible=False
                    )
                    self._new = gr.Button("New", scale=1, min_width=64, elem_id="new")
            with gr.Column(scale=2, min_width=320, elem_id="evidence"):
                html("sources", _EVIDENCE, does=False)

    @property
    def shown(self) -> list[Any]:
        """The components that `show` gives values for."""
        return [
            self.past,
            self.current,
            self.place,
            self._question,
            self._again,
            self._ask,
            self._stop,
        ]

    def show(self, what: Shown) -> tuple[Any, ...]:
        """Values for `shown`."""
        return (
            _or_skip(what.past),
            _or_skip(what.current),
            _or_skip(what.place),
            put("") if what.busy else gr.skip(),
            put(False) if what.busy is False else gr.skip(),
            gr.skip() if what.busy is None else gr.update(visible=not what.busy, value="Ask"),
            gr.skip() if what.busy is None else gr.update(visible=what.busy),
        )

    def wire(self, blocks: gr.Blocks) -> None:
        """Say what happens when."""
        asking: dict[str, Any] = {
            **QUIET,
            "outputs": self.shown,
            "concurrency_limit": AT_ONCE,
            "concurrency_id": "ask",
        }
        inputs = [self.place, *self._settings.inputs]
        gr.on(
            [self._question.submit, self._ask.click],
            self._on_question,
            [self._question, self._again, *inputs],
            trigger_mode="once",
            **asking,
        )
        for part in (self.past, self.current):
            part.click(self._on_button, inputs, trigger_mode="once", **asking)
        quiet: dict[str, Any] = {**QUIET, "queue": False}
        self._stop.click(self._on_stop, None, None, **quiet)
        self._new.click(self._on_new, None, self.shown, **quiet)
        self.place.change(
            None, self.place, None, js=_PLACE_TO_ADDRESS, api_visibility="private", queue=False
        )
        blocks.load(self._on_load, self.place, self.shown, js=_PLACE_FROM_ADDRESS, **quiet)
        blocks.unload(self._on_unload)

    def _on_question(
        self,
        request: gr.Request,
        question: str | None,
        again: bool,  # noqa: FBT001 (a checkbox's value)
        place: str,
        *settings: Any,  # noqa: ANN401 (values of components)
    ) -> Iterator[tuple[Any, ...]]:
        if question and question.strip():
            yield from self._answer(question, place, settings, request, again=again)
        else:
            yield self.show(Shown())

    def _on_button(
        self,
        request: gr.Request,
        event: gr.EventData,
        place: str,
        *settings: Any,  # noqa: ANN401 (values of components)
    ) -> Iterator[tuple[Any, ...]]:
        data = data_of(event)
        match data.get("do"):
            case "ask":
                question, again = str(data.get("text", "")), data.get("again") == "yes"
                yield from self._answer(question, place, settings, request, again=again)
            case "retry":
                yield from self._answer("", place, settings, request, again=True)
            case "edit":
                # A question without an answer comes with its button; the last one is known.
                text, again = data.get("text"), data.get("again", "yes") == "yes"
                if text is None:
                    text = self.chat.last_question(place or "", asker_of(request))
                values = list(self.show(Shown()))
                button = gr.update(value="Ask instead" if again else "Ask")
                values[3:6] = [put(str(text)), put(again), button]
                yield tuple(values)
            case _:
                yield self.show(Shown())

    def _answer(
        self,
        question: str,
        place: str,
        settings: tuple[Any, ...],
        request: gr.Request,
        *,
        again: bool = False,
    ) -> Iterator[tuple[Any, ...]]:
        try:
            choices = chosen(*settings)
            for shown in self.chat.ask(question, place, asker_of(request), choices, again=again):
                yield self.show(shown)
        except InputError as error:
            yield self.show(Shown(current=turns.notice(str(error)), busy=False))
        except Exception:
            _log.exception("a question could not be answered")
            yield self.show(Shown(current=turns.notice(BROKEN), busy=False))

    def _on_stop(self, request: gr.Request) -> None:
        self.chat.stop(asker_of(request))

    def _on_new(self, request: gr.Request) -> tuple[Any, ...]:
        return self.show(self.chat.opened("", asker_of(request)))

    def _on_load(self, request: gr.Request, place: str) -> tuple[Any, ...]:
        return self.show(self.chat.opened(place or "", asker_of(request)))

    def _on_unload(self, request: gr.Request) -> None:
        self.chat.stop(asker_of(request))


def _or_skip(value: str | None) -> Any:  # noqa: ANN401 (gr.skip() gives a plain dict)
    return gr.skip() if value is None else put(value)
