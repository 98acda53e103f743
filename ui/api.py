"""Footnoted over HTTP: the same answers as JSON, or as server-sent events while they come."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import chain, islice
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from rag.errors import (
    CollectionError,
    EndpointError,
    InputError,
    LockedError,
    RagError,
    UnknownPaperError,
)
from rag.events import Began, Event, Finished, Pending, Told, Understood, Withdrawn
from rag.export import hit_record
from rag.records import answer_from_json
from rag.schema import Claim, Filters
from rag.store.history import UnknownAnswerError, UnknownConversationError
from ui.page.choices import MAX_PAPERS, Choices
from ui.page.exports import PAPER_FORMATS, Export, export_answer, export_talk
from ui.page.limits import TooManyError
from ui.page.live import Live, TookTooLongError
from ui.page.security import client_of, owner_of
from ui.page.site import Site
from ui.page.talks import Talk
from ui.streaming import EVENT_STREAM, EventStream

MAX_QUESTION_CHARS = 4_000
_FORMATS = ", ".join(("json", "markdown", *(name for name, _ in PAPER_FORMATS)))
_STATUS: tuple[tuple[type[RagError], int], ...] = (
    (TooManyError, 429),
    (TookTooLongError, 504),
    (InputError, 400),
    (UnknownPaperError, 404),
    (UnknownAnswerError, 404),
    (UnknownConversationError, 404),
    (LockedError, 409),
    (EndpointError, 502),
    (CollectionError, 503),
)
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The question cannot be used."},
    429: {"description": "Too much was asked; Retry-After says when to ask again."},
}


class Only(BaseModel):
    """Which papers to look at; what is left out does not matter."""

    model_config = ConfigDict(extra="forbid")
    year_from: int | None = Field(default=None, ge=1000, le=3000)
    year_to: int | None = Field(default=None, ge=1000, le=3000)
    author: str | None = Field(default=None, max_length=200)
    venue: str | None = Field(default=None, max_length=200)
    source: str | None = Field(default=None, max_length=200)

    def filters(self) -> Filters:
        """The same for the library."""
        return Filters(
            self.year_from,
            self.year_to,
            self.author or None,
            self.venue or None,
            self.source or None,
        )


class Search(Only):
    """A search: words or a question, and how many passages to give."""

    q: str = Field(min_length=1, max_length=MAX_QUESTION_CHARS)
    limit: int = Field(default=10, ge=1, le=100)


class Listing(Only):
    """A part of the list of papers."""

    skip: int = Field(default=0, ge=0, le=1_000_000_000)
    limit: int = Field(default=100, ge=1, le=500)


class Question(BaseModel):
    """A question, and earlier ones with their answers, oldest first."""

    model_config = ConfigDict(extra="forbid")
    question: str = Field(min_length=1, max_length=MAX_QUESTION_CHARS)
    history: list[tuple[str, str]] = Field(default_factory=list, max_length=50)
    only: Only = Only()
    papers: int | None = Field(default=None, ge=1, le=MAX_PAPERS)
    strict: bool = False
    quoting: bool = False

    def choices(self) -> Choices:
        """What is chosen about the answer."""
        return Choices(self.only.filters(), self.papers, strict=self.strict, quoting=self.quoting)


class Opinion(BaseModel):
    """What a reader says of an answer."""

    model_config = ConfigDict(extra="forbid")
    good: bool
    comment: str = Field(default="", max_length=2_000)


def add_api(app: FastAPI, site: Site) -> None:
    """Add the routes under ``/api``, ``/healthz`` and ``/readyz``, and errors in words."""
    app.include_router(_health(site))
    app.include_router(_questions(site), prefix="/api", tags=["questions"])
    app.include_router(_kept(site), prefix="/api", tags=["what was asked"])
    app.add_exception_handler(RagError, partial(_told, site))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _broken)


def _health(site: Site) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The server runs."""
        return {"status": "ok"}

    @routes.get("/readyz", responses={503: {"description": "The models are still being loaded."}})
    async def readyz() -> dict[str, str]:
        """The models are loaded and the collection answers."""
        if not site.ready.is_set():
            raise HTTPException(503, "the models are being loaded")
        return {"status": "ready"}

    return routes


def _questions(site: Site) -> APIRouter:
    routes = APIRouter()

    @routes.post("/ask", response_model=None, responses=_ERRORS)
    def ask(request: Request, asked: Question) -> Response:
        """Answer a question: the record, or events with ``Accept: text/event-stream``.

        Events are ``understood``, ``stage``, ``pending``, ``claim``, ``withdrawn``, and at the
        end ``answer`` with the record, or ``error``.
        """
        live = site.question(asked.question, history=asked.history, choices=asked.choices())
        events = _answering(site, live, client_of(request.scope))
        if EVENT_STREAM in request.headers.get("accept", ""):
            first = next(events)  # what is wrong with the question is said by the status
            texts = _as_sse(site, chain([first], events))
            return EventStream(texts, events, live.stop, site.serving.answer_s)
        for event in events:
            if isinstance(event, Finished):
                return Response(event.answer.to_json(), media_type="application/json")
        raise AssertionError("answering ends with Finished")

    @routes.get("/search", responses=_ERRORS)
    def search(request: Request, wanted: Annotated[Search, Query()]) -> dict[str, Any]:
        """The passages that fit a query best, best first, one of each paper."""
        site.searching(client_of(request.scope))
        found = site.assistant.search(wanted.q, limit=wanted.limit, filters=wanted.filters())
        return {"hits": [hit_record(hit) for hit in found]}

    @routes.get("/papers", responses=_ERRORS)
    def papers(request: Request, wanted: Annotated[Listing, Query()]) -> dict[str, Any]:
        """The papers of the collection, in order of arrival."""
        site.searching(client_of(request.scope))
        found = site.assistant.papers(wanted.filters())
        part = islice(found, wanted.skip, wanted.skip + wanted.limit)
        held = site.assistant.counts()["papers"]
        return {"papers": [asdict(paper) for paper in part], "held": held}

    @routes.get("/papers/{paper_id}")
    def paper(paper_id: str) -> dict[str, Any]:
        """One paper, by its id."""
        return asdict(site.assistant.paper(paper_id))

    return routes


def _kept(site: Site) -> APIRouter:
    routes = APIRouter()
    talks = site.talks

    @routes.get("/answers/{answer_id}", response_model=None)
    def answer(answer_id: str, format_: Annotated[str, Query(alias="format")] = "json") -> Response:
        """An answer by its id: ``json`` is its record, ``markdown`` its text with footnotes.

        The papers that it cites: ``bibtex``, ``ris``, ``csl-json``, ``csv``, ``jsonl``.
        """
        record = site.history.answer(answer_id, exact=True)
        if format_ == "json":
            return _file(Export(record.text, "application/json", "json"), record.id)
        return _file(export_answer(answer_from_json(record.text), format_), record.id)

    @routes.post("/answers/{answer_id}/feedback", status_code=204, response_class=Response)
    def feedback(request: Request, answer_id: str, said: Annotated[Opinion, Body()]) -> None:
        """Say that an answer is good or bad, and why; replaces what was said before."""
        owner = owner_of(request.headers.get("cookie", ""))
        talks.say(answer_id, good=said.good, comment=said.comment, owner=owner)

    @routes.get("/conversations")
    def conversations(request: Request) -> dict[str, Any]:
        """The conversations of this browser, the one that went on last first."""
        owner = owner_of(request.headers.get("cookie", ""))
        listed = talks.listed(owner) if owner else []
        return {"conversations": [asdict(summary) for summary in listed]}

    @routes.get("/conversations/{conversation_id}", response_model=None)
    def conversation(
        request: Request,
        conversation_id: str,
        format_: Annotated[str, Query(alias="format")] = "json",
    ) -> Response:
        """A conversation of this browser, in the same formats as an answer."""
        owner = owner_of(request.headers.get("cookie", "")) or ""
        talk = talks.talk(conversation_id, owner)
        return _file(export_talk(talk, format_), f"conversation-{conversation_id}")

    return routes


def _answering(site: Site, live: Live, client: str) -> Generator[Event, None, None]:
    """The events of an answer; the last has it as it is kept, and holds nothing any more."""
    answer = None
    with site.answering(live, client):
        for batch in live.batches():
            for event in batch:
                if isinstance(event, Finished):
                    answer = event.answer
                else:
                    yield event
    if answer is not None:
        yield Finished(site.kept(answer, Talk())[0])


def _as_sse(site: Site, events: Iterable[Event]) -> Iterator[str]:
    try:
        for event in events:
            name, data = _event(event)
            yield f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
    except RagError as error:
        yield f"event: error\ndata: {json.dumps({'error': site.told(error)})}\n\n"


def _event(event: Event) -> tuple[str, dict[str, Any]]:
    """An event's name and values."""
    match event:
        case Understood(question):
            return "understood", {"question": question}
        case Began(stage):
            return "stage", {"stage": stage}
        case Pending(text):
            return "pending", {"text": text}
        case Told(claim):
            return "claim", _claim(claim)
        case Withdrawn():
            return "withdrawn", {}
        case Finished(answer):
            return "answer", json.loads(answer.to_json())


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "lead": claim.lead,
        "text": claim.text,
        "citations": [
            {
                "number": citation.number,
                "paper": citation.paper.id,
                "title": citation.paper.title,
                "sentence": citation.sentence,
                "start": citation.start,
                "end": citation.end,
                "quote": citation.quote,
            }
            for citation in claim.citations
        ],
        "verdict": asdict(claim.verdict),
    }


def _file(export: Export | None, name: str) -> Response:
    if export is None:
        raise InputError(f"expected format {_FORMATS}")
    headers = {
        "Content-Disposition": f'attachment; filename="footnoted-{name}.{export.ending}"',
        "Cache-Control": "no-store",
    }
    return Response(export.text, media_type=export.media_type, headers=headers)


def _told(site: Site, _: Request, error: Exception) -> JSONResponse:
    """An error of ours, in its own words."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(error.wait_s)} if isinstance(error, TooManyError) else None
    return JSONResponse({"error": site.told(error)}, status, headers)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """A request that does not have the form; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    wrong = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    return JSONResponse({"error": "; ".join(wrong)}, 422)


def _broken(_: Request, __: Exception) -> JSONResponse:
    """An error that nobody foresaw: the trace goes to the server's log only."""
    return JSONResponse({"error": "something went wrong here; the server's log says what"}, 500)
