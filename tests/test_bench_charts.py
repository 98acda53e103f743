"""Charts drawn by hand: every point where it belongs, every file able to stand by itself."""

from __future__ import annotations

import argparse
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from eval.bench import plotting
from eval.bench.charts import Line, Panel, chart
from eval.bench.figures import FILE_NAME, Kept

SVG = "{http://www.w3.org/2000/svg}"
COMMITTED = sorted((Path(__file__).parents[1] / "eval" / "plots").glob("*.svg"))


def drawn(*panels: Panel) -> ET.Element:
    return ET.fromstring(chart("A <title>", "told & read", panels))


def places(picture: ET.Element) -> list[tuple[float, float]]:
    dots = picture.iter(f"{SVG}circle")
    return [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in dots]


def texts(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def test_equal_factors_are_equal_distances_on_logarithmic_axes() -> None:
    line = Line("all", [(1_000, 1), (10_000, 10), (100_000, 100)])
    (x1, y1), (x2, y2), (x3, y3) = places(drawn(Panel("Time", "papers", [line])))
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert y1 > y2


def test_equal_differences_are_equal_distances_on_linear_axes() -> None:
    line = Line("all", [(0, 1.0), (2, 2.0), (4, 3.0)])
    panel = Panel("Memory", "minutes", [line], log_x=False, log_y=False)
    (x1, y1), (x2, y2), (x3, y3) = places(drawn(panel))
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)


def test_every_point_and_bound_stands_inside_its_panel() -> None:
    line = Line("all", [(1_000, 0.03), (300_000, 9_900)])
    picture = drawn(Panel("Time", "papers", [line], [("asked for", 20_000)]))
    for x, y in places(picture):
        assert 0 < x < 440
        assert 0 < y < 250
    dashed = [path for path in picture.iter(f"{SVG}path") if "stroke-dasharray" in path.attrib]
    (bound,) = dashed
    at = float(re.findall(r"[\d.]+", bound.attrib["d"])[1])
    assert 0 < at < min(y for _, y in places(picture))


def test_one_size_alone_is_drawn_too() -> None:
    assert len(places(drawn(Panel("Time", "papers", [Line("all", [(10, 5.0)])])))) == 1


def test_names_of_lines_that_end_together_do_not_overlap() -> None:
    lines = [Line(name, [(1, 10), (100, 50)]) for name in ("one", "two", "three")]
    picture = drawn(Panel("Time", "papers", lines))
    found = [t for t in picture.iter(f"{SVG}text") if t.text in ("one", "two", "three")]
    heights = sorted(float(text.attrib["y"]) for text in found)
    assert min(b - a for a, b in pairwise(heights)) >= 12


def test_a_picture_brings_its_ground_and_follows_dark_mode() -> None:
    text = chart("A <title>", "told & read", [Panel("Time", "n", [Line("all", [(1, 1), (9, 9)])])])
    assert "prefers-color-scheme:dark" in text
    assert 'fill="var(--ground)"' in text
    picture = ET.fromstring(text)
    assert [e.text for e in picture if e.tag == f"{SVG}title"] == ["A <title>"]
    assert [e.text for e in picture if e.tag == f"{SVG}desc"] == ["told & read"]


def figures(path: Path) -> Kept:
    kept = Kept(path)
    for papers in (1_000, 10_000):
        speed = {"papers_per_s": 2_500.0, "records_per_s": 9_000.0, "took_s": papers / 2_500}
        for step in ("catalog", "add", "again"):
            kept.add(step, papers, {**speed, "peak_mb": 300.0})
        times = {"search_p50_ms": 9.0, "search_p95_ms": 20.0, "raw_p50_ms": papers / 5_000}
        recall = {"recall_10": 0.84, "recall_100": 0.99}
        kept.add("search", papers, {**times, **recall, "peak_mb": 200.0})
        kept.add("disk", papers, {"catalog_mb": 5.0, "chroma_mb": 4.0, "all_mb": 9.0})
    return kept


def test_growth_has_a_panel_a_quantity_with_what_was_asked_for(tmp_path: Path) -> None:
    picture = plotting.growth(figures(tmp_path / FILE_NAME))
    assert picture is not None
    said = texts(ET.fromstring(picture))
    for title in ("Search: milliseconds", "Recall against exact search", "On disk: MB"):
        assert title in said
    for bound in ("2,000 asked for", "300 asked for", "5,000 asked for", "100 asked for"):
        assert bound in said
    assert "0.8" in said  # the recall axis begins below the worst


def test_the_table_says_how_much_and_how_fast_it_grows(tmp_path: Path) -> None:
    kept = figures(tmp_path / FILE_NAME)
    for papers in (1_000, 10_000, 100_000):
        kept.add("add", papers, {"papers_per_s": 500.0, "peak_mb": papers / 10})
    head, _, *rows = plotting.table(kept)
    assert head == "| papers | 1,000 | 10,000 | 100,000 | power |"
    assert "| with Chroma, papers/s | 500 | 500 | 500 | 0.00 |" in rows
    assert "| peak memory adding, MB | 100 | 1,000 | 10,000 | 1.00 |" in rows
    assert "| recall of the ten nearest | 0.84 | 0.84 |  |  |" in rows  # not measured: left empty


def test_memory_is_drawn_of_the_largest_collection(tmp_path: Path) -> None:
    kept = Kept(tmp_path / FILE_NAME)
    for papers in (50_000, 300):
        samples = [[0.0, 300.0], [60.0, 400.0]]
        kept.add("embed", papers, {"samples": samples, "peak_mb": 410.0, "took_s": 60.0})
    picture = plotting.memory(kept)
    assert picture is not None
    assert "Memory while 50,000 papers are added: MB" in texts(ET.fromstring(picture))


def test_plots_writes_what_there_are_figures_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "eval").mkdir()
    monkeypatch.chdir(tmp_path)
    figures(tmp_path / FILE_NAME)
    plotting.plots(argparse.Namespace(names=["plots"], work=tmp_path))
    assert [path.name for path in (tmp_path / "eval" / "plots").iterdir()] == ["growth.svg"]
    assert "memory.svg left out" in capsys.readouterr().out


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_committed_pictures_are_small_and_whole(path: Path) -> None:
    assert path.stat().st_size < 60_000
    assert ET.parse(path).getroot().tag == f"{SVG}svg"
