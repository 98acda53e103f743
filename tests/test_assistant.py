from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import rag
from eval.standin import StandInEmbedder
from rag.adding import Stage
from rag.assistant import Assistant
from rag.errors import EmbedderMismatchError, QuestionError, UnknownPaperError
from rag.schema import Answer, DeclineReason, Filters
from tests.makers import ROOT, SAMPLE

SDKS = (
    "chromadb",
    "llama_index",
    "openai",
    "onnxruntime",
    "tokenizers",
    "tiktoken",
    "numpy",
    "rich",
    "nupunkt",
    "httpx",
    "pydantic",
)


def loaded_by(code: str) -> set[str]:
    """Which of `SDKS` a new process has loaded after running the code."""
    report = f"import sys; print(*[name for name in {SDKS!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_rag_loads_no_sdk() -> None:
    assert loaded_by("import rag") == set()


def test_asking_loads_neither_llamaindex_nor_openai(sample_home: Path) -> None:
    code = (
        "from rag import Assistant\n"
        f"Assistant.open({str(sample_home / 'sample')!r}).ask('What is GeneGPT?')"
    )
    assert loaded_by(code) & {"llama_index", "openai", "tiktoken"} == set()


def test_every_public_name_is_there() -> None:
    assert set(rag.__all__) == set(dir(rag))
    for name in rag.__all__:
        assert getattr(rag, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rag.nothing  # noqa: B018


def test_the_sample_collection_holds_306_papers_with_all_their_sources(sample: Assistant) -> None:
    papers = list(sample.papers())
    assert len(papers) == 306
    assert sum(len(paper.sources) > 1 for paper in papers) == 47
    assert sample.counts()["unembedded"] == 0


def test_adding_again_embeds_nothing(sample_home: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(sample_home / "sample", tmp_path / "c")
    with Assistant.open(tmp_path / "c") as assistant:
        seen: list[Stage] = []
        report = assistant.add(SAMPLE, on_progress=lambda stage, *_: seen.append(stage))
    assert (report.unchanged, report.added, report.passages) == (369, 0, 0)
    assert set(seen) == {Stage.READING}


def test_every_footnote_is_an_exact_quote(sample: Assistant) -> None:
    for question in (
        "What is GeneGPT?",
        "Which papers study theory of mind in language models?",
        "How do instruction tuning and in-context learning compare?",
    ):
        answer = sample.ask(question)
        assert answer.declined is None
        for citation in answer.citations:
            assert citation.quote == citation.paper.abstract[citation.start : citation.end]
            assert sample.paper(citation.paper.id) == citation.paper
        spans = {(s.start, s.end) for p in answer.papers for s in sample.sentences(p.id)}
        assert {(c.start, c.end) for c in answer.citations} <= spans
        assert [c.number for c in answer.citations] == sorted(c.number for c in answer.citations)


def test_a_list_question_names_several_papers(sample: Assistant) -> None:
    assert len(sample.ask("Which papers study theory of mind in language models?").papers) >= 4


@pytest.mark.parametrize(
    "question",
    [
        "How do I prune apple trees in winter?",
        "What was the inflation rate in Argentina in 1989?",
        "Who won the football world cup in 1998?",
    ],
)
def test_what_the_collection_does_not_hold_is_declined(sample: Assistant, question: str) -> None:
    answer = sample.ask(question)
    assert answer.declined is DeclineReason.NOT_IN_COLLECTION
    assert answer.claims == ()
    assert answer.citations == ()
    assert len(answer.suggestions) == 3
    assert answer.text == answer.message


def test_the_same_question_gives_the_same_record_but_for_times(sample_home: Path) -> None:
    def record() -> str:
        with Assistant.open(sample_home / "sample") as assistant:
            answer = assistant.ask("How is grokking explained?")
        return replace(answer, id=None, timings={}).to_json()

    assert record() == record()


def test_a_record_holds_what_is_needed_to_replay_it(sample: Assistant) -> None:
    record = json.loads(sample.ask("How is grokking explained?").to_json())
    assert record["collection"]["papers"] == 306
    assert len(record["collection"]["fingerprint"]) == 32
    assert record["collection"]["embedder"]
    assert record["settings"]["options"]["papers"] >= 1
    assert {hit["paper"] for hit in record["hits"]} <= set(record["papers"])
    assert set(record["timings"]) == {"retrieve", "answer"}


def test_history_makes_a_follow_up_whole(sample: Assistant) -> None:
    first = sample.ask("What is GeneGPT?")
    follow_up = sample.ask("How well does it do?", history=[("What is GeneGPT?", first.text)])
    assert follow_up.papers[0].title.startswith("GeneGPT")
    said = {citation.quote for citation in first.citations}
    assert said.isdisjoint({citation.quote for citation in follow_up.citations})


def test_numbers_stay_in_a_conversation(sample: Assistant) -> None:
    conversation = sample.chat()
    numbers: dict[str, int] = {}
    for question in ("What is GeneGPT?", "What is MindAgent?", "What is GeneGPT evaluated on?"):
        answer = conversation.ask(question)
        for citation in answer.citations:
            assert numbers.setdefault(citation.paper.id, citation.number) == citation.number
    assert len(set(numbers.values())) == len(numbers)


def test_filters_narrow_what_is_read(sample: Assistant) -> None:
    source = "003_5a5d18c49c6f775d.txt"
    answer = sample.ask("How do language models cooperate?", filters=Filters(source=source))
    assert answer.retrieved
    assert all(any(source in s for s in paper.sources) for paper in answer.retrieved)


def test_a_bad_question_and_an_unknown_paper_are_refused(sample: Assistant) -> None:
    with pytest.raises(QuestionError):
        sample.ask("??")
    with pytest.raises(UnknownPaperError, match="nothing like it"):
        sample.paper("nothing like it")


def test_another_embedder_is_refused_unless_one_only_looks(sample_home: Path) -> None:
    with pytest.raises(EmbedderMismatchError):
        Assistant.open(sample_home / "sample", embedder=StandInEmbedder())
    with Assistant.open(sample_home / "sample", embedder=StandInEmbedder(), check=False) as looker:
        assert not {f.check for f in looker.examine() if not f.well}.isdisjoint({"embedder"})


def test_printing_an_answer_shows_markers_and_papers(sample: Assistant) -> None:
    answer: Answer = sample.ask("What is GeneGPT?")
    assert "[1]" in answer.text
    assert f"\n[1] {answer.papers[0].title}" in str(answer)


def test_a_long_add_says_beforehand_how_long_it_will_take(tmp_path: Path) -> None:
    lines = [json.dumps({"title": f"T{n}", "abstract": f"Number {n} it is."}) for n in range(500)]
    (tmp_path / "many.jsonl").write_text("\n".join(lines))
    said: list[tuple[int, float]] = []
    with Assistant.open(tmp_path / "c", embedder=StandInEmbedder()) as assistant:
        assistant.add(tmp_path / "many.jsonl", on_estimate=lambda *what: said.append(what))
        (tmp_path / "few.jsonl").write_text('{"title": "One", "abstract": "One more it is."}')
        assistant.add(tmp_path / "few.jsonl", on_estimate=lambda *what: said.append(what))
    [(papers, seconds)] = said
    assert papers == 500
    assert 0 < seconds < 600


def test_of_several_paths_a_bad_one_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "bad.bin").write_bytes(b"\x00\x01" * 50)
    (tmp_path / "good.jsonl").write_text('{"title": "One", "abstract": "One it is."}')
    with Assistant.open(tmp_path / "c", embedder=StandInEmbedder()) as assistant:
        report = assistant.add(tmp_path / "bad.bin", tmp_path / "good.jsonl")
    assert report.added == 1
    assert "bad.bin" in str(report.skipped[0])
