from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.schema import Case, CaseScore, GivenCitation, GivenClaim, Nugget, Response, Run, Span
from eval.store import RunWriter, as_json, from_json, load_run, without_times
from eval.summary import summarise
from rag.errors import InputError
from tests.run_makers import a_case, a_run, mixed_run, scored

# Half surrogate pairs too: a broken endpoint can send them.
TEXT = st.text(st.characters(), max_size=8)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
CASE = st.builds(
    Case,
    id=TEXT,
    history=st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    gold_papers=TEXTS,
    evidence=st.lists(st.builds(Span, paper=TEXT, quote=TEXT), max_size=2).map(tuple),
    nuggets=st.lists(st.builds(Nugget, any=TEXTS), max_size=2).map(tuple),
    must_not_claim=TEXTS,
    papers_checked=TEXTS,
    abstracts=st.dictionaries(TEXT, TEXT, max_size=2),
    note=TEXT,
    canary=st.none() | TEXT,
)
CLAIM = st.builds(
    GivenClaim,
    text=TEXT,
    citations=st.lists(st.builds(GivenCitation, quote=TEXT), max_size=2).map(tuple),
)
RESPONSE = st.builds(
    Response,
    retrieved=TEXTS,
    claims=st.lists(CLAIM, max_size=2).map(tuple),
    text=TEXT,
    confidence=st.none() | NUMBER,
    seconds=NUMBER,
    error=st.none() | TEXT,
)
SCORE = st.builds(
    CaseScore,
    case=CASE,
    response=RESPONSE,
    values=st.dictionaries(TEXT, st.none() | NUMBER, max_size=3),
    tiers=st.dictionaries(TEXT, TEXT, max_size=2),
)
SCORES = st.lists(SCORE, max_size=3, unique_by=lambda score: score.case.id).map(
    lambda scores: tuple(sorted(scores, key=lambda score: score.case.id))
)


def write(directory: Path, run: Run) -> RunWriter:
    writer = RunWriter(directory, run)
    for score in run.scores:
        writer.append(score)
    return writer


@settings(max_examples=60, deadline=None)
@given(SCORE)
def test_any_scored_case_survives_its_line_of_json(score: CaseScore) -> None:
    line = as_json(score)
    assert "\n" not in line
    assert line.isascii()
    assert from_json(line) == score


@settings(max_examples=25, deadline=None)
@given(SCORES)
def test_any_run_that_was_written_is_loaded_as_it_was(scores: tuple[CaseScore, ...]) -> None:
    run = a_run(*scores)
    with TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        writer = write(directory, run)
        assert load_run(directory) == run
        assert writer.finish() == run


def test_a_half_written_last_line_is_dropped_and_the_run_goes_on(tmp_path: Path) -> None:
    scores = [scored(a_case(f"c{i}")) for i in range(4)]
    run = a_run(*scores)
    write(tmp_path, a_run(*scores[:3]))
    path = tmp_path / "cases.jsonl"
    whole = path.read_bytes()
    for cut in (1, 2, 50):
        path.write_bytes(whole[:-cut])
        assert load_run(tmp_path).scores == tuple(scores[:2])
    writer = RunWriter(tmp_path, run)
    assert writer.done == {"c0", "c1"}
    for score in scores[2:]:
        writer.append(score)
    assert writer.finish() == run


def test_going_on_keeps_the_time_at_which_the_run_started(tmp_path: Path) -> None:
    RunWriter(tmp_path, a_run(started="first"))
    RunWriter(tmp_path, a_run(started="second"))
    assert load_run(tmp_path).started == "first"


def test_a_run_of_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    RunWriter(tmp_path, a_run())
    with pytest.raises(InputError, match=r"holds another run: settings .*'top_k': 9"):
        RunWriter(tmp_path, a_run(settings={"top_k": 9}))


def test_all_but_the_times_is_the_same_bytes_in_whatever_order_cases_finish(tmp_path: Path) -> None:
    run = mixed_run(12)
    later = replace(
        run,
        started="later",
        scores=tuple(
            replace(score, response=replace(score.response, seconds=9.0))
            for score in reversed(run.scores)
        ),
    )
    written = []
    for name, one in (("a", run), ("b", later)):
        timeless = without_times(one)
        write(tmp_path / name, timeless).finish(summarise(timeless.scores))
        files = sorted((tmp_path / name).iterdir())
        assert [file.name for file in files] == ["cases.jsonl", "run.json"]
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]


def test_the_summary_and_the_end_are_in_run_json(tmp_path: Path) -> None:
    run = a_run(scored(a_case()))
    writer = write(tmp_path, run)
    assert json.loads((tmp_path / "run.json").read_text())["finished"] is False
    writer.finish(summarise(run.scores))
    header = json.loads((tmp_path / "run.json").read_text())
    assert header["finished"] is True
    row = next(row for row in header["summary"] if row["measure"] == "recall@5")
    assert (row["value"], row["interval"]["n"]) == (1.0, 1)


def test_a_case_is_written_once(tmp_path: Path) -> None:
    score = scored(a_case())
    writer = write(tmp_path, a_run(score))
    with pytest.raises(ValueError, match="'c1' is already in"):
        writer.append(score)


def test_nan_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        RunWriter(tmp_path, a_run()).append(replace(scored(a_case()), values={"mrr": float("nan")}))
    assert load_run(tmp_path).scores == ()


def test_what_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run at"):
        load_run(tmp_path / "nowhere")
    write(tmp_path, a_run(scored(a_case())))
    (tmp_path / "cases.jsonl").write_text('{"case": 1}\n')
    with pytest.raises(InputError, match="line 1 is not a scored case"):
        load_run(tmp_path)
    for text, said in (
        ("{", "cannot be read as JSON"),
        ('{"layout": 9}', "layout 9"),
        ("[]", "layout None"),
    ):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(InputError, match=said):
            load_run(tmp_path)
