"""The client that requests to an endpoint are sent with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rag.errors import EndpointError

if TYPE_CHECKING:
    import httpx
    import openai


def open_client(
    url: str,
    key: str | None,
    *,
    source: str,
    timeout: float | httpx.Timeout,
    max_retries: int,
    on_request: Callable[[httpx.Request], None] | None = None,
) -> openai.OpenAI:
    """A client of OpenAI's protocol; every request has a connection of its own.

    ``OPENAI_ORG_ID`` and ``OPENAI_PROJECT_ID``, which the SDK reads, go to OpenAI only.

    Args:
        url: the base URL.
        key: the bearer token; None for a server without authentication.
        source: who answers, for messages.
        timeout: seconds between two signs of life.
        max_retries: how often the client repeats a request by itself.
        on_request: called with each request before it is sent, repeated ones included.

    Raises:
        EndpointError: the environment asks for a proxy or certificates that cannot be had.
    """
    import httpx
    import openai

    try:
        client = openai.OpenAI(
            api_key=key or "none",
            base_url=url,
            timeout=timeout,
            max_retries=max_retries,
            http_client=openai.DefaultHttpxClient(
                event_hooks={"request": [on_request] if on_request else []},
                # Only a connection that is opened for a request is known to whoever has to cut it.
                limits=httpx.Limits(max_keepalive_connections=0),
            ),
        )
    except Exception as error:  # what can go wrong has no common root
        kind = type(error).__name__
        # The others may quote the proxy's address, and that may hold a password.
        said = f"{kind}: {error}" if isinstance(error, ImportError | OSError) else kind
    else:
        if not _is_openai(url):
            client.organization = client.project = None
        return client
    raise EndpointError(
        f"{source} cannot be asked: the HTTP client cannot be opened ({said}); check HTTP_PROXY, "
        "HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE"
    )


def _is_openai(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "openai.com" or host.endswith(".openai.com")
