"""Keeps answers on disk, so that the same request is not sent twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from rag.errors import StorageError
from rag.models.chat.reply import Message, Reply, SettledReply
from rag.schema import Usage

if TYPE_CHECKING:
    from rag.models.llm import LanguageModel

_LOG = logging.getLogger(__name__)
_FORMAT = "footnoted-reply/2"


class CachedModel:
    """A `LanguageModel` that answers a request it has answered before from a directory.

    A request is the model with its address and parameters, the messages and ``max_tokens``; one
    file holds one answer, and only answers that came to their end are kept. A kept one comes in
    one piece, with the usage of the call that it came from, so that figures do not depend on what
    is kept. An entry that is damaged counts as missing. Files are
    replaced whole, so that any number of threads and processes may share the directory.

    Args:
        inner: the model that is asked.
        directory: where the answers are kept; made when it is not there.
        turn: which of several answers to the same request, from 1: each is asked for anew.

    Raises:
        StorageError: the directory cannot be made.
    """

    def __init__(self, inner: LanguageModel, directory: Path, *, turn: int = 1) -> None:
        self.name = inner.name
        self.window = inner.window
        self._inner = inner
        self._directory = directory
        self._turn = turn
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"answers cannot be kept in {directory} ({error.strerror}); choose another place"
            ) from error

    def at_turn(self, turn: int) -> CachedModel:
        """The same model, for the ``turn``-th answer to the same requests."""
        return CachedModel(self._inner, self._directory, turn=turn)

    def count_tokens(self, text: str) -> int:
        """Length of a text in tokens, as the model that is asked counts."""
        return self._inner.count_tokens(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:
        """The kept answer to some messages, else a new one, which is then kept.

        Args:
            messages: the conversation, oldest first.
            max_tokens: longest answer.
        """
        request = {
            "format": _FORMAT,
            "model": getattr(self._inner, "identity", self._inner.name),
            "turn": self._turn,
            "max_tokens": max_tokens,
            "messages": [[message.role, message.content] for message in messages],
        }
        key = sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        path = self._directory / f"{key}.json"
        kept = _read(path, request)
        if kept is not None:
            return kept
        return _KeptReply(self._inner.stream(messages, max_tokens=max_tokens), path, request)

    def prepare(self) -> None:
        """Load what the first request would wait for."""
        self._inner.prepare()

    def close(self) -> None:
        """Close the model that is asked."""
        self._inner.close()


class _KeptReply(Reply):
    def __init__(self, inner: Reply, path: Path, request: dict[str, Any]) -> None:
        self._inner = inner
        self._entry = path, request
        super().__init__()

    def _run(self) -> Generator[str, None, None]:
        pieces = []
        try:
            for piece in self._inner:
                pieces.append(piece)
                yield piece
            self.finish = self._inner.finish
        finally:
            self.usage = self._inner.usage
        if self.finish in ("stop", "length"):
            path, request = self._entry
            said = {"text": "".join(pieces), "finish": self.finish, "usage": asdict(self.usage)}
            _write(path, {**request, **said})

    def _abort(self) -> None:
        self._inner.close()


def _read(path: Path, request: dict[str, Any]) -> SettledReply | None:
    """A kept answer; None: there is none, or it cannot be trusted."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        text, finish, usage = (entry.pop(name) for name in ("text", "finish", "usage"))
        spent = Usage(**usage)
    except (OSError, ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return None
    counts = (spent.calls, spent.prompt_tokens, spent.completion_tokens)
    if entry != request or not isinstance(text, str) or not isinstance(finish, str):
        return None
    if not all(type(count) is int and count >= 0 for count in counts):
        return None
    return SettledReply(
        [text], usage=replace(spent, estimated=bool(spent.estimated)), finish=finish
    )


def _write(path: Path, entry: dict[str, Any]) -> None:
    """Keep an answer; a disk that refuses costs the copy, not the answer."""
    part = path.with_name(f"{path.stem}.{token_hex(8)}.part")
    try:
        part.write_text(json.dumps(entry), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        _LOG.warning("an answer could not be kept in %s: %s", path.parent, error.strerror)
        with suppress(OSError):
            part.unlink(missing_ok=True)
