"""``python -m eval``: the measuring program."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from eval.bench import BENCHES

_EPILOG = """\
examples:
  python -m eval bench                   everything that the machine has data for
  python -m eval bench sample startup
  python -m eval bench scifact --tune    the settings' own half, to choose by"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval",
        description="Measures Footnoted.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    bench = commands.add_parser("bench", help="measure speed, and ranking on SciFact")
    bench.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    bench.add_argument(
        "--data",
        type=Path,
        default=Path("../shared/bench"),
        help="where scifact/ and abstracts-50k.jsonl.gz stand (../shared/bench)",
    )
    bench.add_argument(
        "--work",
        type=Path,
        default=Path("runs/bench"),
        help="where collections that took long to make are kept (runs/bench)",
    )
    bench.add_argument("--papers", type=int, default=50_000, help="how many, for search (50000)")
    bench.add_argument("--tune", action="store_true", help="scifact: show the tuning half")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    arguments = _parser().parse_args(argv)
    unknown = [name for name in arguments.names if name not in BENCHES]
    if unknown:
        print(f"no bench is called {unknown[0]!r}; there are: {', '.join(BENCHES)}")
        return 2
    arguments.work.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or BENCHES:
        print(f"\n## {name}")
        BENCHES[name](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
