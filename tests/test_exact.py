"""Exact search over the catalog's own vectors, in pieces."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag.errors import DamagedError
from rag.store import exact
from rag.store.catalog import Catalog
from rag.store.collection import CHROMA, Collection
from tests.makers import PAPERS, nearest_ids, put

VECTOR = np.array([1.0, 0.0], np.float32)


class Watched(Catalog):
    """A catalog that remembers how many vectors it was asked for at a time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.limits: list[int] = []

    def vectors_after(self, passage: int, limit: int) -> tuple[list[int], NDArray[np.float32]]:
        self.limits.append(limit)
        return super().vectors_after(passage, limit)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=40),
    st.integers(1, 50),
    st.integers(1, 10),
)
def test_any_pages_give_the_same_as_sorting_everything(
    scores: list[int], limit: int, size: int
) -> None:
    every = [(id_, score / 5) for id_, score in enumerate(scores, start=1)]
    pages = [
        (
            [id_ for id_, _ in every[start : start + size]],
            np.array([[score, 0.0] for _, score in every[start : start + size]], np.float32),
        )
        for start in range(0, len(every), size)
    ]
    expected = sorted(every, key=lambda item: (-item[1], item[0]))[:limit]
    found = exact.nearest(pages, VECTOR, limit)
    assert [id_ for id_, _ in found] == [id_ for id_, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected])


def test_vectors_of_another_dimension_are_damage() -> None:
    with pytest.raises(DamagedError, match="dimension 3 are stored, expected 2"):
        exact.nearest([([1], np.ones((1, 3), np.float32))], VECTOR, 5)


def test_pages_cover_the_catalog_in_order(tmp_path: Path) -> None:
    collection = Collection(tmp_path, create=True)
    put(collection, *PAPERS)
    for pages in (
        exact.pages_after(collection.catalog, 0, size=2),
        exact.pages_of(collection.catalog, [1, 2, 3], size=1),
    ):
        held = list(pages)
        assert [id_ for ids, _ in held for id_ in ids] == [1, 2, 3, 4, 5, 6, 7]
        assert max(len(ids) for ids, _ in held) <= 3
    collection.close()


def test_a_search_without_chroma_never_holds_all_vectors(tmp_path: Path) -> None:
    collection = Collection(tmp_path, create=True)
    put(collection, *PAPERS)
    expected = nearest_ids(collection, "theory of mind", 3)
    collection.close()
    shutil.rmtree(tmp_path / CHROMA)
    with collection._locked(timeout_s=1):  # nobody can mend it meanwhile
        reader = Collection(tmp_path, create=False)
        reader.catalog = watched = Watched(reader.catalog.path)
        assert nearest_ids(reader, "theory of mind", 3) == expected
        reader.close()
    assert set(watched.limits) == {exact.PAGE_VECTORS}


def test_what_another_process_mended_is_not_made_again(tmp_path: Path) -> None:
    collection = Collection(tmp_path, create=True)
    put(collection, *PAPERS)
    collection.close()
    shutil.rmtree(tmp_path / CHROMA)
    late, quick = (Collection(tmp_path, create=False) for _ in range(2))
    assert nearest_ids(quick, "theory of mind", 1)
    made = late.chroma
    index, chroma_id, upto = late._mended()  # it saw the loss before the other had mended it
    assert index is not None
    assert (index.id, late.chroma, upto) == (chroma_id, made, 7)
    index.close()
    again, _, _ = late._mended(failed=chroma_id)
    assert again is not None
    assert late.chroma != made, "an index that failed is made anew, however sound it looks"
    again.close()
    for opened in (late, quick):
        opened.close()
