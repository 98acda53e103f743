from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eval.standin import StandInEmbedder
from rag.schema import Record
from rag.store.collection import Collection
from rag.store.crashes import Note, crashes
from rag.store.soundness import open_sound
from tests.makers import PAPERS, nearest_ids, put


@pytest.fixture
def index(tmp_path: Path) -> Path:
    collection = Collection(tmp_path / "papers", create=True)
    put(collection, *PAPERS)
    collection.close()
    return collection.chroma


def notes(index: Path) -> list[str]:
    return sorted(path.name for path in index.parent.glob("*/asked.*"))


def in_a_process_that_dies(do: Callable[[], object]) -> None:
    if (child := os.fork()) == 0:
        try:
            do()
        finally:
            os._exit(9)
    os.waitpid(child, 0)


def die_asking(index: Path, vector: np.ndarray | None, limit: int) -> None:
    def ask() -> None:
        with Note(index).asking(vector, limit):
            os._exit(9)

    in_a_process_that_dies(ask)


def test_whoever_was_killed_while_it_asked_costs_nothing(index: Path) -> None:
    die_asking(index, StandInEmbedder().embed_query("grokking"), 5)
    die_asking(index, None, 0)
    assert len(notes(index)) == 4
    assert not crashes(index)
    assert notes(index) == []


def test_a_question_that_fails_again_is_told_as_long_as_the_index_stands(index: Path) -> None:
    die_asking(index, np.ones(3, np.float32), 5)  # of another dimension
    assert crashes(index)
    assert crashes(index)


def test_an_index_that_crashed_somebody_is_made_again(index: Path) -> None:
    die_asking(index, np.ones(3, np.float32), 5)
    collection = Collection(index.parents[1], create=False)
    assert len(nearest_ids(collection, "theory of mind")) == 3
    assert collection.chroma != index
    collection.close()
    assert notes(index) == []


def test_what_is_being_asked_is_no_crash_and_leaves_nothing(index: Path) -> None:
    note = Note(index)
    with note.asking(np.ones(3, np.float32), 5):
        assert not crashes(index)
    note.close()
    assert notes(index) == []


def test_many_passages_of_one_text_are_no_damage(tmp_path: Path) -> None:
    collection = Collection(tmp_path / "papers", create=True)
    put(collection, *[Record(f"Erratum {n}", "See the text.", doi=f"10.1/{n}") for n in range(30)])
    collection.close()
    reader = Collection(tmp_path / "papers", create=False)
    index = open_sound(reader.catalog, reader.place)
    assert index is not None
    index.close()
    reader.close()
