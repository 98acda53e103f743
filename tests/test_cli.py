from __future__ import annotations

import json
import logging
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from eval.standin import StandInEmbedder
from rag.store.collection import LOCK, Collection
from tests.makers import PAPERS, ROOT, SAMPLE
from ui.cli import parser, to_go_on
from ui.terminal import warnings_shown

OFFLINE = Path(__file__).parent / "offline"


def _environ(home: Path, **more: str) -> dict[str, str]:
    """The environment of a command that cannot leave the machine, with its collections there."""
    return {
        **os.environ,
        "FOOTNOTED_HOME": str(home),
        "FOOTNOTED_COLLECTION": "sample",
        "PYTHONPATH": f"{OFFLINE}:{ROOT}",
        **more,
    }


def footnoted(
    home: Path, *arguments: str, stdin: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process that cannot leave the machine."""
    return subprocess.run(
        [sys.executable, "-m", "ui", *arguments],
        env=_environ(home, COLUMNS="80") | environ,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def in_terminal(home: Path, *arguments: str) -> tuple[int, str]:
    """Run the command with a terminal as standard error; its exit code and what is seen there."""
    leader, follower = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "ui", *arguments],
        env=_environ(home, TERM="xterm", COLUMNS="150"),
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # Linux says EIO when the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    os.close(leader)
    return running.wait(), seen.decode()


def fine(done: subprocess.CompletedProcess[str], code: int = 0) -> str:
    assert "Traceback" not in done.stderr, done.stderr
    assert "NETWORK" not in done.stderr, done.stderr
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def test_an_answer_has_footnotes_and_its_papers(sample_home: Path) -> None:
    out = fine(footnoted(sample_home, "ask", "What is GeneGPT and which tools does it use?"))
    assert "[1]" in out
    assert "GeneGPT: Augmenting Large Language Models" in out
    assert "Extractive" in out
    assert "\x1b" not in out, "colour in a pipe"


def test_json_is_one_object_whose_quotes_are_slices(sample_home: Path) -> None:
    out = fine(footnoted(sample_home, "ask", "--json", "What is GeneGPT?"))
    record = json.loads(out)
    assert record["declined"] is None
    for claim in record["claims"]:
        for citation in claim["citations"]:
            abstract = record["papers"][citation["paper"]]["abstract"]
            assert abstract[citation["start"] : citation["end"]] == citation["quote"]


def test_markdown_has_a_footnote_for_every_quote(sample_home: Path) -> None:
    out = fine(footnoted(sample_home, "ask", "--markdown", "What is GeneGPT?"))
    assert "[^1]" in out
    assert "\n[^1]: [1] " in out


def test_a_declined_question_says_so_and_exits_with_3(sample_home: Path) -> None:
    out = fine(footnoted(sample_home, "ask", "How do I prune apple trees in winter?"), 3)
    assert out.startswith("Not in this collection")
    assert "[1]" not in out


def test_a_question_is_read_from_standard_input(sample_home: Path) -> None:
    out = fine(footnoted(sample_home, "ask", "-", stdin="What is GeneGPT?\n"))
    assert "GeneGPT" in out


@pytest.mark.parametrize("question", ["", "   ", "?!", "why " * 5000])
def test_a_question_that_is_none_ends_in_one_line(sample_home: Path, question: str) -> None:
    done = footnoted(sample_home, "ask", question)
    fine(done, 1)
    assert done.stderr.startswith("footnoted: the question")
    assert done.stderr.count("\n") == 1


def test_search_lists_passages_best_first(sample_home: Path) -> None:
    out = fine(footnoted(sample_home, "search", "copulas", "--limit", "2"))
    assert out.startswith("1. Pair Programming with Large Language Models for Sampling")
    rows = fine(footnoted(sample_home, "search", "copulas", "--limit", "2", "--json"))
    assert [json.loads(row)["rank"] for row in rows.splitlines()] == [1, 2]


def test_a_conversation_understands_a_follow_up(sample_home: Path) -> None:
    out = fine(footnoted(sample_home, "chat", stdin="What is GeneGPT?\nHow well does it do?\n\n"))
    assert "Searched for: What is GeneGPT? How well does it do?" in out
    assert out.count("From “GeneGPT") >= 2


def test_papers_show_and_remove(sample_home: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_home, tmp_path / "home")
    listed = fine(footnoted(tmp_path / "home", "papers")).splitlines()
    assert len(listed) == 306
    paper_id, title = listed[0].split("  ", 1)
    shown = fine(footnoted(tmp_path / "home", "show", title))
    assert shown.startswith(title)
    assert "\n1. " in shown
    assert f"id: {paper_id}" in shown
    fine(footnoted(tmp_path / "home", "remove", paper_id))
    assert len(fine(footnoted(tmp_path / "home", "papers")).splitlines()) == 305
    gone = footnoted(tmp_path / "home", "show", paper_id)
    fine(gone, 1)
    assert "footnoted papers" in gone.stderr


def test_adding_again_changes_nothing_and_embeds_nothing(sample_home: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_home, tmp_path / "home")
    # Weights that cannot be loaded prove that none were needed.
    out = fine(footnoted(tmp_path / "home", "add", str(SAMPLE)))
    assert out.startswith("369 unchanged")
    assert "306 papers" in out


def test_bad_records_are_counted_and_named_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "papers.jsonl"
    file.write_text(
        '{"title": "Fine", "abstract": "This one is fine."}\n{"title": "No abstract"}\n{broken\n'
    )
    done = footnoted(tmp_path / "home", "add", str(file))
    assert fine(done).startswith("1 added, 2 skipped")
    assert "papers.jsonl:2: " in done.stderr
    assert "papers.jsonl:3: " in done.stderr


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02" * 99, b"%PDF-1.7 x", b"hello there"])
def test_a_file_that_is_no_paper_ends_in_one_line_and_leaves_nothing(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "odd.bin").write_bytes(content)
    done = footnoted(tmp_path / "home", "add", str(tmp_path / "odd.bin"))
    fine(done, 1)
    assert done.stderr.startswith("footnoted: ")
    assert "odd.bin" in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_missing_path_and_a_missing_collection_are_named(tmp_path: Path) -> None:
    done = footnoted(tmp_path, "add", str(tmp_path / "nowhere"))
    fine(done, 1)
    assert "nowhere" in done.stderr
    done = footnoted(tmp_path / "empty", "ask", "What is grokking?")
    fine(done, 1)
    assert "footnoted add" in done.stderr


@pytest.mark.parametrize("name", ["..", ".hidden", "-x", "a\x1bb"])
def test_a_collection_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    done = footnoted(tmp_path, "papers", f"--collection={name}")
    fine(done, 1)
    assert "does not name a collection" in done.stderr
    assert "\x1b" not in done.stderr


def test_text_from_files_cannot_drive_the_terminal(tmp_path: Path) -> None:
    evil = {
        "title": "\x1b]0;owned\x07 [red]T[/red]",
        "abstract": "Bad \x1b[2J text [link=x]y[/link].",
    }
    (tmp_path / "evil.jsonl").write_text(json.dumps(evil))
    fine(footnoted(tmp_path, "add", str(tmp_path / "evil.jsonl")))
    for arguments in (("papers",), ("search", "bad text")):
        out = fine(footnoted(tmp_path, *arguments))
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "[red]T[/red]" in out


def test_doctor_says_all_is_well_and_rebuild_keeps_it_so(sample_home: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_home, tmp_path / "home")
    out = fine(footnoted(tmp_path / "home", "doctor"))
    assert "BAD" not in out
    assert "306 papers" in out
    shutil.rmtree(tmp_path / "home" / "sample" / "chroma")
    bad = fine(footnoted(tmp_path / "home", "doctor"), 1)
    assert "mend it: footnoted rebuild" in bad
    fine(footnoted(tmp_path / "home", "rebuild"))
    fine(footnoted(tmp_path / "home", "doctor"))


def test_a_reader_that_closes_the_pipe_is_no_error(sample_home: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m ui papers | head -1",
        shell=True,
        env={**os.environ, "FOOTNOTED_HOME": str(sample_home), "FOOTNOTED_COLLECTION": "sample"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.stderr == ""


def test_ctrl_c_while_adding_says_what_stays(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-m", "ui", "add", str(SAMPLE)],
        env={**os.environ, "FOOTNOTED_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    catalog = tmp_path / "default" / "catalog.sqlite3"
    until = time.monotonic() + 60
    while not catalog.exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(2.0)
    writer.send_signal(signal.SIGINT)
    _, stderr = writer.communicate(timeout=60)
    assert "Traceback" not in stderr
    assert writer.returncode == 130
    assert "run the same command to go on" in stderr
    out = fine(footnoted(tmp_path, "add", str(SAMPLE), FOOTNOTED_COLLECTION="default"))
    assert "306 papers" in out


def test_a_terminal_sees_a_progress_bar(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"title": "Fine", "abstract": "This one is fine."}\n')
    code, seen = in_terminal(tmp_path, "add", str(tmp_path / "one.jsonl"))
    assert code == 0
    assert "embedding papers" in seen
    assert "1/1" in seen
    assert re.search(r"\d:\d\d:\d\d gone", seen)


@pytest.mark.parametrize("command", ["chat", "ask"])
def test_ctrl_c_where_nothing_is_added_speaks_of_nothing_added(
    sample_home: Path, command: str
) -> None:
    arguments = ["ask", "-"] if command == "ask" else ["chat"]
    asking = subprocess.Popen(
        [sys.executable, "-m", "ui", *arguments],
        env={
            **os.environ,
            "FOOTNOTED_HOME": str(sample_home),
            "FOOTNOTED_COLLECTION": "sample",
            "PYTHONPATH": str(ROOT),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(3.0)
    asking.send_signal(signal.SIGINT)
    _, stderr = asking.communicate(timeout=60)
    assert stderr == "footnoted: interrupted\n"
    assert asking.returncode == 130


@pytest.mark.parametrize(
    "arguments",
    [
        ("papers",),
        ("papers", "--json"),
        ("search", "learning", "--json", "--limit", "50"),
        ("ask", "What is GeneGPT?", "--json"),
        ("ask", "What is GeneGPT?", "--markdown"),
        ("ask", "What is GeneGPT?"),
        ("chat",),
    ],
)
def test_an_output_that_takes_only_ascii_is_no_trouble(
    sample_home: Path, arguments: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ui", *arguments],
        env={
            **os.environ,
            "FOOTNOTED_HOME": str(sample_home),
            "FOOTNOTED_COLLECTION": "sample",
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "ascii",
        },
        input="What is GeneGPT – “really”?\n".encode() + b"\xff?\n\n",
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    if "--json" not in arguments and "--markdown" not in arguments:
        assert done.stdout.isascii()
    elif "ask" in arguments:
        assert "“" in done.stdout.decode()
    if "--json" in arguments:
        records = [done.stdout] if "ask" in arguments else done.stdout.splitlines()
        assert all(isinstance(json.loads(record), dict) for record in records)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
@pytest.mark.parametrize(
    "arguments", [("papers",), ("papers", "--json"), ("ask", "What is GeneGPT?")]
)
def test_a_full_disk_behind_the_output_ends_in_one_line(
    sample_home: Path, arguments: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ui", *arguments],
            env={
                **os.environ,
                "FOOTNOTED_HOME": str(sample_home),
                "FOOTNOTED_COLLECTION": "sample",
                "PYTHONPATH": str(ROOT),
            },
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "footnoted: the output cannot be written: No space left on device\n"
    assert done.returncode == 1


def test_a_collection_name_may_not_be_400_characters_long(tmp_path: Path) -> None:
    done = footnoted(tmp_path, "papers", "-c", "x" * 400)
    fine(done, 1)
    assert "has 400 characters, at most 100" in done.stderr


def test_a_home_of_an_unknown_user_is_named(tmp_path: Path) -> None:
    for done in (
        footnoted(tmp_path, "papers", "-c", "~nosuch-user/x"),
        footnoted(tmp_path, "papers", FOOTNOTED_HOME="~nosuch-user/x"),
        footnoted(tmp_path, "add", "~nosuch-user/x"),
    ):
        fine(done, 1)
        assert "~nosuch-user/x" in done.stderr
        assert done.stderr.count("\n") == 1


def test_bytes_that_are_no_text_are_no_trouble(sample_home: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe")
    for option in ("--author", "--venue", "--source"):
        done = footnoted(sample_home, "papers", option, odd)
        assert fine(done) == ""
        assert done.stderr == "footnoted: no paper is held that fits\n"
    for command in ("show", "remove"):
        fine(footnoted(sample_home, command, odd), 1)
    fine(footnoted(sample_home, "search", f"{odd} learning"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "x", "--limit", "abc"), "abc is not a whole number between 1 and 1000"),
        (("search", "x", "--limit", "0"), "0 is not a whole number between 1 and 1000"),
        (("papers", "--from", "99999999999999999999"), "is not a year between 1000 and 3000"),
        (("papers", "--to", "0"), "0 is not a year between 1000 and 3000"),
        (("papers", "--to", "soon"), "soon is not a year between 1000 and 3000"),
    ],
)
def test_a_number_that_does_not_fit_is_named(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = footnoted(tmp_path, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_mixed_add_exits_with_0_and_its_help_says_so(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a.jsonl").write_text('{"title": "T", "abstract": "Fine."}\n')
    (tmp_path / "papers" / "b.bin").write_bytes(b"\x00\x01" * 99)
    done = footnoted(tmp_path / "home", "add", str(tmp_path / "papers"))
    assert "1 added, 1 skipped" in fine(done)
    out = " ".join(fine(footnoted(tmp_path, "add", "--help")).split())
    assert "exits with 0 if anything could be read" in out


def test_a_path_that_does_not_exist_stops_an_add_and_its_help_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": "T", "abstract": "Fine."}\n')
    home = tmp_path / "home"
    fine(footnoted(home, "add", str(tmp_path / "a.jsonl"), str(tmp_path / "nowhere")), 1)
    assert not home.exists()
    out = " ".join(fine(footnoted(tmp_path, "add", "--help")).split())
    assert "A path that does not exist stops it before anything is read." in out


def test_an_add_says_how_many_papers_it_embedded_that_waited(tmp_path: Path) -> None:
    with (
        closing(Collection(tmp_path / "sample", create=True)) as collection,
        collection.writing(StandInEmbedder()) as writing,
    ):
        writing.catalog.put(PAPERS)
    (tmp_path / "a.jsonl").write_text('{"title": "T", "abstract": "Fine."}\n')
    for waited in (True, False):
        out = fine(footnoted(tmp_path, "add", str(tmp_path / "a.jsonl")))
        assert ("\nembedded 3 papers that waited\n" in out) == waited
        assert f"\n4 papers in {tmp_path}" in out


def test_a_second_writer_says_that_it_waits(tmp_path: Path) -> None:
    Collection(tmp_path / "sample", create=True).close()
    (tmp_path / "a.jsonl").write_text('{"title": "T", "abstract": "Fine."}\n')
    with FileLock(tmp_path / "sample" / LOCK):
        second = subprocess.Popen(
            [sys.executable, "-m", "ui", "add", "--quiet", str(tmp_path / "a.jsonl")],
            env={
                **os.environ,
                "FOOTNOTED_HOME": str(tmp_path),
                "FOOTNOTED_COLLECTION": "sample",
                "PYTHONPATH": f"{OFFLINE}:{ROOT}",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        told = second.stderr.readline()
    _, more = second.communicate(timeout=60)
    where = tmp_path / "sample"
    assert told == f"footnoted: waiting for another process that writes to {where}\n"
    assert (second.returncode, more) == (0, "")


def test_one_paper_is_not_called_papers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": "T", "abstract": "Fine."}\n')
    out = fine(footnoted(tmp_path, "add", str(tmp_path / "a.jsonl")))
    assert f"\n1 paper in {tmp_path}" in out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("rebuild --embed", "'footnoted rebuild' goes on"),
        ("rebuild -c 'a b' --embed", "'footnoted rebuild --collection 'a b'' goes on"),
        ("rebuild --embed --embedder bundled", "run the same command, without --embed, to go on"),
        ("rebuild --chroma local", "is kept: run the same command to go on"),
        ("add x", "what was added so far stays, run the same command to go on"),
        ("import x", "what was added so far stays, run the same command to go on"),
        ("fetch arxiv x", "what was added so far stays, run the same command to go on"),
        ("add x --dry-run", ""),
        ("export csv", ""),
    ],
)
def test_an_interruption_says_what_goes_on(given: str, said: str) -> None:
    told = to_go_on(parser().parse_args(shlex.split(given)))
    assert told.endswith(said)
    assert bool(told) == bool(said)


def test_what_the_library_warns_of_is_shown_as_text_while_a_command_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("rag.store.anything")
    with warnings_shown():
        log.warning("waiting for another process that writes to %s", "a\x1bb")
        log.info("nobody is told")
    expected = "footnoted: waiting for another process that writes to a\\x1bb\n"
    assert capsys.readouterr().err == expected
    assert logging.getLogger("rag").handlers == []


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    assert footnoted(tmp_path, "asq").returncode == 2
    assert footnoted(tmp_path, "search", "x", "--limit", "0").returncode == 2
