"""Server-sent events that end when nobody reads them any more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from rag.events import Event

EVENT_STREAM = "text/event-stream"

_log = logging.getLogger(__name__)


class EventStream(StreamingResponse):
    """Events as they come.

    When the client leaves, or does not take what is sent, the work behind them is stopped and
    what it holds is given back.

    Args:
        texts: the events as text.
        source: what they are made of; closed at the end.
        stop: ends the work that makes them, from any thread, even in the middle of a step.
        patience_s: how long the client may take to read what is sent before it.
    """

    def __init__(
        self,
        texts: Iterator[str],
        source: Generator[Event, None, None],
        stop: Callable[[], None],
        patience_s: float,
    ) -> None:
        super().__init__(texts, media_type=EVENT_STREAM)
        self._source = source
        self._stop = stop
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._stop()
            return message

        async def sending(message: Message) -> None:
            try:
                with anyio.fail_after(self._patience_s):
                    await send(message)
            except TimeoutError:
                self._stop()
                raise

        try:
            await super().__call__(scope, receiving, sending)
        except* TimeoutError:
            _log.warning("a client did not read its answer within %g s", self._patience_s)
        finally:
            with anyio.CancelScope(shield=True):
                self._stop()
                with suppress(ValueError):  # still at a step, which ends since it was stopped
                    await run_in_threadpool(self._source.close)
