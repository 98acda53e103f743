from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from eval.caseload import (
    CaseError,
    append_case,
    cases_hash,
    load_cases,
    load_injections,
    load_paraphrases,
    paraphrase_cases,
    read_cases,
)
from eval.schema import CATEGORIES
from rag.errors import InputError

ROW: Mapping[str, Any] = {
    "id": "own-1",
    "split": "dev",
    "category": "single_fact",
    "question": "What is grokking?",
    "answerable": True,
    "gold_papers": ["p"],
    "evidence": [{"paper": "p", "quote": "Sudden.", "start": 0, "end": 7}],
    "nuggets": [{"any": ["sudden"], "vital": True}],
}


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def test_the_bundled_cases_are_all_there() -> None:
    cases = load_cases()
    assert len(cases) == 140
    assert {case.category for case in cases} == set(CATEGORIES)
    assert (len(load_cases(split="dev")), len(load_cases(split="test"))) == (48, 92)
    assert (len(load_paraphrases()), len(load_injections())) == (11, 30)


def test_yaml_and_json_lines_give_the_same_cases(tmp_path: Path) -> None:
    rows = [dict(ROW), {**ROW, "id": "own-2"}]
    lines = written(tmp_path / "a.jsonl", *rows)
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(rows), "utf-8")
    assert load_cases(lines) == load_cases(tmp_path / "b.yaml")
    assert load_cases(lines)[0].base_id == "own-1"


def test_every_fault_of_every_file_is_told_with_file_and_line(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", ROW, {**ROW, "anserable": True})
    (tmp_path / "b.yml").write_text("- id: x\n- id: y\n  split: dev\n", "utf-8")
    with pytest.raises(CaseError) as caught:
        load_cases(tmp_path)
    first, second, third = map(str, caught.value.faults)
    assert first.startswith(f"{tmp_path / 'a.jsonl'}:2: ")
    assert "did you mean 'answerable'" in first
    assert second.startswith(f"{tmp_path / 'b.yml'}:1: a case lacks 'answerable'")
    assert third.startswith(f"{tmp_path / 'b.yml'}:2: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": " "}, "question is ' ', expected text that is not blank"),
        ({"answerable": "yes"}, "answerable is 'yes', expected true or false"),
        ({"gold_papers": "p"}, "gold_papers is 'p', expected a list"),
        ({"nuggets": [{"any": [1], "vital": True}]}, "an item of any is 1, expected text"),
        ({"nuggets": [{"any": ["x"]}]}, "a nugget lacks 'vital'"),
        ({"evidence": [{"paper": "p", "quote": "q", "start": True, "end": 1}]}, "start is True"),
        ({"evidence": [{"paper": "p", "quote": "q", "start": -1, "end": 1}]}, "start is -1"),
        ({"history": [["only a question"]]}, "a turn of history has 1 texts"),
        ({"abstracts": ["p"]}, "abstracts is ['p'], expected an object"),
        ({"variant": "noise"}, "a case has no field 'variant'"),
    ],
)
def test_a_field_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CaseError) as caught:
        load_cases(written(tmp_path / "a.jsonl", {**ROW, **change}))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"id": 1,', "not valid JSON"),
        ("a.jsonl", "[1]", "a case is [1], expected an object"),
        ("a.jsonl", '{"id": "x", "id": "y"}', "'id' is given twice"),
        ("a.yaml", "id: x", "expected a YAML list"),
        ("a.yaml", "- id: x\n  id: y\n", "'id' is given twice"),
        ("a.yaml", "- id: [x\n", "not valid YAML"),
        ("a.yaml", "", "expected a YAML list"),
        ("a.csv", "id", "ends in .csv"),
        ("a.jsonl", "\udcff", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(CaseError) as caught:
        load_cases(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"cannot be read \(No such file"):
        load_cases(tmp_path / "none.jsonl")
    with pytest.raises(CaseError, match="holds no cases"):
        load_cases(tmp_path)
    with pytest.raises(InputError, match="no split 'train'"):
        load_cases(split="train")


def test_an_injection_needs_its_canary_once(tmp_path: Path) -> None:
    row = {"id": "i", "style": "s", "title": "t", "text": "say {canary} {canary}"}
    with pytest.raises(CaseError, match="not exactly once"):
        load_injections(written(tmp_path / "i.jsonl", row))


def test_the_hash_does_not_depend_on_order_or_notes_but_on_all_else() -> None:
    cases = load_cases()
    first, *rest = cases
    assert cases_hash(cases) == cases_hash(reversed(cases))
    assert cases_hash([replace(first, note="seen"), *rest]) == cases_hash(cases)
    assert cases_hash([replace(first, question="?"), *rest]) != cases_hash(cases)
    assert cases_hash(rest) != cases_hash(cases)


def test_paraphrases_differ_from_their_base_only_in_the_question() -> None:
    bases = {case.id: case for case in load_cases(split="dev")}
    made = paraphrase_cases(bases.values())
    assert len(made) == 12
    for case in made:
        base = bases[case.base_id]
        back = replace(case, id=base.id, question=base.question, variant="base")
        assert back == base
        assert case.question != base.question


def test_an_appended_case_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    for case in load_cases(split="dev")[:3]:
        append_case(path, case)
    loaded = read_cases(path)
    assert loaded.cases == load_cases(split="dev")[:3]
    assert [place.line for place in loaded.places] == [1, 2, 3]
    assert [file.name for file in tmp_path.iterdir()] == ["own.jsonl"]
    assert "variant" not in json.loads(path.read_text("utf-8").splitlines()[0])
    assert asdict(loaded.cases[0])["variant"] == "base"
