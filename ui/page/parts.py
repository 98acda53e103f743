"""What all tabs share: HTML parts whose buttons work, who asks, and the settings."""

from __future__ import annotations

import secrets
from typing import Any

import gradio as gr

from rag.errors import InputError
from rag.schema import Filters
from ui.page.chat import Asker
from ui.page.choices import MAX_PAPERS, Choices
from ui.page.security import owner_of
from ui.page.site import Site
from ui.page.start import writer

FILTERS = (
    ("From year", 4),
    ("Up to year", 4),
    ("Author", 200),
    ("Venue", 200),
    ("Source file", 200),
)
_PAPERS = (3, 5, 8, 12, MAX_PAPERS)
BROKEN = "Something went wrong here; the server's log says what."
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

# A button in our HTML says what it does in data-do; its other data come along.
_DOES = (
    "element.addEventListener('click', event => {"
    "const button = event.target.closest('[data-do]');"
    "if (button && !event.defaultPrevented) trigger('click', {...button.dataset}); });"
)
_ONLY = (
    "<h2>Only papers</h2><p class='known'>Answers are taken from papers that fit all of these. "
    "What is left empty does not matter.</p>"
)

_KEPT_AS = "footnoted-settings-1"  # another number once old values do not fit any more
_KEEP = (
    "(...values) => { try { "
    f"localStorage.setItem('{_KEPT_AS}', JSON.stringify(values)); "
    "} catch { /* a browser that keeps nothing */ } }"
)
_RESTORE = (
    "(...values) => { try { "
    f"const kept = JSON.parse(localStorage.getItem('{_KEPT_AS}')); "
    "return kept?.length === values.length ? kept : values; } catch { return values; } }"
)


def html(elem_id: str, value: str = "", *, does: bool = True) -> gr.HTML:
    """HTML of ours; with ``does``, buttons in it with ``data-do`` click it with their data."""
    return gr.HTML(
        value,
        elem_id=elem_id,
        js_on_load=_DOES if does else None,
        apply_default_css=False,
        padding=False,
    )


def put(value: Any) -> Any:  # noqa: ANN401 (a component's value; Gradio gives a plain dict)
    """A value for a component that at other times is skipped.

    Plain values will not do there: whenever one follows a skip, Gradio keeps it for as long as
    the session lives (2 MB a question where a conversation was long).
    """
    return gr.update(value=value)


def asker_of(request: gr.Request) -> Asker:
    """Who asks; without our cookie (a program) whoever holds the session, without one nobody."""
    session = request.session_hash or secrets.token_hex(16)
    owner = owner_of(request.headers.get("cookie", "")) or f"session {session}"
    return Asker(session, owner, request.client.host if request.client else "unknown")


def data_of(event: gr.EventData) -> dict[str, Any]:
    """The data of the button that was pressed."""
    return event._data or {}


class Settings:
    """How questions are answered, in one place."""

    def __init__(self, site: Site) -> None:
        self._model = site.assistant.model
        self._quoting = gr.Radio(
            [(f"Written by {self._model}, and checked", False), ("Quoted sentences", True)],
            value=False,
            label="Answers",
            visible=self._model is not None,
            render=False,
        )
        self._strict = gr.Checkbox(
            label="Strict: leave out sentences that the abstracts do not support",
            visible=self._model is not None,
            render=False,
        )
        self._papers = gr.Dropdown(
            [("As many as suit the question", 0), *((str(n), n) for n in _PAPERS)],
            value=0,
            label="Papers to read",
            render=False,
        )
        self._fields = [
            gr.Textbox(label=label, max_length=length, placeholder="any", render=False)
            for label, length in FILTERS
        ]

    @property
    def inputs(self) -> list[Any]:
        """The components, in the order of `chosen`."""
        return [self._quoting, self._strict, self._papers, *self._fields]

    def show(self) -> None:
        """Put them on the page."""
        html("writer", f"<p>{writer(self._model)}</p>", does=False)
        for part in (self._quoting, self._strict, self._papers):
            part.render()  # type: ignore[no-untyped-call]
        html("only", _ONLY, does=False)
        with gr.Row():
            for field in self._fields:
                field.render()  # type: ignore[no-untyped-call]

    def wire(self, blocks: gr.Blocks) -> None:
        """Keep what is set in the browser, from one visit to the next."""
        quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
        changes = [part.change for part in self.inputs]
        gr.on(changes, None, self.inputs, None, js=_KEEP, **quiet)
        blocks.load(None, self.inputs, self.inputs, js=_RESTORE, **quiet)


def chosen(
    quoting: bool | None,  # noqa: FBT001 (values of components, in their order)
    strict: bool | None,  # noqa: FBT001
    papers: int | None,
    *fields: str | None,
) -> Choices:
    """What the settings say.

    Raises:
        InputError: a year is none.
    """
    count = min(MAX_PAPERS, max(0, int(papers or 0))) or None
    return Choices(filters(*fields), count, strict=bool(strict), quoting=bool(quoting))


def filters(*fields: str | None) -> Filters:
    """What the fields of `FILTERS` say; empty is any.

    Raises:
        InputError: a year is none.
    """
    year_from, year_to, *texts = [(field or "").strip() or None for field in fields]
    return Filters(_year(year_from), _year(year_to), *texts)


def _year(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isdecimal() and len(text) == 4):
        raise InputError(f"the year {text!r} is none; expected four digits, such as 2023")
    return int(text)
