"""Reads the bytes of a chat completion, streamed or whole. Nothing in them is trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Delta:
    """What one event adds; ``counts`` are the tokens of prompt and completion, where it says."""

    text: str = ""
    reasoning: str = ""
    finish: str | None = None
    counts: tuple[int, int] | None = None
    error: object = None
    is_completion: bool = False


def data_of(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event, however the bytes are cut.

    Lines end in LF or CRLF; comments and other fields are passed over. httpx's ``iter_lines``
    would also break at U+2028 and its like, which JSON holds unescaped. An event that broke off
    in the middle of a line is left out.
    """
    data: list[bytes] = []
    for line in _lines(chunks):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif line.startswith(b"error:"):  # llama.cpp before 2025
            data.append(b'{"error":' + line[6:] + b"}")
        elif not line and data:
            yield b"\n".join(data).decode("utf-8", "replace")
            data = []
    if data:
        yield b"\n".join(data).decode("utf-8", "replace")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    for chunk in chunks:
        first, *more = chunk.split(b"\n")
        held.append(first)
        for line in more:
            yield b"".join(held).removesuffix(b"\r")
            held = [line]


def read_delta(payload: object) -> Delta:
    """Read one event, or a whole completion; what has another form adds nothing."""
    if not isinstance(payload, dict):
        return Delta()
    error = payload.get("error") or (payload if payload.get("object") == "error" else None)
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    choice = choice if isinstance(choice, dict) else {}
    part = choice.get("delta") or choice.get("message")
    part = part if isinstance(part, dict) else {}
    finish = choice.get("finish_reason")
    return Delta(
        text=_text(part.get("content")) or _text(part.get("refusal")),
        reasoning=_text(part.get("reasoning_content")) or _text(part.get("reasoning")),
        finish=finish if isinstance(finish, str) and finish else None,
        counts=_counts(payload.get("usage")),
        error=error,
        is_completion=isinstance(choices, list),
    )


def _text(content: object) -> str:
    """Text of a content: a string, or Mistral's list of typed parts."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(_text(part.get("text")) for part in parts)
    return content if isinstance(content, str) else ""


def _counts(usage: object) -> tuple[int, int] | None:
    said = usage if isinstance(usage, Mapping) else {}
    prompt, completion = said.get("prompt_tokens"), said.get("completion_tokens")
    if isinstance(prompt, int) and isinstance(completion, int) and min(prompt, completion) >= 0:
        return prompt, completion
    return None


class SurrogateJoiner:
    r"""Makes text of pieces that may be cut in the middle of a surrogate pair.

    Some servers send the two halves of an emoji as ``\ud83d`` and ``\ude00`` in two events.
    Halves that stay alone become U+FFFD, since no file takes them.
    """

    def __init__(self) -> None:
        self._held = ""

    def add(self, piece: str) -> str:
        """What can be passed on; half a pair at the end is held back."""
        text = self._held + piece
        self._held = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        return paired(text.removesuffix(self._held))

    def rest(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return paired(held)


def paired(text: str) -> str:
    """The text with surrogate pairs joined, and U+FFFD for halves that stand alone."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
