from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Send

from rag.events import Event, Understood
from rag.records import answer_from_json
from rag.schema import Answer, Claim, Status, Verdict
from rag.store.history import History
from tests.hostile import HOSTILE
from tests.scripted import Scripted
from tests.test_page_html import PAPER, answer_of
from ui.page import turns
from ui.page.app import interface
from ui.page.exports import export_talk, plain_text
from ui.page.limits import Limits
from ui.page.security import COOKIE, Gate
from ui.page.serving import Serving
from ui.page.site import AT_ONCE, Site
from ui.page.talks import Talk, Turn

GENEGPT = {"question": "What is GeneGPT?"}
OWNER = "a" * 64


@pytest.fixture(scope="module")
def assistant(sample_home: Path) -> Iterator[Scripted]:
    with Scripted.open(
        sample_home / "sample", create=False, crossencoder="none", history=False
    ) as opened:
        yield opened


@pytest.fixture
def site(assistant: Scripted, tmp_path: Path) -> Iterator[Site]:
    history = History(tmp_path)
    yield Site.of(assistant, history, Serving(rate=100))
    history.close()


def client_of(site: Site) -> TestClient:
    return TestClient(
        Gate(interface(site), site.serving, site.limits),
        base_url="http://127.0.0.1",
        client=("10.0.0.1", 1),
        raise_server_exceptions=False,
    )


@pytest.fixture
def client(site: Site) -> TestClient:
    return client_of(site)


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Server-sent events, by name."""
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_an_answer_is_its_record_and_is_kept(client: TestClient) -> None:
    reply = client.post("/api/ask", json=GENEGPT)
    assert reply.status_code == 200
    answer = answer_from_json(reply.text)
    assert "GeneGPT" in answer.text
    for citation in answer.citations:
        assert citation.paper.abstract[citation.start : citation.end] == citation.quote
    kept = client.get(f"/api/answers/{answer.id}")
    assert answer_from_json(kept.text) == answer


def test_an_answer_streams_in_stages(client: TestClient) -> None:
    reply = client.post("/api/ask", json=GENEGPT, headers={"Accept": "text/event-stream"})
    assert reply.headers["content-type"].startswith("text/event-stream")
    told = events(reply.text)
    names = [name for name, _ in told]
    assert names[0] == "understood"
    assert [d["stage"] for n, d in told if n == "stage"][:2] == ["searching", "reading"]
    assert names[-1] == "answer"
    claims = [data for name, data in told if name == "claim"]
    record = told[-1][1]
    assert [claim["text"] for claim in claims] == [claim["text"] for claim in record["claims"]]
    assert claims[0]["citations"][0]["quote"] == record["claims"][0]["citations"][0]["quote"]


def test_follow_ups_are_understood_from_the_history_given(client: TestClient) -> None:
    first = client.post("/api/ask", json=GENEGPT).json()
    asked = {"question": "How well does it do?", "history": [[first["question"], first["text"]]]}
    assert "GeneGPT" in client.post("/api/ask", json=asked).json()["standalone_question"]


def test_a_question_that_is_none_is_refused_alike_in_both_forms(client: TestClient) -> None:
    for accept in ("application/json", "text/event-stream"):
        reply = client.post("/api/ask", json={"question": "?!"}, headers={"Accept": accept})
        assert reply.status_code == 400
        assert "holds no word" in reply.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": ""},
        {"question": "x" * 4_001},
        {"question": 5},
        {"question": "x", "other": 1},
        {"question": "x", "only": {"year_from": 3}},
        {"question": "x", "papers": 1000},
        {"question": "x", "history": [["a"]]},
        [],
    ],
)
def test_requests_of_another_form_are_refused_in_one_line(client: TestClient, body: object) -> None:
    reply = client.post("/api/ask", json=body)
    assert reply.status_code == 422
    assert "\n" not in reply.json()["error"]


def test_an_endpoint_that_fails_is_told_in_words(client: TestClient) -> None:
    reply = client.post("/api/ask", json={"question": "why breaking"})
    assert reply.status_code == 502
    assert "the endpoint did not answer" in reply.json()["error"]
    sse = client.post(
        "/api/ask", json={"question": "why breaking"}, headers={"Accept": "text/event-stream"}
    )
    assert events(sse.text)[-1][0] == "error"


def test_errors_that_nobody_foresaw_show_nothing_of_the_code(client: TestClient) -> None:
    reply = client.post("/api/ask", json={"question": "crashing"})
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert "Traceback" not in reply.text


def test_more_than_its_rate_is_refused_with_when_to_come_again(
    assistant: Scripted, tmp_path: Path
) -> None:
    site = Site.of(assistant, History(tmp_path), Serving(rate=2))
    limited = client_of(replace(site, limits=Limits(2, 2, clock=lambda: 0.0)))
    got = [limited.post("/api/ask", json=GENEGPT) for _ in range(3)]
    assert [reply.status_code for reply in got] == [200, 200, 429]
    assert int(got[-1].headers["retry-after"]) > 0
    for path in ("/api/search?q=genes", "/api/papers"):
        assert [limited.get(path).status_code for _ in range(3)] == [429] * 3


def test_a_time_limit_is_told(assistant: Scripted, tmp_path: Path) -> None:
    quick = client_of(Site.of(assistant, History(tmp_path), Serving(answer_s=0.3)))
    assert quick.post("/api/ask", json={"question": "go slowly"}).status_code == 504


async def streamed(site: Site, question: str, receive: Receive, send: Send) -> None:
    """Ask for events as a server would pass them on."""
    body = json.dumps({"question": question}).encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "POST",
        "path": "/api/ask",
        "query_string": b"",
        "client": ("10.0.0.1", 1),
        "headers": [(b"accept", b"text/event-stream"), (b"content-type", b"application/json")],
    }
    first = True

    async def receiving() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body}
        return await receive()

    await interface(site)(scope, receiving, send)


def free_again(site: Site) -> bool:
    """Whether a client may ask again, and every place is free."""
    return site.places._free == AT_ONCE and not site.limits._clients["10.0.0.1"].running


class Silent(Scripted):
    """Begins to answer, and then says nothing for long."""

    def stream(self, question: str, **given: Any) -> Any:  # noqa: ANN401
        return self._silent(question)

    def _silent(self, question: str) -> Iterator[Event]:
        yield Understood(question)
        time.sleep(20)


def test_who_leaves_gives_the_place_back_at_once(tmp_path: Path) -> None:
    async def leave(site: Site) -> None:
        told = asyncio.Event()

        async def receive() -> Message:
            await told.wait()
            await asyncio.sleep(0.1)  # the next event is being waited for
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if b"understood" in message.get("body", b""):
                told.set()

        async with asyncio.timeout(10):
            await streamed(site, "anything", receive, send)

    history = History(tmp_path)
    with Silent.open(tmp_path / "c", crossencoder="none", history=False) as assistant:
        site = Site.of(assistant, history, Serving())
        asyncio.run(leave(site))
        assert free_again(site)
    history.close()


def test_who_does_not_read_loses_the_place(assistant: Scripted, tmp_path: Path) -> None:
    history = History(tmp_path)
    site = Site.of(assistant, history, Serving(answer_s=0.5))

    async def stall() -> None:
        forever = asyncio.Event()

        async def receive() -> Message:
            await forever.wait()
            raise AssertionError("nobody leaves")

        async def send(message: Message) -> None:
            if b"pending" in message.get("body", b""):
                await forever.wait()

        async with asyncio.timeout(10):
            await streamed(site, "go slowly", receive, send)

    asyncio.run(stall())
    assert free_again(site)
    history.close()


def test_the_place_is_free_before_the_end_of_the_answer_is_read(site: Site) -> None:
    async def read() -> list[bool]:
        free: list[bool] = []

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError("nobody leaves")

        async def send(message: Message) -> None:
            if b"event: answer" in message.get("body", b""):
                free.append(free_again(site))

        await streamed(site, "What is GeneGPT?", receive, send)
        return free

    assert asyncio.run(read()) == [True]


def test_only_so_many_questions_wait(assistant: Scripted, tmp_path: Path) -> None:
    history = History(tmp_path)
    site = Site.of(assistant, history, Serving(queue=0))
    with ExitStack() as held:
        for _ in range(AT_ONCE):
            held.enter_context(site.places.taken(0, lambda: False))
        reply = client_of(site).post("/api/ask", json=GENEGPT)
    assert reply.status_code == 429
    assert "too many questions" in reply.json()["error"]
    assert client_of(site).post("/api/ask", json=GENEGPT).status_code == 200
    history.close()


def test_errors_do_not_say_where_things_lie(client: TestClient, site: Site) -> None:
    for path in ("/api/answers/none", "/api/papers/none"):
        told = client.get(path).json()["error"]
        assert str(site.assistant.directory) not in told
        assert str(site.history.path.parent) not in told
        assert "none" in told


def test_search_gives_passages_best_first(client: TestClient) -> None:
    hits = client.get("/api/search", params={"q": "copulas", "limit": 3}).json()["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert "Pair Programming" in hits[0]["title"]
    none = client.get("/api/search", params={"q": "copulas", "source": "no such file"}).json()
    assert none == {"hits": []}
    assert client.get("/api/search").status_code == 422


def test_papers_are_listed_in_parts_and_given_one_by_one(client: TestClient) -> None:
    listed = client.get("/api/papers", params={"limit": 2, "skip": 300}).json()
    assert listed["held"] == 306
    assert len(listed["papers"]) == 2
    paper = client.get(f"/api/papers/{listed['papers'][0]['id']}").json()
    assert paper == listed["papers"][0]
    assert client.get("/api/papers", params={"skip": 10**30}).status_code == 422
    missing = client.get("/api/papers/none")
    assert missing.status_code == 404
    assert "no paper" in missing.json()["error"]


def test_answers_are_found_only_by_their_whole_id(client: TestClient) -> None:
    id_ = client.post("/api/ask", json=GENEGPT).json()["id"]
    assert client.get(f"/api/answers/{id_[:10]}").status_code == 404
    assert client.get("/api/answers/nothing").status_code == 404


def test_answers_are_exported_and_so_are_the_papers_that_they_cite(client: TestClient) -> None:
    id_ = client.post("/api/ask", json=GENEGPT).json()["id"]
    markdown = client.get(f"/api/answers/{id_}", params={"format": "markdown"})
    assert "[^1]: [1] *GeneGPT" in markdown.text
    assert markdown.headers["content-disposition"].endswith(f'footnoted-{id_}.md"')
    bib = client.get(f"/api/answers/{id_}", params={"format": "bibtex"}).text
    assert bib.count("@misc{") == 1
    assert "{{GeneGPT: Augmenting" in bib
    ris = client.get(f"/api/answers/{id_}", params={"format": "ris"}).text
    assert ris.count("TY  - ") == 1
    [item] = client.get(f"/api/answers/{id_}", params={"format": "csl-json"}).json()
    assert item["title"].startswith("GeneGPT")
    assert client.get(f"/api/answers/{id_}", params={"format": "exe"}).status_code == 400


def test_every_format_that_is_named_is_given(client: TestClient, site: Site) -> None:
    id_ = client.post("/api/ask", json=GENEGPT).json()["id"]
    refused = client.get(f"/api/answers/{id_}", params={"format": "exe"}).json()["error"]
    names = refused.removeprefix("expected format ").split(", ")
    assert {"json", "markdown", "bibtex", "ris", "csl-json", "csv", "jsonl"} == set(names)
    answer = answer_from_json(client.get(f"/api/answers/{id_}").text)
    page = turns.answered(Turn(replace(answer, id=id_)), 1)
    for name in names:
        assert client.get(f"/api/answers/{id_}", params={"format": name}).status_code == 200, name
        assert f"format={name}" in page


def test_feedback_is_kept_with_its_comment(client: TestClient, site: Site) -> None:
    id_ = client.post("/api/ask", json=GENEGPT).json()["id"]
    said = {"good": False, "comment": HOSTILE[0]}
    assert client.post(f"/api/answers/{id_}/feedback", json=said).status_code == 204
    [kept] = site.history.feedback()
    assert (kept.answer, kept.good, kept.comment) == (id_, False, HOSTILE[0])
    assert client.post("/api/answers/none/feedback", json=said).status_code == 404
    long = {"good": True, "comment": "x" * 2_001}
    assert client.post(f"/api/answers/{id_}/feedback", json=long).status_code == 422


def test_conversations_are_their_browsers_alone(client: TestClient, site: Site) -> None:
    place = site.talks.begin(OWNER)
    site.history.record(answer_of(PAPER), conversation=place)
    assert client.get("/api/conversations").json() == {"conversations": []}
    assert client.get(f"/api/conversations/{place}").status_code == 404
    client.cookies.set(COOKIE, OWNER)
    [listed] = client.get("/api/conversations").json()["conversations"]
    assert listed["id"] == place
    record = client.get(f"/api/conversations/{place}").json()
    assert record["format"] == "footnoted-conversation/1"
    assert len(record["answers"]) == 1


def test_it_says_that_it_runs_and_when_it_is_ready(client: TestClient, site: Site) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 503
    site.ready.set()
    assert client.get("/readyz").json() == {"status": "ready"}


def test_the_signs_of_life_need_no_thread(site: Site) -> None:
    async def ask() -> int:
        limiter = anyio.to_thread.current_default_thread_limiter()
        for number in range(int(limiter.total_tokens)):
            limiter.acquire_on_behalf_of_nowait(number)
        transport = httpx.ASGITransport(interface(site))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            reply = await asyncio.wait_for(client.get("/healthz"), 5)
            return reply.status_code

    assert asyncio.run(ask()) == 200


def test_the_interface_is_described_without_loading_anything_from_elsewhere(
    client: TestClient,
) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/ask", "/api/search", "/api/papers", "/api/answers/{answer_id}"} <= set(paths)
    page = client.get("/docs").text
    assert "POST /api/ask" in page
    assert "<script" not in page
    assert "https://" not in page
    assert client.get("/page/style.css").headers["content-type"].startswith("text/css")
    assert client.get("/page/../../pyproject.toml").status_code == 404
    assert client.get("/page/app.py").status_code == 404


def test_a_conversations_footnotes_do_not_meet_in_one_document() -> None:
    hostile = answer_of(PAPER, text="See [^1] and \\")
    exported = export_talk(Talk("c", (Turn(answer_of(PAPER)), Turn(hostile))), "markdown")
    assert exported is not None
    assert "[^1-1]: " in exported.text
    assert "[^2-1]: " in exported.text
    assert "See \\[^1\\] and" in exported.text.replace("\\^", "^")


def test_copied_text_has_its_references() -> None:
    claim = Claim("It costs $5.", answer_of(PAPER).citations, Verdict(Status.SUPPORTED, "", ""))
    answer = Answer("Cost?", "Cost?", (claim,), None, "", (), (), "x")
    assert plain_text(answer) == "Cost?\n\nIt costs $5. [1]\n\n[1] Grokking. 2023"
