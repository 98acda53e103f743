"""A restore that is killed between its two renames: nothing is lost, and the next one mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.backup.restoring import restore
from rag.errors import CollectionError, NoCollectionError
from rag.store.collection import Collection
from rag.store.replacing import draft_of, put_in_place, refuse_set_aside, set_aside, take_back
from tests.stress.process import Moment, Nursery, Outcome
from tests.stress.restoring import Restoring
from tests.stress.scenario import whole


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


def killed_before_the_last_rename(
    nursery: Nursery, scenario: Restoring, place: Path, whole_run: Outcome
) -> None:
    renames = [n for n, name in enumerate(whole_run.operations, 1) if name == "os.rename"]
    killed = nursery.run(scenario.name, place, Moment(operation=renames[-1]))
    assert not killed.ended
    scenario.look(place, killed.said, ended=False)


def test_a_restore_cut_off_between_its_renames_goes_on(nursery: Nursery, tmp_path: Path) -> None:
    place, scenario = tmp_path / "place", Restoring()
    place.mkdir()
    scenario.prepare(place)
    scenario.change(place)
    first = nursery.run(scenario.name, place)
    scenario.look(place, first.said, ended=True)
    scenario.change(place)
    killed_before_the_last_rename(nursery, scenario, place, first)

    papers = place / "papers"
    aside = set_aside(papers)
    assert aside is not None
    for create in (False, True):  # so that nothing new is begun there either
        with pytest.raises(NoCollectionError, match=rf"is whole in {aside}\. Run the same 'foot"):
            Collection(papers, create=create)
    with pytest.raises(CollectionError, match="--force"):  # it stands there again
        restore(place / "file.zip", papers)
    assert whole(papers) == scenario.before

    killed_before_the_last_rename(nursery, scenario, place, first)
    scenario.change(place)
    last = nursery.run(scenario.name, place)
    assert last.ended
    scenario.look(place, last.said, ended=True)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A collection, and another in a draft beside it."""
    papers = tmp_path / "papers"
    for place, text in ((papers, "old"), (draft_of(papers) / "collection", "new")):
        place.mkdir(parents=True)
        (place / "catalog.sqlite3").write_text(text)
    return papers


def text_at(directory: Path) -> str:
    return (directory / "catalog.sqlite3").read_text()


def test_what_is_replaced_is_set_aside_each_time_under_a_name_of_its_own(papers: Path) -> None:
    first = put_in_place(papers)
    assert first is not None
    assert (text_at(papers), text_at(first)) == ("new", "old")
    (draft_of(papers) / "collection").mkdir()
    second = put_in_place(papers)
    assert second not in (None, first)


def test_a_rename_that_fails_leaves_what_stood_there(papers: Path) -> None:
    (draft_of(papers) / "collection").rename(papers.with_name("gone"))
    with pytest.raises(FileNotFoundError):
        put_in_place(papers)
    assert text_at(papers) == "old"


def test_a_note_counts_only_while_nothing_stands_there(papers: Path) -> None:
    draft = draft_of(papers)
    aside = papers.with_name("papers.replaced-1")
    (draft / "aside").write_text(aside.name)
    assert set_aside(papers) is None  # not yet set aside
    papers.rename(aside)
    assert set_aside(papers) == aside
    papers.mkdir()
    (papers / "mine").touch()
    assert set_aside(papers) is None  # something else stands there
    refuse_set_aside(papers)
    (papers / "mine").unlink()
    take_back(papers)
    assert text_at(papers) == "old"
    take_back(papers)
    assert text_at(papers) == "old"


@pytest.mark.parametrize("note", ["../elsewhere", "", "\0", "nowhere"])
def test_a_note_of_nothing_leads_nowhere(papers: Path, note: str) -> None:
    (draft_of(papers) / "aside").write_text(note)
    papers.rename(papers.with_name("moved"))
    assert set_aside(papers) is None
