"""On PYTHONPATH (or imported), makes a Python process refuse sockets that leave the machine."""

from __future__ import annotations

import sys

_LOCAL = {"127.0.0.1", "::1", "localhost", None}


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo" and arguments[0] not in _LOCAL:
        raise RuntimeError(f"NETWORK: asked for the address of {arguments[0]!r}")
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in _LOCAL:
            raise RuntimeError(f"NETWORK: connected to {address!r}")


sys.addaudithook(_refuse)
