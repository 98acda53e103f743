"""``python -m eval``, which is also ``footnoted eval``: arguments in, exit code out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

PASSED, FAILED_TOOL, BAD_DATA, JUDGE_ERRORS, GATE_FAILED = 0, 1, 2, 3, 100

_DESCRIPTION = """\
Measures how well answers are grounded. Offline unless a judge is named."""
_EPILOG = """\
examples:
  footnoted eval run                     the bundled cases, dev and test, in a minute or two
  footnoted eval run --split dev --category numeric
  footnoted eval run --failing           what failed last time
  footnoted eval run --answerer oracle   a control
  footnoted eval run --model NAME        answers written by a language model
  footnoted eval compare runs/a runs/b
  footnoted eval new my-cases.jsonl --collection my-papers
  footnoted eval run --cases my-cases.jsonl --collection my-papers
  footnoted eval judge-agreement
  footnoted eval bench startup

exit codes: 0 passed, 100 a gate failed, 1 error, 2 bad data, 3 too many judge errors"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="footnoted eval",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run(commands.add_parser("run", help="answer the cases and score the answers"))
    validate = commands.add_parser("validate", help="check cases without answering them")
    _add_cases(validate)
    compare = commands.add_parser("compare", help="what changed between two runs")
    compare.add_argument("a", type=Path, help="the directory of a run")
    compare.add_argument("b", type=Path, help="the directory of another run of the same cases")
    compare.add_argument("--markdown", action="store_true", help="as Markdown")
    new = commands.add_parser("new", help="write a case for your own collection, step by step")
    new.add_argument("file", type=Path, help="the file of cases to start or to add to")
    new.add_argument("-c", "--collection", metavar="NAME", help="your collection")
    agreement = commands.add_parser(
        "judge-agreement", help="how far each check of support can be trusted"
    )
    agreement.add_argument("--tier", action="append", help="only this tier (T0, T1, T2)")
    agreement.add_argument("--judge", metavar="MODEL[@URL]", help="a language model instead")
    agreement.add_argument("--replay", action="store_true", help="use only judgements kept")
    agreement.add_argument("--runs", type=Path, default=Path("runs"), help="where they are kept")
    agreement.add_argument(
        "--data", type=Path, default=Path("../shared"), help="labelled pairs (../shared)"
    )
    _add_bench(commands.add_parser("bench", help="measure speed, and ranking on SciFact"))
    return root


def _add_cases(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=Path, help="your own file or folder of cases")
    parser.add_argument("-c", "--collection", metavar="NAME", help="the collection they are about")


def _add_run(parser: argparse.ArgumentParser) -> None:
    from eval.schema import CATEGORIES

    _add_cases(parser)
    parser.add_argument("--split", choices=("dev", "test"), help="only this split")
    parser.add_argument("--category", action="append", choices=CATEGORIES, help="only this one")
    parser.add_argument("--case", action="append", metavar="ID", help="only this case")
    parser.add_argument("--failing", action="store_true", help="only what failed in the last run")
    parser.add_argument("--full", action="store_true", help="also noise, changed facts, rewording")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="each case N times")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="N cases at a time")
    parser.add_argument(
        "--answerer", default="assistant", help="assistant, or a control or baseline"
    )
    parser.add_argument("--model", metavar="NAME", help="a language model writes the answers")
    parser.add_argument("--base-url", metavar="URL", help="its endpoint (OpenAI's own)")
    parser.add_argument("--judge", metavar="MODEL[@URL]", help="a language model checks support")
    parser.add_argument("--replay", action="store_true", help="use only judgements that are kept")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs go (runs)")
    parser.add_argument("--id", help="the run's name; an unfinished one of that name goes on")
    parser.add_argument("--gates", type=Path, help="a file of gates; none for your own cases")


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (all but scale and plots)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("../shared/bench"),
        help="where formats/, scifact/ and abstracts-50k.jsonl.gz stand (../shared/bench)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("runs/bench"),
        help="where collections that took long to make are kept (runs/bench)",
    )
    parser.add_argument(
        "--papers", type=int, help="how many, for search (50000) and add (those of the sample)"
    )
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default="1000,10000,50000,300000",
        metavar="N,N",
        help="how many papers, for scale (1000,10000,50000,300000)",
    )
    parser.add_argument("--tune", action="store_true", help="scifact: show the tuning half")


def _sizes(text: str) -> list[int]:
    sizes = text.split(",")
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise argparse.ArgumentTypeError(f"expected numbers such as 1000,10000, got {text!r}")
    return [int(size) for size in sizes]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    arguments = parser().parse_args(argv)
    from eval import commands
    from eval.caseload import CaseError
    from rag.errors import InputError, RagError

    try:
        return commands.run(arguments)
    except CaseError as error:
        print(error, file=sys.stderr)
        return BAD_DATA
    except InputError as error:
        print(f"footnoted eval: {error}", file=sys.stderr)
        return BAD_DATA
    except RagError as error:
        print(f"footnoted eval: {error}", file=sys.stderr)
        return FAILED_TOOL
    except KeyboardInterrupt:
        print("interrupted; run again with the same --id to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
