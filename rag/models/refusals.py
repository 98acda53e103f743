"""What went wrong with a request for vectors, and what may help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.models.chat.retrying import parse_retry_after
from rag.models.remote import quoted, server_message

if TYPE_CHECKING:
    import httpx
    import openai

_ADVICE = {
    400: "check that the model embeds text",
    401: "check OPENAI_API_KEY, or FOOTNOTED_EMBEDDER_KEY for an endpoint of its own",
    403: "check that the key may use this model",
    404: "check the model's name, and that the base URL is right (often it ends in /v1)",
    413: "the texts are too long for it",
    429: "wait, or check the quota of the key",
}

# Collected from the wording of OpenAI, Azure, Mistral, Gemini, Cohere, Voyage, DashScope,
# SiliconFlow and text-embeddings-inference. Gaps and text are bounded: see `rag.models.chat`.
_MAX_READ_CHARS = 500
_TOO_LARGE = re.compile(
    r"""\bbatch(?:es)?\b
      | \btoo\ many\ (?:inputs|texts|items|tokens)\b
      | \b(?:inputs|texts|tokens)\b .{0,60} \b(?:at\ most|per\ request)\b
      | \barray\ too\ long\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that failed, in one line for people, and what may help.

    ``is_passing``: sending it again; ``is_crowded``: sending less at a time, from
    ``retry_after_s`` seconds on where the endpoint says so; ``is_too_large``: fewer texts.
    """

    message: str
    is_passing: bool = False
    is_crowded: bool = False
    is_too_large: bool = False
    retry_after_s: float | None = None


def refusal_of(error: openai.APIStatusError, source: str, key: str | None) -> Refusal:
    """What an answer with the status of an error means; the message is without the key.

    Args:
        error: as the SDK raised it.
        source: who answered, for the message.
        key: what to leave out.
    """
    status, said = error.status_code, server_message(error.body)
    wait_s = _asked_wait_s(error.response.headers)
    advice = _ADVICE.get(status, "see the server's log" if status < 500 else "try again later")
    if wait_s is not None:
        advice += f"; it asks to wait {wait_s:,.0f} s"
    return Refusal(
        f"{source} answered with status {status}{quoted(said, key)}; {advice}",
        is_passing=status in (408, 409, 429) or status >= 500,
        is_crowded=status == 429 or wait_s is not None,
        is_too_large=status == 413
        or (status in (400, 422) and bool(_TOO_LARGE.search(str(error.body)[:_MAX_READ_CHARS]))),
        retry_after_s=wait_s,
    )


def _asked_wait_s(headers: httpx.Headers) -> float | None:
    """Seconds to wait, from ``Retry-After`` or OpenAI's finer ``retry-after-ms``."""
    milliseconds = parse_retry_after(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    return parse_retry_after(headers.get("retry-after"))
