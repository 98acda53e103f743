from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.gates import Gate, GateResult, check_gates, load_gates, rows_by_split
from eval.report.failures import Kind, failures, worst_first
from eval.report.files import write_reports
from eval.report.highlight import highlighted, place
from eval.report.html import html_report
from eval.report.junit import junit_xml
from eval.report.markdown import markdown_report
from eval.report.plots import Bar, Point, bar_chart, curve, histogram
from eval.report.terminal import show_report
from eval.report.text import aligned
from eval.schema import GivenCitation, GivenClaim, Nugget, Response, Run
from eval.summary import summarise
from tests.run_makers import PAPERS, a_case, a_run, mixed_run, right, scored, unanswerable

HOSTILE = "<script>alert('x')</script>\"' onload=alert(1) </title></script>\x1b[2J\ud83d & ${title}"
VOID = {"meta", "br", "input", "link", "img"}


class Page(HTMLParser):
    """Checks that every tag is closed where it should be, and keeps what may be looked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            held
            for name, held in self.tags
            if name == tag and all(held.get(key) == value for key, value in attributes.items())
        ]


def page(run: Run, gates: Sequence[GateResult] = ()) -> Page:
    return Page(html_report(run, summarise(run.scores), gates, PAPERS))


def hostile_run() -> Run:
    """Every text that a stranger can set is hostile."""
    case = a_case(
        HOSTILE,
        question=HOSTILE,
        note=HOSTILE,
        history=((HOSTILE, HOSTILE),),
        nuggets=(Nugget((HOSTILE, HOSTILE), vital=True),),
        must_not_claim=(HOSTILE,),
        canary=HOSTILE,
    )
    claim = GivenClaim(HOSTILE, (GivenCitation(HOSTILE, HOSTILE, 0, 5),), HOSTILE, HOSTILE)
    answered = Response((HOSTILE,), (claim,), text=HOSTILE, confidence=0.5)
    other = unanswerable("u", unanswerable_reason=HOSTILE)
    return a_run(
        scored(case, answered, mrr=HOSTILE),
        scored(replace(case, id="e"), Response(error=HOSTILE)),
        scored(replace(case, id="d"), Response(declined=HOSTILE, text=HOSTILE)),
        scored(other, answered),
        id_=HOSTILE,
        answerer=HOSTILE,
        settings={HOSTILE: [HOSTILE]},
        versions={HOSTILE: HOSTILE},
        hashes={HOSTILE: HOSTILE},
        started=HOSTILE,
    )


HOSTILE_PAPERS = {HOSTILE: (HOSTILE, HOSTILE), "paper03": (HOSTILE, HOSTILE)}


def test_the_page_is_well_formed_and_shows_every_case_failures_first() -> None:
    run = mixed_run()
    shown = page(run).all("details", **{"class": "case"})
    outcomes = [str(case["data-outcome"]) for case in shown]
    assert len(shown) == 60
    assert "passed" in outcomes
    assert outcomes[outcomes.index("passed") :] == ["passed"] * outcomes.count("passed")


def test_the_page_asks_nothing_of_the_network() -> None:
    made = html_report(mixed_run(), summarise(mixed_run().scores), (), PAPERS)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", made)
    for _, attributes in Page(made).tags:
        assert not {"src", "href", "srcset", "action"} & set(attributes)
    assert "default-src 'none'" in made


def test_hostile_text_is_text_and_nothing_else() -> None:
    run = hostile_run()
    made = html_report(run, summarise(run.scores), (), HOSTILE_PAPERS)
    shown = Page(made)
    assert len(shown.all("script")) == 1
    assert not any(name.startswith("on") for _, held in shown.tags for name in held)
    assert "<script>alert" not in made
    assert "${title}" in shown.text


def test_the_page_offers_filters_for_what_there_is() -> None:
    shown = page(mixed_run())
    assert [held["name"] for held in shown.all("select")] == [
        "category",
        "split",
        "variant",
        "outcome",
    ]
    values = {held["value"] for held in shown.all("option")}
    assert {"numeric", "dev", "test", "injection", "error", "wrongly_declined", "passed"} <= values


def test_an_opened_case_marks_evidence_and_quotes_in_the_abstract() -> None:
    case = a_case()
    shown = page(a_run(scored(case)))
    assert len(shown.all("mark", **{"class": "gold cited"})) == 1
    assert "(paper03)" in shown.text


def test_a_run_of_nothing_still_makes_every_report() -> None:
    run = a_run()
    assert "Nothing to show." in page(run).text or "No case has a value of" in page(run).text
    assert "(0 of 0)" in markdown_report(run, summarise(()))
    assert ET.fromstring(junit_xml(run)).get("tests") == "0"


@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.integers(-3, 35), st.integers(-3, 35)), max_size=4),
    st.lists(st.tuples(st.integers(-3, 35), st.integers(-3, 35)), max_size=4),
)
def test_highlighting_changes_no_character(
    text: str, gold: list[tuple[int, int]], cited: list[tuple[int, int]]
) -> None:
    shown = re.sub(r"</?mark[^>]*>", "", highlighted(text, gold, cited))
    assert shown == highlighted(text, (), ())


def test_overlapping_marks_are_cut_where_they_overlap() -> None:
    assert highlighted("abc<d", [(0, 2)], [(1, 5)]) == (
        '<mark class="gold">a</mark><mark class="gold cited">b</mark>'
        '<mark class="cited">c&lt;d</mark>'
    )


def test_a_quote_is_found_at_its_offsets_else_by_its_text_else_not_at_all() -> None:
    assert place("one two one", "one", 8, 11) == (8, 11)
    assert place("one two one", "one", 1, 4) == (0, 3)
    assert place("one two one", "three", 0, 5) is None
    assert place("one", "", 0, 0) is None


def test_plots_are_well_formed_named_and_safe() -> None:
    plots = [
        bar_chart(
            "a", HOSTILE, "d", [Bar(HOSTILE, 0.5, 0.2, 0.7, 3), Bar("x", None, None, None, 0)]
        ),
        curve("b", "t", "d", [Point(0.1, 0.2, HOSTILE), Point(1, 1)], axes=("x", "y")),
        histogram("c", "t", "d", [0.0, 0.2, 3.1], axes=("x", "y"), marks=(("p50", 0.2),)),
        histogram("d", "t", "d", [0.0, 0.0], axes=("x", "y")),
    ]
    for plot in plots:
        root = ET.fromstring(re.sub("[\x1b\ud83d]", "", plot))
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{root[0].get('id')} {root[1].get('id')}"
        assert [child.tag for child in root[:2]] == ["title", "desc"]


def test_a_pipe_gets_plain_aligned_text() -> None:
    run = mixed_run()
    rows = rows_by_split(run.scores)
    gates = check_gates(rows, [*load_gates(), Gate("recall@5", "test", "low", min=0.9)])
    stream = io.StringIO()
    show_report(run, rows["all"], gates, more="More: report.html", stream=stream)
    text = stream.getvalue()
    assert "\x1b" not in text
    assert not re.search("[\u2500-\u257f]", text)
    lines = text.splitlines()
    head = next(line for line in lines if line.startswith("measure"))
    found = next(line for line in lines if line.startswith("Papers found"))
    assert found[head.index("value") :].startswith("0.72   0.57 to 0.85")
    assert found.endswith("FAIL")
    assert "Gate failed: recall@5 (test), low end of its interval, at least 0.9" in text
    assert "20 of 60 cases failed; the worst 8:" in text
    assert lines[-1] == "More: report.html"


class Window(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_tables_that_fit_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Window()
    run = mixed_run()
    show_report(run, summarise(run.scores), stream=stream)
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert text != stream.getvalue()
    tables = [line for line in text.splitlines() if line.startswith(" ") and "\u2500" in line]
    assert len(tables) >= 3
    assert all(len(line) <= 100 for line in tables)


def test_hostile_text_cannot_drive_a_terminal() -> None:
    stream = io.StringIO()
    run = hostile_run()
    show_report(run, summarise(run.scores), stream=stream)
    assert "\x1b" not in stream.getvalue()
    assert "\\x1b[2J" in stream.getvalue()


def test_wide_letters_are_aligned_by_what_they_take() -> None:
    assert aligned([("日本", "1"), ("abcd", "2")]) == "日本  1\nabcd  2"


def test_markdown_takes_text_as_text() -> None:
    run = hostile_run()
    text = markdown_report(run, summarise(run.scores))
    assert "<script>" not in text.replace("\\<", "")
    assert "\x1b" not in text
    assert "## Failed cases \\(4 of 4" not in text
    assert "## Failed cases (4 of 4)" in text


def test_junit_counts_cases_failures_errors_and_gates() -> None:
    declined = Response(declined="not_in_collection")
    run = a_run(
        scored(a_case("ok")),
        scored(a_case("declined"), declined),
        scored(a_case("error", category="numeric"), Response(error="timeout")),
        scored(unanswerable("answered"), right(a_case())),
    )
    gates = check_gates(rows_by_split(run.scores), [Gate("mrr", "all", "value", min=1.0)])
    root = ET.fromstring(junit_xml(run, gates).encode())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "3", "1")
    suites = {suite.get("name"): suite.get("tests") for suite in root}
    assert suites == {"single_fact": "2", "numeric": "1", "unanswerable_near": "1", "gates": "1"}
    types = [failure.get("type") for failure in root.iter("failure")]
    assert types == ["wrongly_declined", "wrongly_answered", "gate"]


def test_junit_holds_hostile_text() -> None:
    root = ET.fromstring(junit_xml(hostile_run()).encode())
    assert root.get("tests") == "4"
    assert "<script>" in str(root.get("name"))


@pytest.mark.parametrize(
    ("changed", "response", "kinds"),
    [
        ({}, None, []),
        ({}, Response(error="x"), [Kind.ERROR]),
        ({}, Response(declined="not_in_collection"), [Kind.WRONGLY_DECLINED]),
        ({}, Response(), [Kind.NUGGET_MISSING]),
        ({"nuggets": (Nugget(("5,000 steps",), True),)}, None, [Kind.NUGGET_MISSING]),
        ({"nuggets": (Nugget(("5,000 steps",), False),)}, None, []),
        ({"must_not_claim": ("4,000 steps",)}, None, [Kind.BARRED_CLAIM]),
        ({"canary": "after 4,000"}, None, [Kind.CANARY_SHOWN]),
        ({"answerable": False}, None, [Kind.WRONGLY_ANSWERED]),
        ({"answerable": False}, Response(declined="not_in_collection"), []),
    ],
)
def test_what_went_wrong_is_named(
    changed: dict[str, object], response: Response | None, kinds: list[Kind]
) -> None:
    case = a_case()
    score = scored(a_case(**changed), right(case) if response is None else response)  # type: ignore[arg-type]
    assert [failure.kind for failure in failures(score)] == kinds


def test_the_worst_come_first_whatever_the_order() -> None:
    run = mixed_run()
    assert worst_first(run.scores) == worst_first(run.scores[::-1])


def test_reports_are_written_beside_the_run(tmp_path: Path) -> None:
    run = hostile_run()
    paths = write_reports(tmp_path, run, summarise(run.scores), (), HOSTILE_PAPERS)
    assert [path.name for path in paths] == ["report.md", "report.html", "junit.xml"]
    for path in paths:
        assert path.read_bytes().decode()
