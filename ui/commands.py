"""What each command of ``footnoted`` does."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ui.cli import COLLECTION, DECLINED, FAILED, OK
from ui.terminal import (
    answer_of,
    complain,
    line,
    papers_in_words,
    progress,
    show_answer,
    show_held,
    show_hit,
)

if TYPE_CHECKING:
    from rag.adding import AddReport
    from rag.assistant import Assistant
    from rag.schema import Filters


def run(arguments: argparse.Namespace) -> int:
    """Run the command that the arguments name; returns the exit code."""
    return _COMMANDS[arguments.command](arguments)


def _open(
    arguments: argparse.Namespace,
    *,
    history: bool = False,
    create: bool = False,
    check: bool = True,
    directory: Path | None = None,
) -> Assistant:
    """The collection; with a language model only for a command that takes ``--model``."""
    from rag.assistant import Assistant

    quoting = getattr(arguments, "no_llm", True)
    return Assistant.open(
        directory or _directory(arguments),
        embedder=arguments.embedder,
        llm="none" if quoting else arguments.model,
        base_url=None if quoting else arguments.base_url,
        history=history,
        create=create,
        check=check,
        chroma=None if arguments.command == "rebuild" else getattr(arguments, "chroma", None),
    )


def _directory(arguments: argparse.Namespace) -> Path:
    """Where the collection that is meant lives."""
    from rag.settings import Settings

    return Settings.from_env(os.environ).directory(arguments.collection)


def _chosen(arguments: argparse.Namespace) -> Filters:
    from rag.schema import Filters

    return Filters(
        arguments.year_from,
        arguments.year_to,
        arguments.author,
        arguments.venue,
        arguments.source,
    )


def _path(text: str) -> Path:
    """A path with ``~`` expanded; that of an unknown user is the name of a file."""
    expanded = os.path.expanduser(text)  # noqa: PTH111 (Path.expanduser raises)
    return Path(os.path.abspath(expanded) if expanded.startswith("~") else expanded)  # noqa: PTH100


def _add(arguments: argparse.Namespace) -> int:
    from rag.adding import check_readable

    paths = [_path(path) for path in arguments.paths]
    check_readable(paths)
    if arguments.dry_run:
        return _rehearse(arguments, paths)
    with _open(arguments, create=True) as assistant:
        waited = assistant.counts()["unembedded"]
        with progress(shown=not arguments.quiet) as (on_progress, on_estimate):
            report = assistant.add(*paths, on_progress=on_progress, on_estimate=on_estimate)
        line(str(report))
        if waited:
            line(f"embedded {papers_in_words(waited)} that waited")
        show_held(assistant)
    return _conclude(report, arguments)


def _rehearse(arguments: argparse.Namespace, paths: list[Path]) -> int:
    from ui.keeping import place_to_rehearse

    with (
        place_to_rehearse(_directory(arguments)) as directory,
        _open(arguments, create=True, directory=directory) as assistant,
        progress(shown=not arguments.quiet) as (on_progress, _),
    ):
        report = assistant.add(*paths, on_progress=on_progress, dry_run=True)
    line(f"{report}; nothing was written")
    return _conclude(report, arguments)


def _fetch(arguments: argparse.Namespace) -> int:
    from rag.store.unused import gone_if_unused
    from ui.fetching import fetch, source_of

    source = source_of(arguments)
    with gone_if_unused(_directory(arguments)), _open(arguments, create=True) as assistant:
        report = fetch(assistant, source, arguments)
    return _conclude(report, arguments)


def _conclude(report: AddReport, arguments: argparse.Namespace) -> int:
    """Tell what was skipped; the exit code says whether anything could be read."""
    from ui.skipping import show_skipped

    show_skipped(report.skipped, _path(arguments.skipped) if arguments.skipped else None)
    return FAILED if report.skipped and not report.records else OK


def _ask(arguments: argparse.Namespace) -> int:
    question = sys.stdin.read() if arguments.question == "-" else arguments.question
    with _open(arguments, history=not arguments.no_history) as assistant:
        events = assistant.stream(question, filters=_chosen(arguments), strict=arguments.strict)
        answer = answer_of(events)
    if arguments.json:
        print(answer.to_json())
    elif arguments.markdown:
        from rag.export import to_markdown

        print(to_markdown(answer))
    else:
        show_answer(answer)
    return DECLINED if answer.declined else OK


def _search(arguments: argparse.Namespace) -> int:
    with _open(arguments) as assistant:
        hits = assistant.search(arguments.query, limit=arguments.limit, filters=_chosen(arguments))
    for hit in hits:
        if arguments.json:
            from rag.export import hit_record

            print(json.dumps(hit_record(hit), ensure_ascii=False))
        else:
            show_hit(hit)
    if not hits:
        complain("nothing found")
    return OK


def _chat(arguments: argparse.Namespace) -> int:
    from rag.errors import QuestionError

    with _open(arguments, history=not arguments.no_history) as assistant:
        conversation = assistant.chat(_chosen(arguments), strict=arguments.strict)
        line("Ask away; an empty line or Ctrl-D ends the conversation.", "dim")
        while question := _prompt():
            try:
                answer = answer_of(conversation.stream(question))
            except QuestionError as error:
                complain(str(error))
                continue
            show_answer(answer)
    return OK


def _prompt() -> str:
    try:
        return input("\n> ").strip()
    except EOFError:
        return ""


def _papers(arguments: argparse.Namespace) -> int:
    found = False
    with _open(arguments) as assistant:
        for paper in assistant.papers(_chosen(arguments)):
            found = True
            if arguments.json:
                print(json.dumps(asdict(paper), ensure_ascii=False))
            else:
                line(f"{paper.id}  {paper.title}")
    if not found:
        complain("no paper is held that fits")
    return OK


def _show(arguments: argparse.Namespace) -> int:
    with _open(arguments) as assistant:
        paper, sentences = assistant.paper(arguments.paper), assistant.sentences(arguments.paper)
    if arguments.json:
        print(json.dumps(asdict(paper), ensure_ascii=False, indent=2))
        return OK
    line(paper.title, "bold")
    known = {
        "id": paper.id,
        "authors": "; ".join(paper.authors),
        "year": paper.year,
        "venue": paper.venue,
        "link": paper.link,
        "from": ", ".join(paper.sources),
    }
    for name, value in known.items():
        if value:
            line(f"{name}: {value}", "dim")
    line()
    for sentence in sentences:
        text = " ".join(paper.abstract[sentence.start : sentence.end].split())
        line(f"{sentence.index + 1}. {text}")
    return OK


def _remove(arguments: argparse.Namespace) -> int:
    with _open(arguments) as assistant:
        for name in arguments.paper:
            line(f"removed {assistant.remove(name).title}")
    return OK


def _export(arguments: argparse.Namespace) -> int:
    from ui.exporting import export_answer, export_collection

    output = None if arguments.output in (None, "-") else _path(arguments.output)
    chosen, format_ = _chosen(arguments), arguments.format
    with _open(arguments, history=arguments.answer is not None, check=False) as assistant:
        if format_ == COLLECTION:
            from ui.keeping import export

            return export(assistant, chosen, arguments.answer, output)
        if arguments.answer is not None:
            return export_answer(assistant, arguments.answer, chosen, format_, output)
        return export_collection(assistant, chosen, format_, output)


def _import(arguments: argparse.Namespace) -> int:
    from rag.backup.importing import check_shared
    from rag.store.unused import gone_if_unused
    from ui.keeping import import_

    file = _path(arguments.file)
    check_shared(file)
    with gone_if_unused(_directory(arguments)), _open(arguments, create=True) as assistant:
        report = import_(assistant, file, arguments)
    return _conclude(report, arguments)


def _backup(arguments: argparse.Namespace) -> int:
    from ui.keeping import backup

    with _open(arguments, check=False) as assistant:
        return backup(assistant, _path(arguments.file), history=not arguments.no_history)


def _restore(arguments: argparse.Namespace) -> int:
    from ui.keeping import restore

    return restore(_path(arguments.file), _directory(arguments), force=arguments.force)


def _collections(arguments: argparse.Namespace) -> int:
    from rag.settings import Settings
    from ui.keeping import list_collections

    settings = Settings.from_env(os.environ)
    return list_collections(settings.home, settings.collection, as_json=arguments.json)


def _doctor(arguments: argparse.Namespace) -> int:
    from rag.errors import DamagedError
    from rag.health import unreadable

    well = True
    with contextlib.ExitStack() as stack:
        try:
            assistant = stack.enter_context(_open(arguments, check=False))
        except DamagedError as error:
            findings = iter([unreadable(_directory(arguments), error)])
        else:
            findings = assistant.examine()
        for finding in findings:
            mark, style = ("ok  ", "green") if finding.well else ("BAD ", "bold red")
            line(f"{mark} {finding.check}: {finding.detail}", style)
            if not finding.well:
                well = False
                line(f"mend it: {finding.remedy}", indent=5)
    return OK if well else FAILED


def _rebuild(arguments: argparse.Namespace) -> int:
    with _open(arguments, check=not arguments.embed) as assistant:
        with progress(shown=True) as (on_progress, _):
            assistant.rebuild(
                embed=arguments.embed, chroma=arguments.chroma, on_progress=on_progress
            )
        counts = assistant.counts()
    line(f"rebuilt: {counts['papers']:,} papers, {counts['passages']:,} passages")
    return OK


def _serve(arguments: argparse.Namespace) -> int:
    from ui.page.serving import Serving, read_secret

    file = arguments.password_file
    serving = Serving(
        host=arguments.host,
        port=arguments.port,
        secret=None if file is None else read_secret(_path(file)),
        rate=arguments.rate,
        at_once=arguments.at_once,
        queue=arguments.queue,
        upload_mb=arguments.max_upload,
        answer_s=arguments.time_limit,
        read_only=arguments.read_only,
        history=not arguments.no_history,
        proxy=arguments.proxy,
    )
    with _open(arguments, create=not arguments.read_only) as assistant:
        from ui.page.app import serve

        serve(assistant, serving, lambda address: line(f"Open {address}   (Ctrl-C ends it)"))
    return OK


def _answers(arguments: argparse.Namespace) -> int:
    from ui.kept import list_answers

    with _open(arguments, history=True) as assistant:
        return list_answers(assistant, arguments)


def _replay(arguments: argparse.Namespace) -> int:
    from ui.kept import replay

    with _open(arguments, history=True) as assistant:
        return replay(assistant, arguments)


def _feedback(arguments: argparse.Namespace) -> int:
    from ui.kept import feedback

    with _open(arguments, history=True) as assistant:
        return feedback(assistant, arguments)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "add": _add,
    "fetch": _fetch,
    "ask": _ask,
    "search": _search,
    "chat": _chat,
    "papers": _papers,
    "show": _show,
    "remove": _remove,
    "export": _export,
    "import": _import,
    "backup": _backup,
    "restore": _restore,
    "collections": _collections,
    "serve": _serve,
    "answers": _answers,
    "replay": _replay,
    "feedback": _feedback,
    "doctor": _doctor,
    "rebuild": _rebuild,
}
