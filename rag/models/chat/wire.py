"""The connection under one request, which another thread can cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


class Wire:
    """Follows the sockets of a request and cuts them; a cut wire stays cut.

    Closing a response does not wake the thread that reads from it, nor tell the server; shutting
    its socket down does both, and works before there is a response.
    """

    def __init__(self) -> None:
        self.is_cut = threading.Event()
        self._lock = threading.Lock()
        self._why: str | None = None
        self._socket: socket.socket | None = None

    @property
    def why(self) -> str | None:
        """The reason given at the first cut; None: it holds."""
        return self._why

    def cut(self, why: str) -> None:
        """End the connection, now or as soon as there is one."""
        with self._lock:
            self._why = self._why or why
            self._shut_down()
        self.is_cut.set()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn of sockets as they open; for httpx's ``trace`` request extension."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._why is not None:
                    self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # closed already
                # Not the method of an SSLSocket, which would also strip the encryption off.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
