"""Which parameters an endpoint takes: learnt from what it refuses."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

from rag.models.remote import server_message

SEED = 20_240

_WANTED: Mapping[str, Any] = {
    "temperature": 0.0,
    "seed": SEED,
    "stream_options": {"include_usage": True},
}
_LENGTH_NAMES = ("max_tokens", "max_completion_tokens")


class Dialect:
    """The optional parameters of a request, less those that were refused; used from any thread.

    ``temperature`` 0 and a fixed ``seed`` make answers repeatable where the endpoint can;
    reasoning models refuse the first, some servers the others. The longest answer goes by two
    names: OpenAI's newer one, which other servers may not know, and the older one, which OpenAI's
    reasoning models refuse.

    Args:
        newer: begin with OpenAI's newer name.
    """

    def __init__(self, *, newer: bool) -> None:
        self._length_names = _LENGTH_NAMES[::-1] if newer else _LENGTH_NAMES
        self._refused: set[str] = set()
        self._lock = threading.Lock()

    def options(self, max_tokens: int) -> dict[str, Any]:
        """Parameters to send; fewer after each refusal."""
        with self._lock:
            refused = set(self._refused)
        options = {name: value for name, value in _WANTED.items() if name not in refused}
        for name in self._length_names:
            if name not in refused:
                return {**options, name: max_tokens}
        return options

    def learn(self, sent: Mapping[str, Any], body: object) -> bool:
        """Remember the parameter that an error with status 400 or 422 is about.

        Args:
            sent: what `options` gave for the request that was refused.
            body: of the error.

        Returns:
            Whether to repeat the request: it was one of those sent.
        """
        param = body.get("param") if isinstance(body, dict) else None
        name = param if param in sent else _first_named(sent, server_message(body))
        if name is None:
            return False
        with self._lock:
            self._refused.add(name)
        return True


def _first_named(names: Mapping[str, Any], message: str) -> str | None:
    found = re.search(rf"\b({'|'.join(names)})\b", message) if names else None
    return found[1] if found else None
