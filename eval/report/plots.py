"""Small plots as inline SVG: strings out, no library, no script, no colour but the page's own.

Lines and text are ``currentColor`` and marks ``var(--accent)``, so that a plot follows the page
into dark mode. Every plot has a title and a description for those who cannot see it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 440
"""Units of a plot's width; narrow, so that its text stays readable on a telephone."""
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_MARK = 'fill="var(--accent, currentColor)"'
_LINE = 'stroke="currentColor"'


@dataclass(frozen=True, slots=True)
class Bar:
    """A value between 0 and 1 with its interval, over ``n`` cases; None is drawn as missing."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the unit square; ``note`` is shown when it is pointed at."""

    x: float
    y: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """The inside of a plot: where (0, 0) and (1, 1) of its data stand."""

    left: float
    top: float
    right: float
    bottom: float

    def x(self, share: float) -> float:
        """Units from the left of the plot, for a share from 0 to 1."""
        return round(self.left + share * (self.right - self.left), 1)

    def y(self, share: float) -> float:
        """Units from the top of the plot, for a share from 0 to 1."""
        return round(self.bottom - share * (self.bottom - self.top), 1)


_SQUARE = Frame(62, 12, WIDTH - 14, 232)


def bar_chart(name: str, title: str, description: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from 0 to 1 with whiskers for their intervals; ``name`` is the SVG's id."""
    step = 25
    frame = Frame(132, 4, WIDTH - 88, 4 + step * len(bars))
    parts = [_scale_below(frame)]
    for i, bar in enumerate(bars):
        middle = frame.top + step * (i + 0.5)
        parts.append(_text(frame.left - 8, middle + 4, bar.label, "end"))
        parts.extend(_bar(frame, middle, bar))
    return _svg(name, title, description, frame.bottom + 24, parts)


def _bar(frame: Frame, middle: float, bar: Bar) -> Iterable[str]:
    after = frame.right + 8
    if bar.value is None:
        yield _text(after, middle + 4, f"none (n={bar.n})")
        return
    width = round(frame.x(bar.value) - frame.left, 1)
    yield (
        f'<rect x="{frame.left}" y="{middle - 8}" width="{width}" height="16" {_MARK} '
        'fill-opacity="0.55"/>'
    )
    if bar.low is not None and bar.high is not None:
        low, high = frame.x(bar.low), frame.x(bar.high)
        yield _path(f"M{low} {middle}H{high}M{low} {middle - 4}v8M{high} {middle - 4}v8", 1.4)
    yield _text(after, middle + 4, f"{bar.value:.2f} (n={bar.n})")


def curve(
    name: str,
    title: str,
    description: str,
    points: Sequence[Point],
    *,
    axes: tuple[str, str],
    diagonal: bool = False,
    dots: bool = True,
) -> str:
    """Points of the unit square joined by a line; ``diagonal`` draws where both axes agree."""
    parts = [_scale_below(_SQUARE), _scale_left(_SQUARE, [(t, f"{t:g}") for t in _TICKS])]
    if diagonal:
        line = f"M{_SQUARE.x(0)} {_SQUARE.y(0)}L{_SQUARE.x(1)} {_SQUARE.y(1)}"
        parts.append(_path(line, 1, dashed=True))
    places = [(_SQUARE.x(p.x), _SQUARE.y(p.y)) for p in points]
    if len(places) > 1:
        line = "M" + "L".join(f"{x} {y}" for x, y in places)
        parts.append(
            f'<path d="{line}" fill="none" stroke="var(--accent, currentColor)" stroke-width="2"/>'
        )
    if dots:
        for point, (x, y) in zip(points, places, strict=True):
            note = f"<title>{escape(point.note)}</title>" if point.note else ""
            parts.append(f'<circle cx="{x}" cy="{y}" r="4" {_MARK}>{note}</circle>')
    parts.extend(_axis_names(_SQUARE, axes))
    return _svg(name, title, description, _SQUARE.bottom + 42, parts)


def histogram(
    name: str,
    title: str,
    description: str,
    values: Sequence[float],
    *,
    axes: tuple[str, str],
    bins: int = 16,
    marks: Sequence[tuple[str, float]] = (),
) -> str:
    """How often values from 0 up occur; ``marks`` are named values drawn as upright lines."""
    most = _round_top(max(values, default=0.0))
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(value / most * bins))] += 1
    tallest = max(counts) or 1
    frame = _SQUARE
    parts = [_scale_below(frame, [(t, f"{t * most:.3g}") for t in _TICKS])]
    parts.append(_scale_left(frame, [(0, "0"), (1, str(tallest))]))
    for i, count in enumerate(counts):
        left, right, top = frame.x(i / bins), frame.x((i + 1) / bins), frame.y(count / tallest)
        note = f"{i * most / bins:.3g} to {(i + 1) * most / bins:.3g}: {count}"
        parts.append(
            f'<rect x="{left}" y="{top}" width="{round(right - left - 1, 1)}" '
            f'height="{round(frame.bottom - top, 1)}" {_MARK} fill-opacity="0.55">'
            f"<title>{note}</title></rect>"
        )
    for i, (label, value) in enumerate(marks):
        x = frame.x(min(1.0, value / most))
        parts.append(_path(f"M{x} {frame.top}V{frame.bottom}", 1.4, dashed=True))
        anchor, shift = ("end", -5) if x > WIDTH / 2 else ("start", 5)
        parts.append(_text(x + shift, frame.top + 12 + 16 * i, label, anchor))
    parts.extend(_axis_names(frame, axes))
    return _svg(name, title, description, frame.bottom + 42, parts)


def _round_top(most: float) -> float:
    """The least round number that is not below, so that the quarters of the axis are round too."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    steps = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    return next((step * power for step in steps if step * power >= most), most)


def interval_mark(value: float, low: float, high: float) -> str:
    """A value between 0 and 1 with its interval, one text line high; hidden from screen readers.

    The figures stand beside it in the table.
    """
    frame = Frame(4, 0, 116, 16)
    x, start, end = (frame.x(min(1.0, max(0.0, share))) for share in (value, low, high))
    return (
        '<svg class="mark" viewBox="0 0 120 16" aria-hidden="true">'
        f'<path d="M4 8H116" {_LINE} stroke-opacity="0.2"/>'
        f'<path d="M{start} 8H{end}" stroke="var(--accent, currentColor)" stroke-width="3"/>'
        f'<circle cx="{x}" cy="8" r="4" {_MARK}/></svg>'
    )


def _svg(name: str, title: str, description: str, height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-labelledby="{escape(name)}-title {escape(name)}-text">'
        f'<title id="{escape(name)}-title">{escape(title)}</title>'
        f'<desc id="{escape(name)}-text">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{extra}>{escape(text)}</text>'


def _path(d: str, width: float, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3" stroke-opacity="0.6"' if dashed else ""
    return f'<path d="{d}" fill="none" {_LINE} stroke-width="{width}"{dash}/>'


def _scale_below(frame: Frame, ticks: Iterable[tuple[float, str]] = ()) -> str:
    parts = []
    for share, label in ticks or [(t, f"{t:g}") for t in _TICKS]:
        x = frame.x(share)
        parts.append(f'<path d="M{x} {frame.top}V{frame.bottom}" {_LINE} stroke-opacity="0.15"/>')
        parts.append(_text(x, frame.bottom + 16, label, "middle"))
    return "".join(parts)


def _scale_left(frame: Frame, ticks: Iterable[tuple[float, str]]) -> str:
    parts = []
    for share, label in ticks:
        y = frame.y(share)
        parts.append(f'<path d="M{frame.left} {y}H{frame.right}" {_LINE} stroke-opacity="0.15"/>')
        parts.append(_text(frame.left - 6, y + 4, label, "end"))
    return "".join(parts)


def _axis_names(frame: Frame, axes: tuple[str, str]) -> Iterable[str]:
    x, y = axes
    yield _text((frame.left + frame.right) / 2, frame.bottom + 36, x, "middle")
    middle = (frame.top + frame.bottom) / 2
    yield _text(12, middle, y, "middle", f' transform="rotate(-90 12 {middle:g})"')
