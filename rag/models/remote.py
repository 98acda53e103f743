"""What all endpoints have in common: their address, their key, and what they say went wrong."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from rag.errors import SettingError

OPENAI = "https://api.openai.com/v1"

_MAX_QUOTED_CHARS = 200
_MAX_DEPTH = 8
# A web page, and not "<400> InternalError: ...", which is what a service says.
_MARKUP = re.compile(r"\s*<[a-zA-Z!?]")


def checked_url(url: str) -> str:
    """The address without a final slash.

    Raises:
        SettingError: it is not an http address, or holds a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # What is mistyped may hold a password all the same.
        shown = "what is given" if ":" in url.rpartition("@")[0] or "?" in url else repr(url)
        raise SettingError(
            f"{shown} is not the address of an endpoint; expected one such as "
            "http://localhost:8000/v1"
        )
    if "@" in parts.netloc or parts.query:
        raise SettingError(
            f"the endpoint at {parts.hostname} is given with a password or a query; put the key "
            "into OPENAI_API_KEY instead"
        )
    return url.rstrip("/")


def checked_key(key: str | None) -> str | None:
    """The key as it is, if it can be sent; never part of the message.

    Raises:
        SettingError: it holds what no header can.
    """
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise SettingError("the API key holds a space, a line break or a non-ASCII character")
    return key or None


def split_address(rest: str) -> tuple[str, str | None]:
    """Split ``MODEL[@BASE_URL]``; a model's own name may hold an ``@`` (``@cf/baai/bge-m3``).

    Raises:
        SettingError: an address without http:// or https://.
    """
    for mark in ("@http://", "@https://"):
        model, found, address = rest.partition(mark)
        if found:
            return model.strip(), mark[1:] + address.strip()
    model, found, address = rest.strip().rpartition("@")
    if model and found and (":" in address or "/" in address or not address):
        if ":" in model.partition("@")[2] or "?" in address:  # NAME:PASSWORD@HOST
            raise SettingError(
                "the address after the model needs http:// or https://, and neither a password "
                "nor a query; put the key into OPENAI_API_KEY instead"
            )
        raise SettingError(
            f"the address {address!r} needs http:// or https://, as in "
            f"'openai:{model}@http://{address or 'HOST:PORT/v1'}'"
        )
    return rest.strip(), None


def server_message(body: object, *, depth: int = 0) -> str:
    """What the body of an error says, in one line; empty if it says nothing readable.

    Knows ``{"message": …}``, ``{"error": …}`` around that or around a text, FastAPI's
    ``{"detail": …}``, and bare text other than a web page; looked for down to the 8th level,
    ``depth`` being that of ``body``.
    """
    if depth > _MAX_DEPTH:
        return ""
    if isinstance(body, str):
        return "" if _MARKUP.match(body) else " ".join(body.split())
    if isinstance(body, list):
        return "; ".join(filter(None, (server_message(part, depth=depth + 1) for part in body)))
    if not isinstance(body, dict):
        return ""
    if isinstance(body.get("msg"), str) and isinstance(body.get("loc"), list):
        return f"{'.'.join(map(str, body['loc']))}: {body['msg']}"
    for name in ("message", "error", "detail"):
        if said := server_message(body.get(name), depth=depth + 1):
            return said
    return ""


def quoted(message: str, key: str | None) -> str:
    """A foreign message as ``: text`` for the middle of one of ours; empty for an empty one."""
    return f": {one_line(message, key)}" if message else ""


def one_line(message: str, key: str | None) -> str:
    """A foreign message, printable, without the key, cut to 200 characters and its full stop."""
    # The key goes first: cut through its middle, it would not be found.
    text = message.replace(key, "[key]") if key else message
    printable = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(printable.split()).rstrip(" .")
    return line if len(line) <= _MAX_QUOTED_CHARS else f"{line[:_MAX_QUOTED_CHARS].rstrip()}…"
