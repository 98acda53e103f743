"""The ``footnoted`` command: arguments in, exit code out. Commands stand in `ui.commands`.

Nothing but argparse is imported before a command is known, so that ``--help`` is instant.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

OK, FAILED, USAGE, DECLINED, INTERRUPTED = 0, 1, 2, 3, 130
COLLECTION = "collection"
EXPORT_FORMATS = ("bibtex", "ris", "csl-json", "csv", "markdown", "jsonl", "json")

_DESCRIPTION = """\
Answers questions over a collection of paper abstracts. Every sentence of an answer carries a
footnote to the exact sentence of the abstract that supports it; what the abstracts do not say,
it declines to say. Works without a key and without a network."""

_EPILOG = """\
examples:
  footnoted add data/daily_papers
  footnoted ask "Are emergent abilities real, or an artefact of the metric?"
  footnoted search "theory of mind" --limit 5
  footnoted ask "Which papers study grokking?" --json | jq .claims
  footnoted ask "What is grokking?" --model llama3.1:8b --base-url http://localhost:11434/v1

environment:
  FOOTNOTED_HOME        where collections live
  FOOTNOTED_COLLECTION  the collection used when --collection is not given (default)
  FOOTNOTED_EMBEDDER    what turns text into vectors when --embedder is not given (bundled)
  FOOTNOTED_MODEL       the language model that writes answers when --model is not given (none)
  FOOTNOTED_WINDOW      tokens which that model reads and writes in one go (8192)
  OPENAI_BASE_URL       its endpoint when --base-url is not given (OpenAI's own)
  OPENAI_API_KEY        key of the endpoint, if it needs one
  FOOTNOTED_EMBEDDER_KEY  key of the embedder's endpoint, if that is another one
  FOOTNOTED_EMBEDDER_REQUESTS  requests that it gets at a time (4)
  FOOTNOTED_CHROMA      where new collections have their index when --chroma is not given (local)
  FOOTNOTED_CHROMA_TOKEN  bearer token for that Chroma server, if it needs one
  FOOTNOTED_ARXIV_URL   the arXiv API, or a mirror of it, that 'fetch' asks
  FOOTNOTED_DAILY_PAPERS_URL  the same for Daily Papers

exit codes: 0 done, 1 error, 2 wrong usage, 3 the question was declined, 130 interrupted"""


def _common() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-c",
        "--collection",
        metavar="NAME",
        help="a collection's name, or its directory if there is a slash in it",
    )
    common.add_argument("--embedder", metavar="SPEC", help="bundled, or openai:MODEL[@BASE_URL]")
    return common


def _filters() -> argparse.ArgumentParser:
    filters = argparse.ArgumentParser(add_help=False)
    group = filters.add_argument_group("only papers")
    group.add_argument(
        "--from", dest="year_from", type=_year, metavar="YEAR", help="from this year"
    )
    group.add_argument("--to", dest="year_to", type=_year, metavar="YEAR", help="up to this year")
    group.add_argument("--author", metavar="TEXT", help="with this in an author's name")
    group.add_argument("--venue", metavar="TEXT", help="with this in the venue")
    group.add_argument("--source", metavar="TEXT", help="with this in the name of their file")
    return filters


def _writing() -> argparse.ArgumentParser:
    writing = argparse.ArgumentParser(add_help=False)
    group = writing.add_argument_group("who writes")
    group.add_argument(
        "--model", metavar="NAME", help="this language model, at an OpenAI-compatible endpoint"
    )
    group.add_argument("--base-url", metavar="URL", help="the endpoint (OpenAI's own)")
    group.add_argument(
        "--no-llm", action="store_true", help="no language model: sentences are quoted"
    )
    return writing


def _placing() -> argparse.ArgumentParser:
    placing = argparse.ArgumentParser(add_help=False)
    placing.add_argument(
        "--chroma",
        metavar="WHERE",
        help="have the index of a new collection on this Chroma server (http://HOST:PORT), or "
        "'local' in its own directory",
    )
    return placing


def _taking() -> argparse.ArgumentParser:
    taking = argparse.ArgumentParser(add_help=False)
    taking.add_argument("--quiet", action="store_true", help="no progress bar")
    taking.add_argument(
        "--skipped", metavar="FILE", help="write what was skipped there: place, tab, reason"
    )
    return taking


def _keeping() -> argparse.ArgumentParser:
    keeping = argparse.ArgumentParser(add_help=False)
    keeping.add_argument(
        "--strict", action="store_true", help="leave out what the abstracts do not support"
    )
    keeping.add_argument(
        "--no-history", action="store_true", help="do not keep the answer (see 'answers')"
    )
    return keeping


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from rag.version import VERSION

    root = argparse.ArgumentParser(
        prog="footnoted",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"footnoted {VERSION}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    common, filters, writing, keeping = _common(), _filters(), _writing(), _keeping()
    placing, taking = _placing(), _taking()

    def command(
        name: str, help_: str, example: str, *parents: argparse.ArgumentParser, note: str = ""
    ) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=help_,
            description=help_[0].upper() + help_[1:] + ".",
            epilog=f"{note}example:\n  {example}",
            parents=[common, *parents],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    add = command(
        "add",
        "add the papers of files and folders",
        "footnoted add data/daily_papers more.jsonl",
        placing,
        taking,
        note="What cannot be read is skipped and named on standard error; exits with 0 if\n"
        "anything could be read. A path that does not exist stops it before anything is read.\n\n",
    )
    add.add_argument("paths", nargs="+", metavar="PATH", help="a file or folder")
    add.add_argument(
        "--dry-run", action="store_true", help="only say what would become of every record"
    )

    fetch = command(
        "fetch",
        "fetch papers from arXiv or from Daily Papers",
        'footnoted fetch arxiv "cat:cs.CL AND abs:grokking" --since 2025-01-01 --max 500\n'
        "  footnoted fetch daily-papers 2025-03-14..2025-03-20",
        placing,
        taking,
        note="One request every three seconds to arXiv, newest papers first; one a second to\n"
        "Daily Papers. A fetch that is cut off goes on where it stopped when the same command\n"
        "is run again within a week.\n\n",
    )
    fetch.add_argument("source", choices=("arxiv", "daily-papers"), help="where from")
    fetch.add_argument(
        "what", metavar="QUERY|DAYS", help="a query in arXiv's words; a day, or DAY..DAY"
    )
    fetch.add_argument(
        "--since", type=_day, metavar="DAY", help="arXiv: papers first submitted then or later"
    )
    fetch.add_argument("--max", type=_many, metavar="N", help="at most so many papers")

    ask = command(
        "ask",
        "answer a question, each sentence with its footnote",
        'footnoted ask "How does GeneGPT use NCBI?" --from 2023',
        filters,
        writing,
        keeping,
    )
    ask.add_argument("question", help="the question; - reads it from standard input")
    shape = ask.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="the whole record as JSON")
    shape.add_argument("--markdown", action="store_true", help="the answer as Markdown")

    search = command(
        "search",
        "list the passages that fit a query best",
        'footnoted search "in-context learning" --limit 3',
        filters,
    )
    search.add_argument("query")
    search.add_argument("--limit", type=_positive, default=10, help="how many (10)")
    search.add_argument("--json", action="store_true", help="one JSON object a line")

    command(
        "chat", "ask and follow up in a conversation", "footnoted chat", filters, writing, keeping
    )

    papers = command("papers", "list what the collection holds", "footnoted papers", filters)
    papers.add_argument("--json", action="store_true", help="one JSON object a line")

    show = command(
        "show",
        "show a paper and its abstract, sentence by sentence",
        'footnoted show "MindAgent: Emergent Gaming Interaction"',
    )
    show.add_argument("paper", help="its id, DOI, arXiv id or exact title")
    show.add_argument("--json", action="store_true", help="as JSON")

    remove = command("remove", "remove papers", "footnoted remove PAPER_ID")
    remove.add_argument("paper", nargs="+", help="its id, DOI, arXiv id or exact title")

    export = command(
        "export",
        "write papers, or those that an answer cites, for other programs",
        "footnoted export bibtex --output refs.bib --from 2023\n"
        "  footnoted export csl-json --answer ANSWER_ID\n"
        "  footnoted export collection --output reading.zip",
        filters,
        note="What stands in FILE stays until the new file is whole. Of an answer (see 'answers')\n"
        "only the cited papers are written; markdown has its text with footnotes, json its\n"
        "whole record. A collection is written with its vectors, for 'footnoted import'; what\n"
        "was asked and answered is no part of it.\n\n",
    )
    offered = (*EXPORT_FORMATS, COLLECTION)
    export.add_argument("format", metavar="FORMAT", choices=offered, help=", ".join(offered))
    export.add_argument("--answer", metavar="ID", help="a kept answer's id, or how that begins")
    export.add_argument("-o", "--output", metavar="FILE", help="where to (standard output)")

    import_ = command(
        "import",
        "take in a collection that was exported, with its vectors",
        "footnoted import reading.zip",
        placing,
        taking,
        note="Papers are merged as 'add' merges them; what has a vector is not embedded again.\n\n",
    )
    import_.add_argument("file", metavar="FILE", help="what 'footnoted export collection' wrote")
    import_.add_argument(
        "--embed", action="store_true", help="leave its vectors and make them here"
    )

    backup = command(
        "backup",
        "write the collection to one file, with the answers that were kept",
        "footnoted backup reading-2025-03-14.zip",
        note="Others may search and add meanwhile. What stands in FILE stays until the new one is\n"
        "whole.\n\n",
    )
    backup.add_argument("file", metavar="FILE", help="where to")
    backup.add_argument("--no-history", action="store_true", help="leave the answers out")

    restore = command(
        "restore",
        "make the collection of a backup",
        "footnoted restore reading-2025-03-14.zip --collection reading",
        note="The file is checked, to the last byte, before anything is replaced.\n\n",
    )
    restore.add_argument("file", metavar="FILE", help="what 'footnoted backup' wrote")
    restore.add_argument(
        "--force",
        action="store_true",
        help="replace the collection that is there; it is kept under another name",
    )

    collections = command("collections", "list your collections", "footnoted collections")
    collections.add_argument("--json", action="store_true", help="one JSON object a line")

    serve = command(
        "serve",
        "serve the chat page and the HTTP interface",
        "footnoted serve --port 8000",
        writing,
        placing,
        note="Only this machine reaches it, unless --host says otherwise; then a password is\n"
        "needed, which programs send as a bearer token.\n\n",
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
    serve.add_argument("--port", type=_port, default=7860, help="port to listen at (7860)")
    serve.add_argument("--password-file", metavar="FILE", help="ask for the password in this file")
    serve.add_argument("--proxy", metavar="NAME", help="a reverse proxy here serves it as NAME")
    serve.add_argument(
        "--rate", type=_positive, default=30, help="questions a minute of one client (30)"
    )
    serve.add_argument(
        "--at-once", type=_positive, default=2, help="questions at once of one client (2)"
    )
    serve.add_argument("--queue", type=_positive, default=64, help="questions that may wait (64)")
    serve.add_argument(
        "--max-upload", type=_positive, default=50, metavar="MB", help="size of an upload (50)"
    )
    serve.add_argument(
        "--time-limit", type=_positive, default=120, metavar="SECONDS", help="of an answer (120)"
    )
    serve.add_argument("--read-only", action="store_true", help="nothing is added or removed")
    serve.add_argument("--no-history", action="store_true", help="keep nothing after the end")

    answers = command(
        "answers", "list the answers that were kept", 'footnoted answers --search "grokking"'
    )
    answers.add_argument("--search", metavar="TEXT", help="only those that hold these words")
    answers.add_argument("--limit", type=_positive, default=20, help="how many (20)")
    answers.add_argument("--json", action="store_true", help="one JSON object a line")

    replay = command(
        "replay",
        "answer a question again as it was answered before, and say what changed",
        "footnoted replay ANSWER_ID",
        writing,
    )
    replay.add_argument("answer", help="its id, or how that begins")

    feedback = command(
        "feedback",
        "list what was said of answers, or say something",
        'footnoted feedback ANSWER_ID --bad --comment "the figure is for another model"',
    )
    feedback.add_argument("answer", nargs="?", help="its id, or how that begins")
    said = feedback.add_mutually_exclusive_group()
    said.add_argument("--good", action="store_true", help="the answer is good")
    said.add_argument("--bad", action="store_true", help="the answer is bad")
    feedback.add_argument("--comment", default="", metavar="TEXT", help="why")
    feedback.add_argument("--json", action="store_true", help="one JSON object a line")

    command("doctor", "check the collection and say what mends it", "footnoted doctor")

    # Its own program, with its own help: everything after the name goes there.
    commands.add_parser("eval", help="measure how well answers are grounded", add_help=False)

    rebuild = command("rebuild", "make the search indexes again", "footnoted rebuild")
    rebuild.add_argument(
        "--embed", action="store_true", help="make the vectors again too (a new embedder)"
    )
    rebuild.add_argument(
        "--chroma",
        metavar="WHERE",
        help="move the index to this Chroma server (http://HOST:PORT), or 'local' back; nothing "
        "is embedded",
    )
    return root


def _whole(text: str, least: int, most: int, what: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text[:40]} is not a {what} between {least} and {most}")
    return value


def _positive(text: str) -> int:
    return _whole(text, 1, 1000, "whole number")


def _many(text: str) -> int:
    return _whole(text, 1, 1_000_000, "whole number")


def _day(text: str) -> date:
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"{text[:40]} is not a day such as 2025-01-31"
        raise argparse.ArgumentTypeError(message) from None


def _port(text: str) -> int:
    return _whole(text, 1, 65_535, "port")


def _year(text: str) -> int:
    return _whole(text, 1000, 3000, "year")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and never lets a trace out on purpose."""
    given = list(sys.argv[1:] if argv is None else argv)
    _reconfigure(sys.stdin, errors="replace")
    _reconfigure(sys.stdout, errors="backslashreplace")
    try:
        try:
            return _run(given)
        finally:
            # What cannot be written is to be known now, not when the interpreter shuts down.
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (head, less) has gone: not an error.
        _drop_output()
        return OK
    except OSError as error:
        _drop_output()
        where = "the output cannot be written" if error.filename is None else error.filename
        _complain(f"{where}: {error.strerror or error}")
        return FAILED


def _run(given: list[str]) -> int:
    if given[:1] == ["eval"]:
        from eval.__main__ import main as evaluate

        return evaluate(given[1:])
    arguments = parser().parse_args(given)
    _make_text(arguments)
    for_programs = any(getattr(arguments, shape, False) for shape in ("json", "markdown"))
    if for_programs or arguments.command == "export":
        # These are read by programs: UTF-8, whatever the terminal takes.
        _reconfigure(sys.stdout, errors="backslashreplace", encoding="utf-8")
    from rag.errors import RagError
    from ui import commands
    from ui.terminal import warnings_shown

    try:
        with warnings_shown():
            return commands.run(arguments)
    except RagError as error:
        _complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        _complain(f"interrupted{to_go_on(arguments)}")
        return INTERRUPTED


def to_go_on(arguments: argparse.Namespace) -> str:
    """What an interrupted command has left, and what goes on from there."""
    if arguments.command == "rebuild":
        kept = "; what was done so far is kept: "
        if arguments.embedder or arguments.chroma:
            without = ", without --embed," if arguments.embed else ""
            return f"{kept}run the same command{without} to go on"
        name = f" --collection {shlex.quote(arguments.collection)}" if arguments.collection else ""
        return f"{kept}'footnoted rebuild{name}' goes on"
    if arguments.command in ("add", "fetch", "import") and not getattr(arguments, "dry_run", False):
        return "; what was added so far stays, run the same command to go on"
    return ""


def _make_text(arguments: argparse.Namespace) -> None:
    """Replace bytes that are no text, which can be neither stored nor searched for.

    Paths keep theirs: a file may be named so.
    """
    for name, value in vars(arguments).items():
        if name in ("paths", "file", "collection", "output", "skipped"):
            continue
        if isinstance(value, str):
            setattr(arguments, name, _as_text(value))
        elif isinstance(value, list):
            setattr(arguments, name, [_as_text(item) for item in value])


def _as_text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _reconfigure(stream: object, **how: str) -> None:
    """Set how a standard stream encodes, where it is one that can be told."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(**how)


def _complain(message: str) -> None:
    from ui.terminal import complain

    with contextlib.suppress(OSError):  # nobody is left to be told
        complain(message)


def _drop_output() -> None:
    """Point standard output elsewhere, so that the flush at exit does not complain again."""
    with contextlib.suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
