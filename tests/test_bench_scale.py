"""The large benches on a few papers: what they are made of, what they measure, what they keep."""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eval.bench import adding, plotting, scale, steps
from eval.bench.abstracts import MAX_COPIES, write_papers
from eval.bench.figures import FILE_NAME, Kept, told
from eval.bench.searching import questions_from, stand_in
from eval.bench.timing import in_own_process, memory_mb, peak_memory_mb, percentiles_ms
from eval.standin import StandInEmbedder
from rag.errors import InputError
from rag.ingest.identity import title_alias, word_overlap
from rag.ingest.reading import read_papers
from rag.ingest.sentences import split_sentences
from rag.schema import Record

SAMPLE = Path(__file__).parents[1] / "data" / "daily_papers"
REAL = 40
_SLACK = 1.1  # Linux counts memory a thread at a time, so that the peak may lag behind


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty abstracts of the sample, packed as the benches expect theirs."""
    path = tmp_path_factory.mktemp("source") / "abstracts-50k.jsonl.gz"
    records = {item.title: item for item in read_papers(SAMPLE) if isinstance(item, Record)}
    with gzip.open(path, "wt", encoding="utf-8") as out:
        for i, record in enumerate(list(records.values())[:REAL]):
            row = {"id": str(i), "title": record.title, "abstract": record.abstract}
            out.write(json.dumps({**row, "url": f"https://example.org/{i}"}) + "\n")
    return path


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def options(source: Path, work: Path, *names: str, **more: object) -> argparse.Namespace:
    return argparse.Namespace(data=source.parent, work=work, names=names, papers=None, **more)


# -- made papers


def test_copies_are_other_papers_of_the_same_shape(source: Path, tmp_path: Path) -> None:
    write_papers(source, tmp_path / "made.jsonl", REAL * MAX_COPIES)
    made = rows(tmp_path / "made.jsonl")
    assert len(made) == REAL * MAX_COPIES
    with gzip.open(source, "rt", encoding="utf-8") as real:
        assert made[:REAL] == [json.loads(line) for line in real]
    assert len({title_alias(row["title"]) for row in made}) == len(made)
    assert len({row["url"] for row in made}) == len(made)
    for i in range(REAL):
        versions = [row["abstract"] for row in made[i::REAL]]
        assert len({len(text.split()) for text in versions}) == 1
        overlaps = [word_overlap(versions[0], other) for other in versions[1:]]
        assert max(overlaps) < 0.6
    ends = [len(split_sentences(made[i]["abstract"])) for i in (0, REAL)]
    assert ends[0] == ends[1]


def test_so_many_papers_are_made_as_are_wanted_and_the_same_each_time(
    source: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write_papers(source, tmp_path / name, REAL + 7)
    assert len(rows(tmp_path / "one")) == REAL + 7
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    write_papers(source, tmp_path / "few", 3)
    assert len(rows(tmp_path / "few")) == 3


def test_a_file_of_papers_that_is_there_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "made").write_text("kept")
    write_papers(source, tmp_path / "made", 3)
    assert (tmp_path / "made").read_text() == "kept"


def test_more_papers_than_can_be_made_different_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"241 papers .* made of {REAL}; at most 240"):
        write_papers(source, tmp_path / "made", REAL * MAX_COPIES + 1)
    assert not (tmp_path / "made").exists()


# -- the stand-in


def test_left_out_words_have_no_part_in_a_vector() -> None:
    whole, without = StandInEmbedder(), StandInEmbedder(without=frozenset({"the", "of"}))
    assert whole.checksum != without.checksum
    a, b = "the depth of networks", "depth networks"
    assert (without.embed_query(a) == without.embed_query(b)).all()
    assert (whole.embed_query(a) != whole.embed_query(b)).any()


# -- steps


def test_every_step_measures_what_it_says(source: Path, tmp_path: Path) -> None:
    file, alone, directory = tmp_path / "p.jsonl", tmp_path / "alone", tmp_path / "c"
    write_papers(source, file, REAL * 2)
    alone.mkdir()
    catalog = steps.catalog_alone(file, alone)
    assert (catalog["records"], catalog["held"]) == (REAL * 2, REAL * 2)
    assert catalog["papers_per_s"] == pytest.approx(REAL * 2 / catalog["took_s"])
    assert catalog["raw_per_s"] > 0

    added = steps.whole_add(file, directory, stand_in)
    assert added["added"] == REAL * 2
    assert added["passages"] >= REAL * 2
    times = [seconds for seconds, _ in added["samples"]]
    assert times == sorted(times)
    assert 0 < times[-1] <= added["took_s"] * 2
    assert all(0 < memory <= added["peak_mb"] * _SLACK for _, memory in added["samples"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "c", "p.jsonl"]

    again = steps.added_again(file, directory, stand_in)
    assert again["records"] == again["unchanged"] == REAL * 2

    assert steps.indexed_alone(directory)["passages_per_s"] > 0

    found = steps.searched(directory, questions_from(source, REAL), stand_in)
    assert 0.9 <= found["recall_10"] <= 1
    assert found["search_p50_ms"] <= found["search_p95_ms"]

    size = steps.disk(directory)
    assert 0 < size["catalog_mb"] < size["all_mb"]
    assert size["catalog_mb"] + size["chroma_mb"] <= size["all_mb"]


def test_raw_speed_counts_the_passages_that_are_added(source: Path, tmp_path: Path) -> None:
    write_papers(source, tmp_path / "p.jsonl", 3)
    raw = adding.raw_model(tmp_path / "p.jsonl")
    assert raw["passages"] == len(adding.passage_texts(tmp_path / "p.jsonl")) >= 3


def test_the_first_and_the_last_tenth_are_means() -> None:
    assert adding.tenths([float(i) for i in range(100)]) == (4.5, 94.5)
    assert adding.tenths([3.0]) == (3.0, 3.0)


# -- timing


def test_work_runs_in_another_process_and_its_errors_come_back() -> None:
    assert in_own_process(os.getpid) != os.getpid()
    with pytest.raises(ZeroDivisionError):
        in_own_process(divmod, 1, 0)


def test_memory_now_is_at_most_the_peak() -> None:
    assert 0 < memory_mb() <= peak_memory_mb() * _SLACK


def test_percentiles_are_in_milliseconds() -> None:
    assert percentiles_ms([0.001, 0.002, 0.003]) == pytest.approx((2.0, 2.9))


# -- figures


def test_the_last_figures_of_a_step_count_in_order_of_size(tmp_path: Path) -> None:
    kept = Kept(tmp_path / FILE_NAME)
    assert kept.last("add") == {}
    kept.add("add", 50, {"took_s": 2.0})
    kept.add("add", 10, {"took_s": 1.0})
    kept.add("search", 10, {"p50_ms": 9.0})
    kept.add("add", 50, {"took_s": 3.0})
    found = {papers: figures["took_s"] for papers, figures in kept.last("add").items()}
    assert list(found.items()) == [(10, 1.0), (50, 3.0)]
    assert all("when" in figures for figures in kept.last("add").values())


def test_figures_are_told_in_a_line_without_their_samples() -> None:
    told_of = told({"papers": 50_000, "took_s": 1.2345, "mb": 1234.5, "samples": [[1, 2]]})
    assert told_of == "papers 50,000, took_s 1.23, mb 1,234"


# -- the benches


@pytest.mark.parametrize(("name", "bench"), [("scale", scale.scale), ("plots", plotting.plots)])
def test_what_takes_long_or_changes_files_is_done_by_name_only(
    name: str,
    bench: Callable[[argparse.Namespace], None],
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    bench(options(source, tmp_path, sizes=[10]))
    assert capsys.readouterr().out.startswith("left out: ")
    assert list(tmp_path.iterdir()) == []


def test_a_size_is_built_once_and_measured_each_time(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Kept(tmp_path / FILE_NAME)
    for _ in range(2):
        scale.measure(source, tmp_path, 12, kept, lambda step, *inputs: step(*inputs))
    said = capsys.readouterr().out
    assert said.count("  add: ") == 1
    assert said.count("  search: ") == 2
    names = ("catalog", "add", "chroma", "again", "search", "disk")
    assert all(list(kept.last(name)) == [12] for name in names)
    assert plotting.growth(kept) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        FILE_NAME,
        "scale-12",
        "scale-12.jsonl",
    ]


def test_without_the_abstracts_the_benches_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = argparse.Namespace(
        data=tmp_path, work=tmp_path, names=("scale",), papers=10, sizes=[10]
    )
    for bench in (scale.scale, adding.against_raw):
        bench(missing)
        assert "abstracts-50k.jsonl.gz is not there" in capsys.readouterr().out
