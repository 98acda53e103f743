"""Line charts as one SVG file: panels side by side, logarithmic where wanted, no library.

The file stands by itself, as a picture in a page: it brings its own ground, and its colours change
with the reader's choice of light or dark. (The charts in `eval.report.plots` stand inside a page
and take its colours.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from eval.report.plots import Frame

_WIDTH, _HEIGHT, _COLUMNS = 440, 250, 2
_FRAME = Frame(52, 42, 316, 204)
_STYLE = """
svg{--ink:#1f2328;--ground:#fff;--faint:#d1d9e0;--a:#0969da;--b:#bc4c00;--c:#1a7f37;--d:#8250df;
font:12px system-ui,sans-serif}
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--ground:#0d1117;--faint:#3d444d;--a:#58a6ff;
--b:#f0883e;--c:#56d364;--d:#d2a8ff}}
text{fill:var(--ink)}.t{font-weight:600;font-size:14px}
"""
_COLOURS = ("--a", "--b", "--c", "--d")
_STEPS = (1, 2, 5, 10)
_LINE_HEIGHT = 15


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y) in order of x, joined; the label stands behind the last."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart: its lines, and what was asked for as dashed ones, each a label with a value.

    ``bounds`` are drawn in the colour of the line of the same place; None: there is none.
    """

    title: str
    x_name: str
    lines: Sequence[Line]
    bounds: Sequence[tuple[str, float] | None] = ()
    log_x: bool = True
    log_y: bool = True
    low: float | None = None
    """Where a linear y axis begins; by default at 0."""


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    log: bool

    def share(self, value: float) -> float:
        """Where a value stands between the ends, from 0 to 1."""
        low, high, at = (self._placed(v) for v in (self.low, self.high, value))
        return (at - low) / (high - low)

    def _placed(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self) -> list[float]:
        if not self.log:
            step = _round((self.high - self.low) / 4)
            return [self.low + step * i for i in range(int((self.high - self.low) / step + 1.001))]
        first, last = (math.floor(math.log10(v)) for v in (self.low, self.high))
        steps = (1,) if self.high / self.low > 300 else _STEPS[:3]
        ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [tick for tick in ticks if self.low <= tick * 1.001 and tick <= self.high * 1.001]


def chart(title: str, description: str, panels: Sequence[Panel]) -> str:
    """An SVG file of panels, two in a row, with a title and a description to be read aloud."""
    columns = min(_COLUMNS, len(panels))
    width, height = _WIDTH * columns, _HEIGHT * math.ceil(len(panels) / columns)
    parts = [
        f'<g transform="translate({_WIDTH * (i % columns)} {_HEIGHT * (i // columns)})">'
        f"{''.join(_drawn(panel))}</g>\n"
        for i, panel in enumerate(panels)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">\n'
        f"<title>{escape(title)}</title>\n<desc>{escape(description)}</desc>\n"
        f"<style>{_STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" fill="var(--ground)"/>\n'
        f"{''.join(parts)}</svg>\n"
    )


def _drawn(panel: Panel) -> Iterable[str]:
    x, y = _axes(panel)
    yield _text(16, 24, panel.title, extra=' class="t"')
    for tick in y.ticks():
        at = _FRAME.y(y.share(tick))
        yield _path(f"M{_FRAME.left} {at}H{_FRAME.right}", "--faint", 1)
        yield _text(_FRAME.left - 6, at + 4, _number(tick), "end")
    for tick in _x_ticks(panel, x):
        at = _FRAME.x(x.share(tick))
        yield _path(f"M{at} {_FRAME.bottom}v4", "--ink", 1)
        yield _text(at, _FRAME.bottom + 18, _number(tick), "middle")
    yield _path(f"M{_FRAME.left} {_FRAME.bottom}H{_FRAME.right}", "--ink", 1)
    middle = (_FRAME.left + _FRAME.right) / 2
    yield _text(middle, _FRAME.bottom + 35, panel.x_name, "middle")
    labels: list[tuple[float, str, str]] = []
    for i, line in enumerate(panel.lines):
        places = [(_FRAME.x(x.share(a)), _FRAME.y(y.share(b))) for a, b in line.points]
        yield _path("M" + "L".join(f"{a} {b}" for a, b in places), _COLOURS[i], 2)
        if len(places) <= 12:
            yield from (_dot(place, _COLOURS[i]) for place in places)
        labels.append((places[-1][1], line.label, _COLOURS[i]))
    for i, bound in enumerate(panel.bounds):
        if bound is not None:
            at = _FRAME.y(y.share(bound[1]))
            yield _path(f"M{_FRAME.left} {at}H{_FRAME.right}", _COLOURS[i], 1.5, dashed=True)
            labels.append((at, bound[0], _COLOURS[i]))
    yield from _labels(labels)


def _axes(panel: Panel) -> tuple[_Axis, _Axis]:
    xs = [a for line in panel.lines for a, _ in line.points]
    ys = [b for line in panel.lines for _, b in line.points]
    ys += [bound[1] for bound in panel.bounds if bound is not None]
    low_x = min(xs) if panel.log_x else 0.0
    x = _Axis(low_x, max(max(xs), low_x + 1e-9), panel.log_x)
    if not panel.log_y:
        low = panel.low or 0.0
        return x, _Axis(low, low + _round(max(ys) - low), log=False)
    high = _round(max(ys))
    return x, _Axis(min(_round(min(ys), down=True), high / 10), high, log=True)


def _round(value: float, *, down: bool = False) -> float:
    """The next of 1, 2 and 5 times a power of ten, upwards unless ``down``."""
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    steps = [step * power for step in _STEPS]
    if down:
        return max(step for step in steps if step <= value * 1.001)
    return min(step for step in steps if step >= value * 0.999)


def _x_ticks(panel: Panel, x: _Axis) -> list[float]:
    """The sizes that were measured; round numbers on a linear axis."""
    if not panel.log_x:
        return x.ticks()
    return sorted({a for line in panel.lines for a, _ in line.points})


def _labels(labels: Sequence[tuple[float, str, str]]) -> Iterable[str]:
    """Names behind the ends of lines, moved apart where they would overlap."""
    at = 0.0
    for wanted, label, colour in sorted(labels):
        at = max(wanted + 4, at + _LINE_HEIGHT)
        yield _text(_FRAME.right + 8, at, label, extra=f' style="fill:var({colour})"')


def _number(value: float) -> str:
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return f"{value:.3g}"


def _text(x: float, y: float, text: str, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:g}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(text)}</text>'


def _path(d: str, colour: str, width: float, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<path d="{d}" fill="none" stroke="var({colour})" stroke-width="{width}"{dash}/>'


def _dot(place: tuple[float, float], colour: str) -> str:
    return f'<circle cx="{place[0]}" cy="{place[1]}" r="3.5" fill="var({colour})"/>'
