"""The bundled cross-encoder, as the rest of the library sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answering.grounding import check
from rag.answering.support import SupportChecker
from rag.errors import SettingError, WeightsError
from rag.models.crossencoder import BundledCrossEncoder, Pair, open_crossencoder
from rag.models.runtime import WEIGHTS
from rag.schema import Status

TITLE = "MMInA: Benchmarking multihop multimodal internet agents"
SENTENCES = (
    "Autonomous embodied agents live on an internet of multimedia websites.",
    "The benchmark holds 1,050 tasks written by people, over 14 websites.",
    "Agents fail in the first hops when the task needs many of them.",
    "A memory of past actions improves both single-hop and multihop tasks.",
)
ASKED = Pair("How many tasks does the benchmark have?", TITLE, SENTENCES)


@pytest.fixture(scope="module")
def encoder() -> BundledCrossEncoder:
    return BundledCrossEncoder()


def test_the_sentence_that_answers_scores_best(encoder: BundledCrossEncoder) -> None:
    [reading] = encoder.read([ASKED])
    assert max(range(4), key=lambda i: reading.sentences[i]) == 1
    assert reading.answerable > 0.5


def test_a_question_about_something_else_is_not_answerable(encoder: BundledCrossEncoder) -> None:
    [reading] = encoder.read([Pair("Which enzyme cleaves lactose?", TITLE, SENTENCES)])
    assert reading.answerable < 0.2


def test_a_reading_does_not_depend_on_what_is_read_with_it() -> None:
    others = [Pair(f"What about {i}?", TITLE, SENTENCES[: i + 1]) for i in range(3)]
    alone = BundledCrossEncoder().read([ASKED])[0]
    among = BundledCrossEncoder(threads=3).read([*others, ASKED, *others])[3]
    assert alone == among


@pytest.mark.parametrize("changed", ["crossencoder.onnx", "embedder-tokenizer.json"])
def test_another_graph_or_tokenizer_is_another_cross_encoder(tmp_path: Path, changed: str) -> None:
    listing = json.loads((WEIGHTS / "checksums.json").read_text("utf-8"))
    listing[changed]["sha256"] = "0" * 64
    (tmp_path / "checksums.json").write_text(json.dumps(listing))
    assert BundledCrossEncoder(directory=tmp_path).checksum != BundledCrossEncoder().checksum


def test_nothing_is_read_for_no_pairs(encoder: BundledCrossEncoder) -> None:
    assert encoder.read([]) == []


def test_every_sentence_of_a_text_beyond_the_window_is_read(encoder: BundledCrossEncoder) -> None:
    filler = ("The weather was fair on that day, and nothing else of note was seen at all.",) * 40
    [reading] = encoder.read([Pair(ASKED.query, TITLE, (*filler, SENTENCES[1], *filler))])
    assert max(range(81), key=lambda i: reading.sentences[i]) == 40
    assert all(0 < chance < 1 for chance in reading.sentences)


ENCODER = BundledCrossEncoder()


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=80), st.text(max_size=40), st.lists(st.text(max_size=60), max_size=4))
def test_any_text_can_be_read(query: str, title: str, sentences: list[str]) -> None:
    [reading] = ENCODER.read([Pair(query, title, tuple(sentences))])
    assert len(reading.sentences) == len(sentences)
    assert all(0 <= chance <= 1 for chance in (*reading.sentences, reading.answerable))


def test_other_weights_than_those_shipped_are_refused(tmp_path: Path) -> None:
    for file in WEIGHTS.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "crossencoder.onnx").write_bytes(b"something else")
    with pytest.raises(WeightsError, match="not the file that was shipped"):
        BundledCrossEncoder(directory=tmp_path).read([ASKED])


def test_cross_encoders_are_named() -> None:
    assert open_crossencoder("none") is None
    assert isinstance(open_crossencoder("bundled"), BundledCrossEncoder)
    given_one = BundledCrossEncoder()
    assert open_crossencoder(given_one) is given_one
    with pytest.raises(SettingError, match="'bigger' is no cross-encoder"):
        open_crossencoder("bigger")


def test_support_is_decided_after_the_rules(encoder: BundledCrossEncoder) -> None:
    checker = SupportChecker(encoder)

    def verdict(claim: str) -> tuple[Status, str]:
        found = check(claim, [SENTENCES[1]], title=TITLE, checkers=[checker])
        return found.status, found.check

    t2 = "T2 cross-encoder"
    assert verdict("The tasks of MMInA were written by people.") == (Status.SUPPORTED, t2)
    assert verdict("The tasks were made up by a language model.") == (Status.UNSUPPORTED, t2)
    assert verdict("The benchmark holds 2,000 tasks.") == (Status.UNSUPPORTED, "T1 numbers")
    assert verdict(SENTENCES[1]) == (Status.SUPPORTED, "T0 exact")


def test_a_claim_in_another_language_is_left_open(encoder: BundledCrossEncoder) -> None:
    claim = "Der Benchmark umfasst 1.050 Aufgaben, die von Menschen für 14 Webseiten sind."
    found = check(claim, [SENTENCES[1]], checkers=[SupportChecker(encoder)])
    assert found.status is Status.UNCHECKED
    assert "another language" in found.reason
