"""Text that is safe to show: aligned tables, Markdown tables, control characters made visible."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

_MARKDOWN = {ord(c): f"\\{c}" for c in "\\`*_{}[]<>#|~!$"}


def visible(text: str) -> str:
    """The text on one line, with control and unprintable characters shown as escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in " ".join(text.split())
    )


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart, without trailing spaces; rows are of one length."""
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in shown
    )


def on_one_line(text: str) -> str:
    """The text as one line of Markdown that says just that: nothing in it is a mark or a tag."""
    return visible(text).translate(_MARKDOWN)


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; every cell is taken as plain text."""
    lines = [headings, ["---"] * len(headings)]
    shown = [[on_one_line(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *shown])
