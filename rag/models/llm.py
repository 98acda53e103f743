"""What writes answers: the protocol of a language model, and ``open_llm`` to get one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from rag.errors import SettingError
from rag.models.chat.adapter import LlamaIndexModel
from rag.models.chat.cache import CachedModel
from rag.models.chat.endpoint import DEFAULT_WINDOW, EndpointModel
from rag.models.chat.reply import CANCELLED, FAILED, Message, Reply, SettledReply
from rag.models.chat.retrying import RetryBudget, TimeLimits
from rag.models.remote import split_address
from rag.schema import Usage

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

__all__ = [
    "CANCELLED",
    "DEFAULT_WINDOW",
    "FAILED",
    "CachedModel",
    "EndpointModel",
    "LanguageModel",
    "LlamaIndexModel",
    "Message",
    "Reply",
    "RetryBudget",
    "SettledReply",
    "TimeLimits",
    "Usage",
    "open_llm",
]


class LanguageModel(Protocol):
    """Answers messages with text, piece by piece; used from any thread."""

    @property
    def name(self) -> str:
        """What to call it, such as ``openai:gpt-5-mini``; recorded, and free of secrets."""
        ...

    @property
    def window(self) -> int:
        """Tokens that it reads and writes in one go."""
        ...

    def count_tokens(self, text: str) -> int:
        """Length of a text in tokens; at least about right, else too high."""
        ...

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:
        """The answer to some messages, as it arrives; nothing is sent before it is read.

        Args:
            messages: the conversation, oldest first.
            max_tokens: longest answer.
        """
        ...

    def prepare(self) -> None:
        """Load what the first request would wait for, if anything; sends nothing."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def open_llm(
    model: str | LanguageModel | LLM | None,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    window: int | None = None,
) -> LanguageModel | None:
    """Find the language model that was chosen.

    Args:
        model: the name of a model at an endpoint, with or without ``openai:`` before it and
            ``@BASE_URL`` after it; a `LanguageModel`, which comes back as it is; any LlamaIndex
            LLM; None: none.
        base_url: where the endpoint is, unless the name says; by default OpenAI's own.
        api_key: the key of the endpoint.
        window: tokens that the model reads and writes in one go; by default what a LlamaIndex
            LLM says of itself, and `DEFAULT_WINDOW` at an endpoint.

    Raises:
        SettingError: none of these, or an endpoint that needs a key and has none.
    """
    if model is None:
        return None
    if not isinstance(model, str):
        if hasattr(model, "stream_chat"):
            return LlamaIndexModel(model, window=window)
        if hasattr(model, "stream") and hasattr(model, "window"):
            return model
        raise SettingError(
            f"a {type(model).__name__} does not write answers; expected the name of a model, a "
            "LanguageModel or a LlamaIndex LLM"
        )
    name, url = split_address(model.strip().removeprefix("openai:"))
    if not name:
        raise SettingError(
            f"no model is named by {model!r}; expected a name such as 'gpt-5-mini' or "
            "'llama3.1:8b@http://localhost:11434/v1'"
        )
    return EndpointModel(
        name, base_url=url or base_url, api_key=api_key, window=window or DEFAULT_WINDOW
    )
