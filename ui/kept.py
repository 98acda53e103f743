"""The commands about answers that were kept: ``answers``, ``replay``, ``feedback``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rag.errors import InputError
from rag.records import answer_from_json
from ui.cli import OK
from ui.terminal import complain, line, show_answer

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.store.history import History


def _history(assistant: Assistant) -> History:
    assert assistant.history is not None
    return assistant.history


def list_answers(assistant: Assistant, arguments: argparse.Namespace) -> int:
    """List kept answers, newest first."""
    kept = _history(assistant).answers(limit=arguments.limit, search=arguments.search)
    for summary in kept:
        if arguments.json:
            print(json.dumps(asdict(summary), ensure_ascii=False))
            continue
        by = summary.model or summary.mode
        declined = ", declined" if summary.declined else ""
        line(f"{summary.id}  {summary.question}")
        line(f"{summary.time[:16].replace('T', ' ')} UTC, {by}{declined}", "dim", indent=4)
    if not kept:
        complain("no answer is kept" + (" that holds these words" if arguments.search else ""))
    return OK


def replay(assistant: Assistant, arguments: argparse.Namespace) -> int:
    """Answer a kept question again, and say what changed."""
    record = _history(assistant).answer(arguments.answer)
    again = assistant.replay(answer_from_json(record.text))
    show_answer(again.now)
    line()
    line(f"Against {record.id} of {record.time[:16].replace('T', ' ')} UTC:", "bold")
    for change in again.changes:
        line(f"- {change}", indent=2)
    if not again.changes:
        line("the same", indent=2)
    return OK


def feedback(assistant: Assistant, arguments: argparse.Namespace) -> int:
    """Keep what is said of an answer, or list what was said."""
    history = _history(assistant)
    if (arguments.good or arguments.bad or arguments.comment) and not arguments.answer:
        raise InputError("which answer is meant? name its id; 'footnoted answers' lists them")
    if arguments.comment and not (arguments.good or arguments.bad):
        raise InputError("a comment goes with --good or --bad; add one of them")
    id_ = history.answer(arguments.answer).id if arguments.answer else None
    if id_ is not None and (arguments.good or arguments.bad):
        history.give_feedback(id_, good=arguments.good, comment=arguments.comment)
        line(f"kept: {id_} is {'good' if arguments.good else 'bad'}")
        return OK
    said = history.feedback(id_)
    for item in said:
        if arguments.json:
            print(json.dumps(asdict(item), ensure_ascii=False))
        else:
            line(f"{'good' if item.good else 'bad '}  {item.answer}  {item.question}")
            if item.comment:
                line(item.comment, "dim", indent=6)
    if not said:
        complain("nothing was said of any answer" if id_ is None else "nothing was said of it")
    return OK
