"""What the checks catch: scripted replies over real abstracts, none of which anything was tuned on.

``scripted_replies/sample.jsonl`` holds replies over the sample collection: ``claims`` are text, the
sentences that they cite (``paper.sentence``, or a key that is made up) and whether they are true of
the papers; ``raw`` replies are sent as they are, ``{paper.sentence}`` becoming keys. As many wrong
claims again come from the labelled test data, where that is at hand. The model never mends
anything: what is counted is what the checks do alone. In ``raw``, ``<paper.sentence>`` is a key
without its brackets.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rag.answering.calls import Calls
from rag.answering.context import Context, pack
from rag.answering.drafts import Draft
from rag.answering.extractive import Request
from rag.answering.generated import Options, Writer, Written, write
from rag.answering.question import Kind
from rag.answering.scoring import Judged
from rag.answering.support import WRITTEN_FROM, SupportChecker
from rag.answering.verifying import Verifier
from rag.errors import EndpointError
from rag.ingest.identity import paper_id
from rag.ingest.reading import read_papers
from rag.ingest.sentences import split_sentences
from rag.models.crossencoder import BundledCrossEncoder
from rag.models.llm import Message, SettledReply, Usage
from rag.models.tokens import count_tokens
from rag.schema import Claim, Paper, Record, Status
from rag.store.catalog import StoredPaper
from tests.makers import SAMPLE, SHARED

REPLIES = Path(__file__).parent / "scripted_replies" / "sample.jsonl"
LABELLED = SHARED / "reader-data" / "test.jsonl"
EVERY, COUNT = 3, 30
QUESTION = "What do these papers say?"
MADE_UP = re.compile(r"\b[bcdfghjkmnpqrtvwxz]{2}[2-9]{3}\b")


class Scripted:
    """A model that answers with a text, and mends nothing."""

    name, window = "scripted", 8192

    def __init__(self, text: str) -> None:
        self.text = text

    def count_tokens(self, text: str) -> int:
        return count_tokens(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> SettledReply:
        text = self.text if len(messages) == 2 else "I cannot."
        return SettledReply(re.findall(r"\s*\S+|\s+", text), usage=Usage(1, 1, 1))

    def prepare(self) -> None:
        """Nothing is loaded."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Case:
    """A scripted reply: its kind, the papers offered, and its claims or raw text."""

    kind: str
    held: tuple[StoredPaper, ...]
    claims: tuple[tuple[str, str, bool], ...] = ()
    raw: str = ""
    expect: str = ""


def stored(
    title: str, abstract: str, spans: Sequence[tuple[int, int]] | None = None
) -> StoredPaper:
    paper = Paper(paper_id(title, abstract), title, abstract)
    return StoredPaper(0, paper, tuple(spans or split_sentences(abstract)))


@cache
def sample_papers() -> dict[str, StoredPaper]:
    records = (item for item in read_papers(SAMPLE) if isinstance(item, Record))
    return {record.title: stored(record.title, record.abstract) for record in records}


def scripted() -> list[Case]:
    cases = []
    for line in REPLIES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        held = tuple(sample_papers()[title] for title in row["papers"])
        claims = tuple((text, cited, right) for text, cited, right in row.get("claims", []))
        cases.append(Case(row["kind"], held, claims, row.get("raw", ""), row.get("expect", "")))
    return cases


def labelled() -> list[Case]:
    """One right and one wrong claim of every third abstract, with two others beside it."""
    lines = LABELLED.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    papers = [joined(row) for row in rows]
    cases = []
    for place in range(0, EVERY * COUNT, EVERY):
        claims = []
        for label in ("supported", "unsupported"):
            claim = next(c for c in rows[place]["claims"] if c["label"] == label)
            cited = " ".join(f"0.{index}" for index in claim["sents"])
            claims.append((claim["c"], cited, label == "supported"))
        held = (papers[place], papers[(place + 1) % 100], papers[(place + 2) % 100])
        cases.append(Case("labelled", held, tuple(claims)))
    return cases


def joined(row: dict[str, Any]) -> StoredPaper:
    spans, text = [], ""
    for sentence in row["sentences"]:
        start = len(text) + bool(text)
        text = f"{text} {sentence}".strip()
        spans.append((start, start + len(sentence)))
    return stored(row["title"], text, spans)


def offered(case: Case) -> Context:
    scores = [None] * len(case.held)
    return pack(case.held, scores, QUESTION, budget=3000, count=count_tokens)


def text_of(case: Case) -> str:
    """The reply with the keys of the context."""
    places = {stored.paper.id: place for place, stored in enumerate(case.held)}
    entries = offered(case).evidence.values()
    keys = {f"{places[entry.paper.id]}.{entry.sentence}": entry.key for entry in entries}
    if case.raw:
        named = re.sub(r"\{(\d\.\d+)\}", lambda match: f"[{keys[match[1]]}]", case.raw)
        return re.sub(r"<(\d\.\d+)>", lambda match: keys[match[1]], named)
    parts = []
    for text, cited, _ in case.claims:
        named = ", ".join(keys.get(name, name) for name in cited.split())
        parts.append(f"{text} [{named}]" if named else text)
    return " ".join(parts)


CHECKER = SupportChecker(BundledCrossEncoder(threads=1), supported_from=WRITTEN_FROM)


def written(case: Case) -> Written | None:
    """What is shown; None: nothing of the reply, because none of it is supported."""
    request = Request(QUESTION, QUESTION, Kind.FACT, (), case.held)
    judged = [Judged((0.5,) * len(stored.spans), 0.9, 0.9) for stored in case.held]
    writer = Writer(Calls(Scripted(text_of(case))), (CHECKER,), Options(papers=8))
    events = write(request, judged, writer)
    try:
        while True:
            next(events)
    except StopIteration as end:
        reply: Written = end.value
        return reply
    except EndpointError:
        return None


def caught(case: Case, text: str, shown: Sequence[Claim]) -> bool:
    """Whether a wrong claim is flagged, gone, or cites another paper than the wrong one."""
    claim = next((claim for claim in shown if claim.text == text), None)
    if claim is None or claim.verdict.status is Status.UNSUPPORTED:
        return True
    if case.kind != "wrong paper":
        return False
    cited = next(cited for said, cited, _ in case.claims if said == text)
    wrong = case.held[int(cited[0])].paper.id
    return wrong not in {citation.paper.id for citation in claim.citations}


@dataclass
class Tally:
    """Of each kind of reply: claims and how many came out as they should."""

    wrong: Counter[str]
    caught: Counter[str]
    right: Counter[str]
    flagged: Counter[str]
    made_up: int = 0

    def add(self, case: Case) -> None:
        reply = written(case)
        shown = reply.reply.claims if reply else ()
        for claim in shown:
            self.made_up += len(MADE_UP.findall(claim.text))
            held = {stored.paper.id: stored for stored in case.held}
            for citation in claim.citations:
                quote = held[citation.paper.id].texts[citation.sentence]
                self.made_up += quote != citation.quote
        for text, _, right in case.claims:
            if right:
                self.right[case.kind] += 1
                self.flagged[case.kind] += caught(case, text, shown)
            else:
                self.wrong[case.kind] += 1
                self.caught[case.kind] += caught(case, text, shown)

    def __str__(self) -> str:
        lines = [f"{'kind':20} wrong caught  right flagged"]
        lines += [
            f"{kind:20} {self.wrong[kind]:5} {self.caught[kind]:6} {self.right[kind]:6} "
            f"{self.flagged[kind]:7}"
            for kind in dict.fromkeys([*self.wrong, *self.right])
        ]
        return "\n".join(lines)


def tally(cases: Sequence[Case]) -> Tally:
    result = Tally(Counter(), Counter(), Counter(), Counter())
    for case in cases:
        result.add(case)
    return result


def test_wrong_claims_are_caught_and_right_ones_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    if not LABELLED.exists():
        pytest.skip(f"{LABELLED} is not there: half of the wrong claims come from it")
    cases = [*scripted(), *labelled()]
    assert len(cases) >= 80
    result = tally(cases)
    with capsys.disabled():
        print(f"\n{result}")
    assert result.made_up == 0
    assert result.caught.total() >= 0.75 * result.wrong.total()
    assert result.flagged.total() <= 0.15 * result.right.total()


def test_footnotes_beside_the_point_are_taken_off_and_cost_no_claim() -> None:
    alone, together, needless = 0, 0, 0
    for case in scripted():
        if case.kind != "right" or len(case.held) < 2:
            continue
        context = offered(case)
        verifier = Verifier(context, case.held, (CHECKER,))
        for text, cited, _ in case.claims:
            own = case.held[int(cited[0])].paper.id
            entries = context.evidence.values()
            keys = [e.key for e in entries if f"{own}.{e.sentence}" in named(case, cited)]
            others = [e.key for e in entries if e.paper.id != own][:2]
            alone += not verifier.verify(Draft(text, tuple(keys))).fails
            checked = verifier.verify(Draft(text, (*keys, *others)))
            together += not checked.fails
            needless += any(entry.paper.id != own for entry in checked.evidence)
    assert alone >= 10
    assert together >= alone - 1
    assert needless <= 0.25 * alone


def named(case: Case, cited: str) -> set[str]:
    """Paper id and sentence of what is cited."""
    parts = (name.split(".") for name in cited.split())
    return {f"{case.held[int(place)].paper.id}.{sentence}" for place, sentence in parts}


def raw(expect: str) -> Iterator[Case]:
    return (case for case in scripted() if case.expect == expect)


def test_orders_that_were_injected_are_never_shown_as_supported() -> None:
    for case in raw("not shown as supported"):
        reply = written(case)
        for claim in reply.reply.claims if reply else ():
            is_order = not claim.text.startswith("GAMA outperforms")
            assert claim.verdict.status is not Status.SUPPORTED or not is_order, claim.text


def test_refusals_empty_and_broken_replies_come_out_as_what_they_are() -> None:
    for case in raw("declined"):
        reply = written(case)
        assert reply is not None
        assert reply.reply.declined is not None
        assert reply.reply.claims == ()
    for case in raw("quoted"):
        assert written(case) is None
    for case in raw("right"):
        reply = written(case)
        assert reply is not None
        [claim] = reply.reply.claims
        assert claim.citations
        assert not MADE_UP.search(claim.text)
