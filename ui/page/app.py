"""The application: HTTP interface and page behind one gate, served by uvicorn."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from importlib.resources import files
from pathlib import Path

import anyio
import anyio.to_thread
import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from rag.assistant import Assistant
from rag.errors import StorageError
from rag.store.history import History
from rag.version import VERSION
from ui.api import add_api
from ui.page.blocks import build
from ui.page.chat import Chat
from ui.page.docs import docs
from ui.page.examples import Examples
from ui.page.library import Library
from ui.page.security import Gate
from ui.page.serving import Serving
from ui.page.site import AT_ONCE, Site
from ui.page.uploads import Uploads

_FONT = ["system-ui", "sans-serif"]
_MONO = ["ui-monospace", "monospace"]
_MOST_CONNECTIONS = 512
_THREADS = 40  # for everything but questions, as anyio has by default
_RETRY_S = 30
_SWEEP_S = 300
_MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_HEAD = (
    '<link rel="stylesheet" href="/page/style.css"><script src="/page/browser.js" defer></script>'
    '<meta name="color-scheme" content="light dark">'
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_log = logging.getLogger(__name__)


def interface(site: Site, lifespan: Lifespan | None = None) -> FastAPI:
    """The HTTP interface of a site, without the page."""
    app = FastAPI(
        title="Footnoted",
        version=VERSION,
        description="Answers over paper abstracts, every sentence with its footnote.",
        docs_url=None,  # it would load its scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    add_api(app, site)
    _add_files(app, site.serving.address)
    return app


def application(site: Site, uploads: Path) -> Gate:
    """The ASGI application of a site; uploaded files are put under ``uploads``."""
    examples = Examples(site.assistant)
    kept = Uploads(uploads, site.serving.upload_mb * 1_000_000)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Each question, waiting or being answered, may hold a thread; others need some as well.
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = _THREADS + 2 * AT_ONCE + site.serving.queue
        threading.Thread(target=warm, args=(site, examples), daemon=True).start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_sweep, kept)
            yield
            tasks.cancel_scope.cancel()

    app = gr.mount_gradio_app(
        interface(site, lifespan),
        build(site, Chat(site, examples), Library(site, uploads)),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size=site.serving.upload_mb * 1_000_000,
        theme=_theme(),
        head=_HEAD,
    )
    return Gate(app, site.serving, site.limits, kept)


async def _sweep(uploads: Uploads) -> None:
    while True:
        await anyio.sleep(_SWEEP_S)
        await anyio.to_thread.run_sync(uploads.sweep)


def _theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue="blue", neutral_hue="stone", font=_FONT, font_mono=_MONO, radius_size="sm"
    )


def _add_files(app: FastAPI, address: str) -> None:
    """Style and script of the page, and the description of the interface."""

    @app.get("/page/{name}", include_in_schema=False)
    def page_file(name: str) -> Response:
        ending = name.rpartition(".")[2]
        if name not in ("style.css", "browser.js"):
            return Response(status_code=404)
        text = files("ui.page").joinpath(name).read_text(encoding="utf-8")
        headers = {"Cache-Control": "no-cache"}
        return Response(text, media_type=_MEDIA_TYPES[ending], headers=headers)

    @app.get("/docs", include_in_schema=False)
    def described() -> HTMLResponse:
        return HTMLResponse(docs(app.openapi(), address))


def warm(site: Site, examples: Examples, pause: Callable[[float], None] = time.sleep) -> None:
    """Load the models before somebody waits for them; the site is ready once they answer."""
    while not site.ready.is_set():
        try:
            examples.try_out()
        except Exception:
            _log.exception("the collection could not be tried out; trying again in %d s", _RETRY_S)
            pause(_RETRY_S)
        else:
            site.ready.set()


def serve(
    assistant: Assistant, serving: Serving, announce: Callable[[str], None] = lambda _: None
) -> None:
    """Serve until interrupted; ``announce`` is told the address once it can be opened.

    The assistant keeps no answers itself (``history=False``): the page does, unless ``serving``
    says otherwise.

    Raises:
        StorageError: nothing can listen at the address.
    """
    with tempfile.TemporaryDirectory(prefix="footnoted-") as temporary:
        uploads = Path(temporary) / "uploads"
        uploads.mkdir()
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)
        history = History(assistant.directory if serving.history else Path(temporary))
        try:
            with _interrupted_when_terminated():
                site = Site.of(assistant, history, serving)
                _run(application(site, uploads), serving, announce)
        finally:
            history.close()


@contextmanager
def _interrupted_when_terminated() -> Iterator[None]:
    """Let SIGTERM end the server as Ctrl-C does: everything is closed and removed.

    uvicorn raises the signals that it caught again when it has shut down.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not ours to handle
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Server(uvicorn.Server):
    """A server that tells when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start to listen."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self._listening()


def _run(app: Gate, serving: Serving, announce: Callable[[str], None]) -> None:
    config = uvicorn.Config(
        app,
        host=serving.host,
        port=serving.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=serving.proxy is not None,
        forwarded_allow_ips="127.0.0.1,::1",
        ws="none",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config, lambda: announce(serving.address))
    try:
        server.run()
    except SystemExit as error:  # what uvicorn does when it cannot listen
        raise StorageError(
            f"{serving.address} cannot be listened on; is it taken? Choose another with --port"
        ) from error
