"""Collections that are exported with their vectors and imported elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.backup.sharing import PAPERS as PAPERS_FILE
from rag.backup.sharing import VECTORS
from rag.errors import EmbedderMismatchError, FileError
from rag.schema import Filters
from tests.backups import PAPERS, lines_file, made, members_of, opened, state, tampered

PROBED = 3
"""Texts that are embedded at an import, to see that the vectors are the embedder's."""


@pytest.fixture
def assistant(tmp_path: Path) -> Assistant:
    return made(tmp_path / "papers")


def test_an_imported_collection_is_the_same_and_nothing_is_embedded(
    assistant: Assistant, tmp_path: Path
) -> None:
    many = [{"title": f"Title {n}", "abstract": f"Fact {n} stands here. " * 9} for n in range(250)]
    assistant.add(lines_file(tmp_path / "many.jsonl", many))
    saved = assistant.export_collection(tmp_path / "s.zip")
    embedder = StandInEmbedder()
    with opened(tmp_path / "mine", embedder=embedder) as mine:
        report = mine.import_collection(saved.file)
        assert (report.added, report.taken_over, report.passages) == (253, 253, 0)
        assert embedder.embedded == PROBED
        identity, counts, papers, hits = state(mine)
        assert (identity, counts, hits) == (
            assistant.identity(), assistant.counts(), state(assistant)[3]
        )  # fmt: skip
        assert [paper.sources for paper in papers[:3]] == [("s.zip/first.jsonl",)] * 3
        assert [finding for finding in mine.examine() if not finding.well] == []
        again = mine.import_collection(saved.file)
        assert (again.unchanged, again.records, again.taken_over) == (253, 253, 0)
        added = mine.add(tmp_path / "first.jsonl")
        assert (added.merged, added.records, added.passages) == (3, 3, 0)


def test_papers_are_merged_as_they_are_when_added(assistant: Assistant, tmp_path: Path) -> None:
    shared = assistant.export_collection(tmp_path / "s.zip").file
    held = [
        {"title": PAPERS[0]["title"], "abstract": PAPERS[0]["abstract"], "venue": "ICLR"},
        {"title": PAPERS[1]["title"], "abstract": "Vision encoders can be trained from captions."},
        {"title": "Another", "abstract": "Of something else entirely."},
    ]
    with opened(tmp_path / "mine") as mine:
        mine.add(lines_file(tmp_path / "held.jsonl", held))
        report = mine.import_collection(shared)
        assert (report.added, report.merged, report.updated) == (1, 1, 1)
        assert report.taken_over == 2, "the new one, and the one whose abstract was replaced"
        merged = mine.paper(PAPERS[0]["title"])
        assert (merged.venue, merged.doi, merged.year) == ("ICLR", "10.1000/grok", 2022)
        assert merged.sources == ("held.jsonl", "s.zip/first.jsonl")
        assert mine.paper(PAPERS[1]["title"]).abstract == PAPERS[1]["abstract"]
        assert mine.counts() == {"papers": 4, "passages": 4, "unembedded": 0}
        assert [finding for finding in mine.examine() if not finding.well] == []


def test_what_was_asked_is_no_part_of_it(assistant: Assistant, tmp_path: Path) -> None:
    assistant.ask("Why would anybody ask about grokking?")
    with assistant._collection.writing(StandInEmbedder()) as writing:
        writing.catalog.set_meta(fetches='{"my secret query": []}')
    assistant.remove("Minds of machines")
    members = members_of(assistant.export_collection(tmp_path / "s.zip").file)
    assert set(members) == {"manifest.json", PAPERS_FILE, VECTORS}
    everything = b"".join(members.values())
    for private in (b"anybody", b"secret query", b"Theory of mind", str(tmp_path).encode()):
        assert private not in everything
    assert b"Seeing with language" in everything


def test_a_part_can_be_exported(assistant: Assistant, tmp_path: Path) -> None:
    saved = assistant.export_collection(tmp_path / "s.zip", Filters(author="lovelace"))
    assert saved.manifest.counts == {"papers": 1, "passages": 1, "unembedded": 0}
    with opened(tmp_path / "mine") as mine:
        assert mine.import_collection(saved.file).added == 1
        assert [paper.title for paper in mine.papers()] == [PAPERS[0]["title"]]


def test_ids_go_on_leading_to_their_papers(assistant: Assistant, tmp_path: Path) -> None:
    longer = {**PAPERS[1], "abstract": PAPERS[1]["abstract"] + " Nothing else is needed for it."}
    assistant.add(lines_file(tmp_path / "second.jsonl", [longer]))
    held = assistant.paper(PAPERS[1]["title"])
    shared = assistant.export_collection(tmp_path / "s.zip").file
    with opened(tmp_path / "mine") as mine:
        mine.import_collection(shared)
        found = mine.paper(held.id)
        assert found.abstract == held.abstract
        assert found.id != held.id, "an id is made from the text at first sight"


def test_papers_that_waited_are_embedded_where_they_come_to(
    assistant: Assistant, tmp_path: Path
) -> None:
    with assistant._collection.writing(StandInEmbedder()) as writing:
        writing.catalog.forget_vectors()
    shared = assistant.export_collection(tmp_path / "s.zip").file
    with opened(tmp_path / "mine") as mine:
        report = mine.import_collection(shared)
        assert (report.added, report.taken_over, report.passages) == (3, 0, 3)


def test_vectors_of_another_embedder_are_refused_or_made_again(
    assistant: Assistant, tmp_path: Path
) -> None:
    shared = assistant.export_collection(tmp_path / "s.zip").file
    other = StandInEmbedder(dimension=16)
    with opened(tmp_path / "mine", embedder=other) as mine:
        with pytest.raises(EmbedderMismatchError, match=r"footnoted import .*s\.zip --embed"):
            mine.import_collection(shared)
        assert mine.counts()["papers"] == 0
        report = mine.import_collection(shared, embed=True)
        assert (report.added, report.taken_over, report.passages) == (3, 0, 3)
        assert [finding for finding in mine.examine() if not finding.well] == []


def turned(data: bytes) -> bytes:
    vectors = np.frombuffer(data, "<f4").reshape(-1, 384)
    return np.roll(vectors, 1, axis=1).tobytes()


def test_vectors_that_the_embedder_would_not_make_are_refused(
    assistant: Assistant, tmp_path: Path
) -> None:
    shared = assistant.export_collection(tmp_path / "s.zip").file
    with opened(tmp_path / "mine") as mine:
        with pytest.raises(EmbedderMismatchError, match="cosine"):
            mine.import_collection(tampered(shared, VECTORS, turned))
        assert mine.counts()["papers"] == 0


@pytest.mark.parametrize(
    "places", [[[0, 3, 0, 999]], [[0, 1, 0, 20]], [[2, 1, 0, 9]], [[0, 99, 0, 20]], [[-1, 3, 0, 5]]]
)
def test_places_that_do_not_fit_the_text_are_not_taken_over(
    assistant: Assistant, tmp_path: Path, places: list[list[int]]
) -> None:
    def moved(data: bytes) -> bytes:
        first, rest = data.split(b"\n", 1)
        return json.dumps({**json.loads(first), "passages": places}).encode() + b"\n" + rest

    shared = tampered(assistant.export_collection(tmp_path / "s.zip").file, PAPERS_FILE, moved)
    with opened(tmp_path / "mine") as mine:
        report = mine.import_collection(shared)
        assert (report.added, report.taken_over, report.passages) == (3, 2, 1)
        assert [hit[:2] for hit in state(mine)[3]] == [hit[:2] for hit in state(assistant)[3]]
        assert [finding for finding in mine.examine() if not finding.well] == []


def test_vectors_that_are_none_are_not_taken_over(assistant: Assistant, tmp_path: Path) -> None:
    def spoiled(data: bytes) -> bytes:
        vectors = np.frombuffer(data, "<f4").reshape(-1, 384).copy()
        vectors[1], vectors[2] = np.nan, vectors[2] * 3
        return vectors.tobytes()

    shared = assistant.export_collection(tmp_path / "s.zip").file
    with opened(tmp_path / "mine") as mine:
        with pytest.raises(EmbedderMismatchError):  # the probes look at the first ones
            mine.import_collection(tampered(shared, VECTORS, spoiled))
        assert mine.counts()["papers"] == 0


def test_a_backup_is_not_imported(assistant: Assistant, tmp_path: Path) -> None:
    backup = assistant.backup(tmp_path / "b.zip").file
    with pytest.raises(FileError, match="footnoted restore"):
        assistant.import_collection(backup)


def test_passages_of_the_sample_collection_fit_and_come_along(
    sample: Assistant, tmp_path: Path
) -> None:
    saved = sample.export_collection(tmp_path / "sample.zip")
    with Assistant.open(tmp_path / "mine") as mine:
        report = mine.import_collection(saved.file)
        assert (report.added, report.taken_over, report.passages) == (306, 306, 0)
        assert mine.identity() == sample.identity()
        assert [hit.paper.id for hit in mine.search("theory of mind")] == [
            hit.paper.id for hit in sample.search("theory of mind")
        ]
