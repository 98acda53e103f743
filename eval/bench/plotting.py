"""The figures of ``scale`` and ``add --papers`` drawn: pictures for ``eval/RESULTS.md``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.bench.charts import Line, Panel, chart
from eval.bench.figures import FILE_NAME, Figures, Kept, rounded

PLOTS = Path("eval/plots")
_BY_SIZE = "papers in the collection"
_ROWS = (
    ("catalog", "papers_per_s", "catalog alone, papers/s"),
    ("catalog", "raw_per_s", "(a plain table of the same, papers/s)"),
    ("add", "papers_per_s", "with Chroma, papers/s"),
    ("chroma", "passages_per_s", "(Chroma made anew, passages/s)"),
    ("again", "records_per_s", "unchanged again, records/s"),
    ("again", "raw_per_s", "(the same lines decoded, records/s)"),
    ("add", "peak_mb", "peak memory adding, MB"),
    ("search", "peak_mb", "peak memory searching, MB"),
    ("disk", "catalog_mb", "catalog on disk, MB"),
    ("disk", "chroma_mb", "Chroma on disk, MB"),
    ("search", "search_p50_ms", "search p50, ms"),
    ("search", "search_p95_ms", "search p95, ms"),
    ("search", "words_p50_ms", "by words alone, p50, ms"),
    ("search", "vectors_p50_ms", "by vectors alone, p50, ms"),
    ("search", "raw_p50_ms", "(exact scan in memory, p50, ms)"),
    ("search", "recall_10", "recall of the ten nearest"),
    ("search", "recall_100", "recall of the hundred nearest"),
)
BySize = Mapping[int, Figures]
"""The figures of a step, by the number of papers."""


def plots(arguments: argparse.Namespace) -> None:
    """Draw ``growth.svg`` and ``memory.svg`` from the figures kept in ``WORK``; print a table."""
    if "plots" not in arguments.names:
        print("left out: it draws the committed pictures anew; ask for it by name")
        return
    kept = Kept(arguments.work / FILE_NAME)
    drawn = {"growth.svg": growth(kept), "memory.svg": memory(kept)}
    PLOTS.mkdir(exist_ok=True)
    for name, picture in drawn.items():
        if picture is None:
            print(f"{name} left out: {kept.path} has no figures for it")
            continue
        (PLOTS / name).write_text(picture, encoding="utf-8")
        print(f"{PLOTS / name}: {len(picture):,} bytes")
    print("\n".join(table(kept)))


def growth(kept: Kept) -> str | None:
    """How every quantity grows with the collection; None while there is nothing to draw."""
    steps = ("catalog", "add", "again", "search", "disk")
    found = {step: kept.last(step) for step in steps}
    if not all(found.values()):
        return None
    panels = [*_adding(found), *_searching(found["search"]), *_room(found)]
    said = "; ".join(f"{panel.title}: {_said(panel)}" for panel in panels)
    sizes = found["add"]
    title = f"Growth from {min(sizes):,} papers to {max(sizes):,}, stand-in vectors"
    return chart(title, said, panels)


def _adding(found: Mapping[str, BySize]) -> list[Panel]:
    steps = (("catalog", "catalog alone"), ("add", "with Chroma"), ("again", "unchanged again"))
    rates = {"catalog": "papers_per_s", "add": "papers_per_s", "again": "records_per_s"}
    asked = [("2,000 asked for", 2_000), ("300 asked for", 300), ("5,000 asked for", 5_000)]
    speed = [_line(label, found[step], rates[step]) for step, label in steps]
    seconds = [_line(label, found[step], "took_s") for step, label in steps]
    return [
        Panel("Adding: papers a second", _BY_SIZE, speed, asked),
        Panel("Adding: seconds in all", _BY_SIZE, seconds),
    ]


def _searching(search: BySize) -> list[Panel]:
    times = [
        _line("p50", search, "search_p50_ms"),
        _line("p95", search, "search_p95_ms"),
        _line("exact scan, p50", search, "raw_p50_ms"),
    ]
    recall = [_line("ten nearest", search, "recall_10"), _line("hundred", search, "recall_100")]
    worst = min(value for line in recall for _, value in line.points)
    low = min(0.9, math.floor(worst * 10) / 10)
    return [
        Panel("Search: milliseconds", _BY_SIZE, times, [("100 asked for", 100)]),
        Panel("Recall against exact search", _BY_SIZE, recall, log_y=False, low=low),
    ]


def _room(found: Mapping[str, BySize]) -> list[Panel]:
    memory = [
        _line("adding", found["add"], "peak_mb"),
        _line("searching", found["search"], "peak_mb"),
    ]
    disk = [
        _line("catalog", found["disk"], "catalog_mb"),
        _line("Chroma", found["disk"], "chroma_mb"),
        _line("in all", found["disk"], "all_mb"),
    ]
    return [
        Panel("Peak memory: MB", _BY_SIZE, memory, [("1,500 at 50,000", 1_500)]),
        Panel("On disk: MB", _BY_SIZE, disk),
    ]


def table(kept: Kept) -> list[str]:
    """The growth as lines of a Markdown table, one quantity a row.

    The last column is the power of the number of papers that a quantity grows with, from the
    second size to the last: 1 where twice the papers take twice as much.
    """
    sizes = list(kept.last("add"))
    head = ["papers", *(f"{size:,}" for size in sizes), "power"]
    lines = [head, ["---"] * len(head)]
    for step, name, label in _ROWS:
        found = kept.last(step)
        values = [found.get(size, {}).get(name) for size in sizes]
        shown = ["" if value is None else rounded(value) for value in values]
        lines.append([label, *shown, _power(sizes[1:], values[1:])])
    return [f"| {' | '.join(line)} |" for line in lines]


def _power(sizes: Sequence[int], values: Sequence[float | None]) -> str:
    if len(sizes) < 2 or not values[0] or not values[-1]:
        return ""
    return f"{math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0]):.2f}"


def memory(kept: Kept) -> str | None:
    """Memory while the most papers so far were embedded by the bundled model and written."""
    embedded = kept.last("embed")
    if not embedded:
        return None
    papers, figures = max(embedded.items())
    panel = Panel(
        f"Memory while {papers:,} papers are added: MB",
        "minutes",
        [Line("in use", [(seconds / 60, mb) for seconds, mb in figures["samples"]])],
        [("1,500 at most", 1_500)],
        log_x=False,
        log_y=False,
    )
    said = f"At most {figures['peak_mb']:,.0f} MB in {figures['took_s'] / 60:.1f} minutes"
    return chart(panel.title, said, [panel])


def _line(label: str, figures: BySize, name: str) -> Line:
    return Line(label, [(papers, found[name]) for papers, found in figures.items()])


def _said(panel: Panel) -> str:
    return ", ".join(
        f"{line.label} {line.points[0][1]:,.3g} to {line.points[-1][1]:,.3g}"
        for line in panel.lines
    )
