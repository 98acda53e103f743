from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import StorageError
from rag.export import FORMATS, write_file
from tests.test_cli import fine, footnoted
from ui.cli import EXPORT_FORMATS


def test_the_command_offers_every_format() -> None:
    assert [*(form.name for form in FORMATS), "json"] == list(EXPORT_FORMATS)


def test_a_collection_is_written_to_a_file_or_to_standard_output(
    sample_home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "refs.bib"
    told = fine(footnoted(sample_home, "export", "bibtex", "--output", str(out)))
    assert told == f"306 papers written to {out}\n"
    text = out.read_text("utf-8")
    assert text.count("\n@") == 305
    assert fine(footnoted(sample_home, "export", "bibtex")) == text
    assert [path.name for path in tmp_path.iterdir()] == ["refs.bib"]


def test_what_is_exported_is_a_collection_again(sample_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "papers.csv"
    fine(footnoted(sample_home, "export", "csv", "-o", str(out), "--source", "003_"))
    again = fine(footnoted(tmp_path / "home", "add", str(out)))
    assert again.startswith("50 added")
    held = fine(footnoted(sample_home, "papers", "--source", "003_"))
    assert sorted(fine(footnoted(tmp_path / "home", "papers")).split("\n")) == sorted(
        held.split("\n")
    )


def test_of_an_answer_only_the_cited_papers_are_written(sample_home: Path) -> None:
    answer = json.loads(fine(footnoted(sample_home, "ask", "What is GeneGPT?", "--json")))
    cited = {c["paper"] for claim in answer["claims"] for c in claim["citations"]}

    def exported(format_: str) -> str:
        return fine(footnoted(sample_home, "export", format_, "--answer", answer["id"]))

    lines = exported("jsonl").splitlines()
    assert {json.loads(line)["id"] for line in lines} == cited
    assert "GeneGPT" in json.loads(exported("csl-json"))[0]["title"]
    assert "\n[^1]: [1] " in exported("markdown")
    assert json.loads(exported("json"))["claims"] == answer["claims"]
    given = footnoted(sample_home, "export", "ris", "--answer", answer["id"], "--from", "2020")
    fine(given, 1)
    assert "leave out --answer, or the filters" in given.stderr


def test_what_cannot_be_exported_is_said_in_one_line(sample_home: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (("json",), "name one with --answer"),
        (("ris", "--answer", "nothing"), "no answer"),
        (("ris", "-o", str(tmp_path)), "it is a folder"),
        (("ris", "-o", str(tmp_path / "no" / "where")), "No such file or directory"),
    ):
        done = footnoted(sample_home, "export", *arguments)
        fine(done, 1)
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    none = footnoted(sample_home, "export", "ris", "--from", "2090")
    assert fine(none) == ""
    assert none.stderr == "footnoted: no paper is held that fits\n"


def test_a_file_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    def broken() -> Iterator[str]:
        yield "half"
        raise KeyboardInterrupt

    path = tmp_path / "refs.bib"
    path.write_text("old")
    path.chmod(0o640)
    (tmp_path / "link.bib").symlink_to(path)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, broken())
    assert path.read_text() == "old"
    write_file(tmp_path / "link.bib", ["né", "w\n"])
    assert path.read_bytes() == "néw\n".encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {"link.bib", "refs.bib"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_disk_is_an_error_with_the_place() -> None:
    with pytest.raises(StorageError, match="/dev/full cannot be written: No space left"):
        write_file(Path("/dev/full"), ["x" * 100_000])
