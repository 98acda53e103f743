"""The command line with a language model, in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.makers import PAPERS
from tests.openai_server import KEY, openai_server
from tests.test_cli import fine, footnoted
from tests.writing import QUESTION, writes

TEXT = "Networks first memorise and then generalise suddenly. [[memorise]]"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three papers under the name ``sample``."""
    home = tmp_path_factory.mktemp("home")
    lines = [json.dumps({"title": p.title, "abstract": p.abstract}) for p in PAPERS]
    (home / "papers.jsonl").write_text("\n".join(lines))
    fine(footnoted(home, "add", str(home / "papers.jsonl")))
    return home


def test_a_model_is_named_by_option_or_environment_and_its_answer_is_kept(home: Path) -> None:
    environ = {"OPENAI_API_KEY": KEY, "FOOTNOTED_MODEL": "loopback-1"}
    with openai_server(writes(TEXT)) as server:
        url = server.url()
        asked = fine(footnoted(home, "ask", QUESTION, OPENAI_BASE_URL=url, **environ))
        chosen = ("--model", "loopback-2", "--base-url", url, "--no-history", "--json")
        record = json.loads(fine(footnoted(home, "ask", QUESTION, *chosen)))
        quoted = fine(footnoted(home, "ask", QUESTION, "--no-llm", OPENAI_BASE_URL=url, **environ))
        listed = fine(footnoted(home, "answers", "--search", "GROKKING", "--json"))
        kept = [json.loads(line) for line in listed.splitlines()]
        id_ = kept[-1]["id"]
        again = fine(footnoted(home, "replay", id_[:-1], OPENAI_BASE_URL=url, **environ))
    assert "generalise suddenly. [1]" in asked
    assert "[1] Grokking in small transformers" in asked
    assert record["model"] == "openai:loopback-2"
    assert record["id"] is None
    assert "Extractive" in quoted
    assert [summary["model"] for summary in kept] == [None, "openai:loopback-1"]
    assert "the same" in again
    assert [request.body["model"] for request in server.requests] == [
        "loopback-1",
        "loopback-2",
        "loopback-1",
    ]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY.encode() not in (home / "sample" / "history.sqlite3").read_bytes()
    fine(footnoted(home, "feedback", id_, "--bad", "--comment", "too short"))
    said = json.loads(fine(footnoted(home, "feedback", "--json")))
    assert (said["answer"], said["good"], said["comment"]) == (id_, False, "too short")


def test_a_claim_that_fails_is_named_below_the_answer(home: Path) -> None:
    wrong = TEXT + " It happens after 20,000 steps of training. [[10,000]]"
    with openai_server(writes(wrong, repair="no")) as server:
        shown = footnoted(home, "ask", QUESTION, "--model", "m", "--base-url", server.url())
        strict = footnoted(
            home, "ask", QUESTION, "--model", "m", "--base-url", server.url(), "--strict"
        )
    assert "Not supported: “It happens after 20,000 steps" in fine(shown)
    assert "20,000" not in fine(strict)


def test_a_model_without_key_or_endpoint_is_one_clear_line(home: Path) -> None:
    done = footnoted(home, "ask", QUESTION, "--model", "gpt-5-mini", OPENAI_API_KEY="")
    assert done.returncode == 1
    assert "set OPENAI_API_KEY" in done.stderr
    assert fine(footnoted(home, "papers", FOOTNOTED_MODEL="gpt-5-mini", OPENAI_API_KEY=""))


def test_a_window_that_is_no_number_is_refused(home: Path) -> None:
    done = footnoted(home, "ask", QUESTION, FOOTNOTED_WINDOW="8k")
    assert done.returncode == 1
    assert "FOOTNOTED_WINDOW is '8k'" in done.stderr
