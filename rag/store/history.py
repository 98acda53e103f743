"""What was asked and answered: answers as JSON records, conversations, and feedback.

The history is a file of its own in the collection's directory, outside the writer lock: any
number of processes and threads write to it, in short transactions. Whatever is wrong with it
concerns nothing else: every failure is a `CollectionError` that says that answers are not
affected, and the caller goes on with its answer and shows it as a warning.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.errors import InputError
from rag.schema import Answer
from rag.store import ids
from rag.store.catalog import fold
from rag.store.historyfile import FILE_NAME, HistoryFile, damaged
from rag.store.kept import (
    AnswerRecord,
    ConversationSummary,
    Feedback,
    Summary,
    UnknownAnswerError,
    UnknownConversationError,
)

__all__ = [
    "MAX_COMMENT_CHARS",
    "AnswerRecord",
    "ConversationSummary",
    "Feedback",
    "History",
    "Summary",
    "UnknownAnswerError",
    "UnknownConversationError",
]

MAX_COMMENT_CHARS = 2_000
_MAX_NAMED = 5

_SURROGATE = re.compile("[\ud800-\udfff]")
_SUMMARY = "id, time, question, mode, model, declined, conversation"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class History:
    """The answers, conversations and feedback of one collection.

    Safe to use from several threads and processes. The file is made when the first thing is
    written; until then, and after it was moved away, nothing is found.

    Every method raises `StorageError` (disk full, read-only, no permission), `DamagedError`,
    `LockedError` (waited in vain for other writers) or `ForeignError` (a newer layout) when the
    file cannot be used; what it held stays as it was.

    Args:
        directory: the collection's directory, which exists.
        now: the clock.
        wait_s: how long to wait for other processes that write, in seconds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        now: Callable[[], datetime] = _utc_now,
        wait_s: float = 10.0,
    ) -> None:
        self._file = HistoryFile(directory / FILE_NAME, wait_s)
        self._now = now

    @property
    def path(self) -> Path:
        """Where the history lies, or will."""
        return self._file.path

    # -- answers

    def record(self, answer: Answer, *, conversation: str | None = None) -> str:
        """Keep an answer; returns its id, which is greater than all ids before it.

        The record is ``answer.to_json()`` with ``id`` and ``time`` put in. When this returns, it
        outlasts a crash.

        Raises:
            UnknownConversationError: the conversation does not exist, or not any more.
        """
        values = json.loads(answer.to_json())
        folded = fold(_storable(f"{answer.question}\n{answer.text}"))
        now = self._now()
        with self._file.writing() as connection:
            if conversation is not None:
                sql = "SELECT 1 FROM conversations WHERE id = ?"
                if not connection.execute(sql, (_storable(conversation),)).fetchone():
                    raise _unknown_conversation(conversation)
            (last,) = connection.execute("SELECT max(id) FROM answers").fetchone()
            id_, time = self._next_id(last, now), _iso(now)
            row = (
                id_,
                time,
                _storable(answer.question),
                _storable(answer.mode),
                None if answer.model is None else _storable(answer.model),
                answer.declined,
                conversation,
                folded,
                _record(values, id_, time),
            )
            sql = f"INSERT INTO answers({_SUMMARY}, folded, record) VALUES (?,?,?,?,?,?,?,?,?)"
            connection.execute(sql, row)
        return id_

    def _next_id(self, last: str | None, now: datetime) -> str:
        try:
            return ids.answer_id(last, now)
        except ValueError as error:
            raise damaged(self.path, f"{_shown(last or '')} is no id") from error

    def answers(
        self,
        *,
        limit: int,
        before: str | None = None,
        search: str | None = None,
        conversation: str | None = None,
    ) -> list[Summary]:
        """The kept answers, newest first, at most ``limit``.

        Args:
            limit: how many, from 1.
            before: only answers older than this id, which need not exist any more.
            search: only answers in which all of these words stand, in the question or the text,
                without regard to case and accents.
            conversation: only answers of this conversation.
        """
        conditions, parameters = ["1"], list[Any]()
        if before is not None:
            conditions.append("id < ?")
            parameters.append(_storable(before))
        if conversation is not None:
            conditions.append("conversation = ?")
            parameters.append(_storable(conversation))
        for word in fold(_storable(search or "")).split():
            conditions.append("instr(folded, ?) > 0")
            parameters.append(word)
        rows = self._file.rows(
            f"SELECT {_SUMMARY} FROM answers WHERE {' AND '.join(conditions)} "
            "ORDER BY id DESC LIMIT ?",
            (*parameters, limit),
        )
        return [Summary(*row) for row in rows]

    def answer(self, name: str, *, exact: bool = False) -> AnswerRecord:
        """The kept answer whose id is ``name`` or, unless ``exact``, begins with it.

        Whoever is not meant to see all answers must be served with ``exact``: beginnings can be
        guessed.

        Raises:
            UnknownAnswerError: there is none, or several ids begin so.
        """
        wanted = _normal_id(name)
        condition = "id = ?1" if exact else "id >= ?1 AND id < ?1 || '{'"  # '{' follows 'z'
        rows = self._file.rows(
            f"SELECT id, time, conversation, record FROM answers WHERE {condition} "
            "ORDER BY id DESC LIMIT ?2",
            (wanted, _MAX_NAMED + 1),
        )
        if not rows or not wanted:
            raise self._unknown_answer(name)
        if len(rows) > 1:
            ids = ", ".join(row[0] for row in rows[:_MAX_NAMED])
            more = ", …" if len(rows) > _MAX_NAMED else ""
            raise UnknownAnswerError(
                f"several answers have an id that begins with {_shown(name)}: {ids}{more}; "
                "give more of it"
            )
        return self._parsed(rows[0])

    def forget(self, answer: str) -> None:
        """Delete the answer with exactly this id, and the feedback on it, for good.

        Raises:
            UnknownAnswerError: there is none.
        """
        if not self._file.changed("DELETE FROM answers WHERE id = ?", (_normal_id(answer),)):
            raise self._unknown_answer(answer)
        self._file.overwrite()

    def detach(self, answer: str) -> None:
        """Take the answer with exactly this id out of its conversation; it stays kept.

        Raises:
            UnknownAnswerError: there is none.
        """
        sql = "UPDATE answers SET conversation = NULL WHERE id = ?"
        if not self._file.changed(sql, (_normal_id(answer),)):
            raise self._unknown_answer(answer)

    # -- conversations

    def start_conversation(self, owner: str) -> str:
        """Begin a conversation of the browser that holds the token ``owner``; returns its id.

        The token should have 128 random bits or more: only its SHA-256 is stored.
        """
        id_ = ids.conversation_id()
        with self._file.writing() as connection:
            connection.execute(
                "INSERT INTO conversations(id, owner, started) VALUES (?, ?, ?)",
                (id_, _hashed(owner), _iso(self._now())),
            )
        return id_

    def conversations(self, owner: str) -> list[ConversationSummary]:
        """The owner's conversations that hold answers, the one that went on last first."""
        rows = self._file.rows(
            "SELECT c.id, first.question, c.started, last.time, held.answers FROM "
            "(SELECT conversation, min(id) AS first, max(id) AS last, count(*) AS answers "
            "FROM answers WHERE conversation IN (SELECT id FROM conversations WHERE owner = ?) "
            "GROUP BY conversation) held "
            "JOIN conversations c ON c.id = held.conversation "
            "JOIN answers first ON first.id = held.first "
            "JOIN answers last ON last.id = held.last "
            "ORDER BY held.last DESC",
            (_hashed(owner),),
        )
        return [ConversationSummary(*row) for row in rows]

    def turns(self, conversation: str, owner: str) -> list[AnswerRecord]:
        """The answers of the owner's conversation, oldest first.

        Raises:
            UnknownConversationError: the owner has no such conversation.
        """
        names = (_storable(conversation), _hashed(owner))
        if not self._file.rows("SELECT 1 FROM conversations WHERE id = ? AND owner = ?", names):
            raise _unknown_conversation(conversation)
        rows = self._file.rows(
            "SELECT id, time, conversation, record FROM answers WHERE conversation = ? ORDER BY id",
            names[:1],
        )
        return [self._parsed(row) for row in rows]

    def forget_conversation(self, conversation: str, owner: str) -> None:
        """Delete the owner's conversation with its answers and the feedback on them, for good.

        Raises:
            UnknownConversationError: the owner has no such conversation.
        """
        deleted = self._file.changed(
            "DELETE FROM conversations WHERE id = ? AND owner = ?",
            (_storable(conversation), _hashed(owner)),
        )
        if not deleted:
            raise _unknown_conversation(conversation)
        self._file.overwrite()

    # -- feedback

    def give_feedback(self, answer: str, *, good: bool, comment: str = "") -> None:
        """Keep what a reader says of the answer with exactly this id, in place of what was said.

        Raises:
            InputError: the comment is longer than `MAX_COMMENT_CHARS`.
            UnknownAnswerError: there is no such answer.
        """
        said = comment.strip()
        if len(said) > MAX_COMMENT_CHARS:
            raise InputError(
                f"the comment has {len(said):,} characters; at most {MAX_COMMENT_CHARS:,} are "
                "kept, shorten it"
            )
        kept = self._file.changed(
            "INSERT OR REPLACE INTO feedback(time, good, comment, answer) "
            "SELECT ?, ?, ?, id FROM answers WHERE id = ?",
            (_iso(self._now()), good, _storable(said), _normal_id(answer)),
        )
        if not kept:
            raise self._unknown_answer(answer)

    def feedback(self, answer: str | None = None) -> list[Feedback]:
        """All feedback, or that on the answer with exactly this id, latest answer first."""
        condition, parameters = ("1", ()) if answer is None else ("a.id = ?", (_normal_id(answer),))
        rows = self._file.rows(
            "SELECT a.id, f.time, f.good, f.comment, a.question FROM feedback f "
            f"JOIN answers a ON a.id = f.answer WHERE {condition} ORDER BY a.id DESC",
            parameters,
        )
        return [Feedback(id_, time, bool(good), *rest) for id_, time, good, *rest in rows]

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed again."""
        self._file.close()

    def _parsed(self, row: Sequence[Any]) -> AnswerRecord:
        id_, time, conversation, text = row
        try:
            return AnswerRecord(id_, time, conversation, text, json.loads(text))
        except (ValueError, TypeError) as error:
            raise damaged(self.path, f"answer {id_}: {error}") from error

    def _unknown_answer(self, name: str) -> UnknownAnswerError:
        return UnknownAnswerError(
            f"no answer is kept under {_shown(name)} in {self.path}; 'footnoted answers' lists "
            "those that are"
        )


def _unknown_conversation(name: str | None) -> UnknownConversationError:
    return UnknownConversationError(
        f"there is no conversation {_shown(name or '')} here; it may have been deleted, begin a "
        "new one"
    )


def _record(values: dict[str, Any], id_: str, time: str) -> str:
    """The JSON record with id and time after the format's name, as text that can be stored."""
    rest = {key: value for key, value in values.items() if key not in {"format", "id", "time"}}
    record = {"format": values["format"], "id": id_, "time": time, **rest}
    text = json.dumps(record, ensure_ascii=False, indent=2)
    # In JSON a lone surrogate can stand only inside a string, and there as an escape as well.
    return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _storable(text: str) -> str:
    """The text as SQLite can hold it: replacement characters for lone surrogates."""
    return _SURROGATE.sub("\ufffd", text)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 40 else f"{name[:40]}…")


def _normal_id(id_: str) -> str:
    return _storable(ids.normal(id_))


def _hashed(owner: str) -> bytes:
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).digest()


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
