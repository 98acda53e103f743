from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.standin import StandInEmbedder
from rag.adding import embed_waiting
from rag.backup.saving import back_up
from rag.errors import (
    DamagedError,
    EmbedderMismatchError,
    EndpointError,
    ForeignError,
    LockedError,
    NoCollectionError,
    StorageError,
    UnknownPaperError,
)
from rag.schema import Filters, Passage, Record
from rag.store.catalog import matrix
from rag.store.collection import CHROMA, Collection
from rag.store.commands import command
from rag.store.database import FILE_NAME
from rag.store.places import IndexHome
from rag.store.soundness import misses, open_sound
from rag.store.vectors import VectorIndex
from tests.makers import GROKKING, MINDS, PAPERS, SIGHT, fill, nearest_ids, put


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(tmp_path / "papers", create=True)


def only(collection: Collection) -> list[str]:
    return [held.paper.id for held in collection.catalog.all_papers()]


class TestTakingRecordsIn:
    def test_a_record_seen_before_is_unchanged(self, collection: Collection) -> None:
        assert put(collection, *PAPERS) == ["added"] * 3
        assert put(collection, *PAPERS) == ["unchanged"] * 3

    def test_the_same_paper_from_two_files_is_one_paper_with_two_sources(
        self, collection: Collection
    ) -> None:
        put(collection, GROKKING)
        assert put(collection, replace(GROKKING, source="other.txt", year=2022)) == ["merged"]
        [held] = collection.catalog.all_papers()
        assert held.paper.sources == ("a.txt", "other.txt")
        assert held.paper.year == 2022

    def test_an_id_depends_on_the_text_alone(self, collection: Collection, tmp_path: Path) -> None:
        other = Collection(tmp_path / "other", create=True)
        put(collection, GROKKING)
        put(
            other,
            SIGHT,
            replace(GROKKING, source="elsewhere", title="GROKKING in small  transformers"),
        )
        assert set(only(collection)) < set(only(other))

    def test_a_changed_abstract_replaces_its_passages(self, collection: Collection) -> None:
        put(collection, GROKKING)
        [before] = only(collection)
        changed = replace(GROKKING, abstract="Networks memorise. Zebrafish then swim away quickly.")
        changed = replace(changed, doi=None, abstract=GROKKING.abstract + " Zebrafish swim.")
        assert put(collection, changed) == ["updated"]
        assert only(collection) == [before]
        assert collection.catalog.counts() == {"papers": 1, "passages": 4, "unembedded": 0}
        assert list(collection.catalog.lexical("zebrafish")) == [1]
        assert nearest_ids(collection, "zebrafish swim") == [before]

    def test_after_an_update_both_versions_are_unchanged(self, collection: Collection) -> None:
        changed = replace(GROKKING, abstract=GROKKING.abstract + " Zebrafish swim.")
        put(collection, GROKKING, changed)
        assert put(collection, GROKKING, changed) == ["unchanged"] * 2

    def test_a_shorter_copy_from_another_file_does_not_replace_an_abstract(
        self, collection: Collection
    ) -> None:
        put(collection, GROKKING)
        cut = replace(GROKKING, abstract=GROKKING.abstract[:90], source="cut.txt")
        assert put(collection, cut) == ["merged"]
        [held] = collection.catalog.all_papers()
        assert held.paper.abstract == GROKKING.abstract

    def test_a_correction_from_the_same_file_counts_to_the_last_sign(
        self, collection: Collection
    ) -> None:
        first = Record("Trial", "It worked (p < 0.05), a drop of -5%.", year=2020, source="t")
        second = replace(first, abstract="It worked (p > 0.05), a drop of 5%.", year=2021)
        put(collection, first)
        assert put(collection, second) == ["updated"]
        [held] = collection.catalog.all_papers()
        assert (held.paper.abstract, held.paper.year) == (second.abstract, 2021)
        assert put(collection, first) == ["updated"], "taking a change back is a change"
        [held] = collection.catalog.all_papers()
        assert held.paper.abstract == first.abstract

    def test_two_versions_in_one_file_do_not_take_turns(self, collection: Collection) -> None:
        other = replace(GROKKING, abstract=GROKKING.abstract + " Zebrafish swim.")
        put(collection, GROKKING, other)
        for _ in range(2):
            assert put(collection, GROKKING, other) == ["unchanged"] * 2

    def test_a_stub_does_not_replace_an_abstract(self, collection: Collection) -> None:
        put(collection, replace(GROKKING, doi="10.1/a"))
        put(collection, replace(GROKKING, doi="10.1/a", abstract="TBA."))
        [held] = collection.catalog.all_papers()
        assert held.paper.abstract == GROKKING.abstract

    def test_a_record_without_doi_does_not_join_papers_with_two(
        self, collection: Collection
    ) -> None:
        one = replace(GROKKING, doi="10.1/a")
        two = replace(GROKKING, doi="10.1/b", abstract=GROKKING.abstract + " And more.")
        put(collection, one, two, replace(GROKKING, source="elsewhere"))
        dois = {held.paper.doi for held in collection.catalog.all_papers()}
        assert dois == {"10.1/a", "10.1/b"}

    def test_a_title_that_two_papers_share_names_neither(self, collection: Collection) -> None:
        one = Record("Editorial", "This issue is about bees and honey.", source="a")
        two = Record("Editorial", "Quarks bind by gluons at low energies.", source="b")
        put(collection, one, two)
        with pytest.raises(UnknownPaperError, match="2 papers are called 'Editorial'"):
            collection.catalog.find("Editorial")

    def test_two_papers_may_share_a_title(self, collection: Collection) -> None:
        one = Record("Editorial", "This issue is about bees and honey.", source="a")
        two = Record("Editorial", "Quarks bind by gluons at low energies.", source="b")
        assert put(collection, one, two) == ["added", "added"]

    def test_two_dois_are_two_papers_even_with_one_text(self, collection: Collection) -> None:
        one, two = replace(GROKKING, doi="10.1/a"), replace(GROKKING, doi="10.1/b")
        assert put(collection, one, two) == ["added", "added"]
        assert len(set(only(collection))) == 2

    def test_one_doi_is_one_paper_whatever_the_title(self, collection: Collection) -> None:
        put(collection, replace(GROKKING, doi="10.1/A"))
        renamed = replace(GROKKING, title="Grokking, revisited", doi="10.1/a", source="x")
        assert put(collection, renamed) == ["merged"]

    def test_papers_that_turn_out_to_be_one_are_joined_and_both_ids_resolve(
        self, collection: Collection
    ) -> None:
        preprint = replace(GROKKING, arxiv_id="2201.00001")
        journal = Record(
            "On delayed generalisation", "A long journal text.", doi="10.1/x", source="j"
        )
        put(collection, preprint, journal)
        first, second = only(collection)
        bridge = replace(preprint, doi="10.1/x", source="bridge")
        assert put(collection, bridge) == ["merged"]
        [held] = collection.catalog.all_papers()
        assert held.paper.id == first
        assert held.paper.doi == "10.1/x"
        assert held.paper.sources == ("a.txt", "j", "bridge")
        for name in (first, second, "10.1/X", "https://doi.org/10.1/x", "arXiv:2201.00001v3"):
            found = collection.catalog.find(name)
            assert found is not None
            assert found.paper.id == first
        assert nearest_ids(collection, "long journal text") == [first]

    def test_removing_a_paper_leaves_nothing_of_it(self, collection: Collection) -> None:
        put(collection, *PAPERS)
        fingerprint = collection.catalog.meta()["fingerprint"]
        put(collection, Record("Extra", "Penguins dive deep in winter.", source="p"))
        found = collection.catalog.find("Extra")
        assert found is not None
        with collection.writing(StandInEmbedder()) as writing:
            writing.catalog.remove(found.number)
        assert collection.catalog.find("Extra") is None
        assert collection.catalog.lexical("penguins") == {}
        assert found.paper.id not in nearest_ids(collection, "penguins dive deep")
        assert collection.catalog.meta()["fingerprint"] == fingerprint
        assert put(collection, Record("Extra", "Penguins dive deep in winter.", source="p")) == [
            "added"
        ]

    def test_the_fingerprint_does_not_depend_on_the_order_of_arrival(self, tmp_path: Path) -> None:
        prints: list[str] = []
        for order in (PAPERS, PAPERS[::-1]):
            collection = Collection(tmp_path / str(len(prints)), create=True)
            put(collection, *order)
            prints.append(collection.catalog.meta()["fingerprint"])
        assert prints[0] == prints[1]


class TestSearchingText:
    def test_rare_words_decide(self, collection: Collection) -> None:
        put(collection, *PAPERS)
        found = collection.catalog.lexical("What is known about theory of mind?")
        [number] = found
        assert collection.catalog.papers([number])[number].paper.title == MINDS.title

    @pytest.mark.parametrize(
        "query",
        ['"', "a AND OR NOT", "NEAR(", "*", "title:x", "-", "what is the", "(", "'; DROP--"],
    )
    def test_no_query_is_taken_for_syntax(self, collection: Collection, query: str) -> None:
        put(collection, *PAPERS)
        collection.catalog.lexical(query)

    def test_filters_fold_case_and_accents(self, collection: Collection) -> None:
        put(
            collection,
            replace(GROKKING, authors=("Jürgen Müller", "B. Two"), year=2021, venue="NeurIPS"),
            replace(SIGHT, authors=("C. Three",), year=2023, venue="ICLR"),
            MINDS,
        )
        match = collection.catalog.matching
        assert match(Filters(author="muller")) == [1]
        assert match(Filters(venue="neurips")) == [1]
        assert match(Filters(year_from=2022)) == [2]
        assert match(Filters(year_from=2021, year_to=2021, source="A.TXT")) == [1]
        assert match(Filters(source="b.txt")) == [3]
        assert match(Filters(author="nobody")) == []


class TestChromaFollowing:
    def test_a_reader_sees_what_another_handle_wrote(self, collection: Collection) -> None:
        put(collection, *PAPERS)
        reader = Collection(collection.directory, create=False)
        nearest_ids(reader, "warm up")
        put(collection, Record("New", "Neutrinos shower the antarctic ice.", source="n"))
        assert nearest_ids(reader, "neutrinos antarctic ice", 1) == [
            held.paper.id for held in [reader.catalog.find("New")] if held
        ]

    def test_without_following_the_reader_still_sees_every_vector(
        self, collection: Collection
    ) -> None:
        put(collection, *PAPERS)
        with collection.writing(StandInEmbedder()) as writing:
            writing.catalog.put([Record("New", "Neutrinos shower the ice.", source="n")])
            held = writing.catalog.unembedded(0, 5)[0]
            from rag.schema import Passage

            vector = StandInEmbedder().embed([held.paper.abstract])
            passage = Passage(0, "", 0, 1, *held.spans[0])
            writing.catalog.put_passages([(held.number, [passage], vector)])
            reader = Collection(collection.directory, create=False)
            assert nearest_ids(reader, "neutrinos ice", 1) == [held.paper.id]

    @pytest.mark.parametrize(
        "damage", ["deleted", "emptied", "garbage", "foreign", "table dropped", "a file"]
    )
    def test_a_lost_or_damaged_index_is_made_again_without_embedding(
        self,
        collection: Collection,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        damage: str,
    ) -> None:
        put(collection, *PAPERS)
        expected = nearest_ids(collection, "theory of mind beliefs")
        collection.close()
        chroma = collection.directory / CHROMA
        if damage == "garbage":
            (collection.chroma / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
        elif damage == "table dropped":
            database = sqlite3.connect(collection.chroma / "chroma.sqlite3")
            database.execute("DROP TABLE embeddings")
            database.commit()
            database.close()
        else:
            shutil.rmtree(chroma)
        if damage == "emptied":
            chroma.mkdir()
        if damage == "a file":
            chroma.write_text("not a directory")
        if damage == "foreign":
            other = Collection(tmp_path / "other", create=True)
            put(other, Record("Other", "Something else entirely here.", source="o"))
            other.close()
            shutil.copytree(other.directory / CHROMA, chroma)
        again = Collection(collection.directory, create=False)
        assert nearest_ids(again, "theory of mind beliefs") == expected
        assert caplog.messages == [
            f"the index of {collection.directory} is missing or damaged; it is made again"
        ]
        again.close()
        assert (
            nearest_ids(Collection(collection.directory, create=False), "theory of mind beliefs")
            == expected
        )

    def test_a_damaged_index_that_cannot_be_made_again_now_is_told_once(
        self, collection: Collection, caplog: pytest.LogCaptureFixture
    ) -> None:
        put(collection, *PAPERS)
        expected = nearest_ids(collection, "theory of mind beliefs")
        collection.close()
        shutil.rmtree(collection.chroma)
        reader = Collection(collection.directory, create=False)
        with collection._locked(timeout_s=1.0):
            assert nearest_ids(reader, "theory of mind beliefs") == expected
        [line] = caplog.messages
        assert "another process is writing to it" in line
        assert line.endswith(f"mend it: {command('rebuild', collection.directory)}")
        reader.close()

    def test_rebuild_makes_both_indexes_again(self, collection: Collection) -> None:
        put(collection, *PAPERS)
        ticks: list[tuple[int, int]] = []
        collection.rebuild(StandInEmbedder(), on_tick=lambda n, of: ticks.append((n, of)))
        assert ticks == [(7, 7)]
        assert len(nearest_ids(collection, "grokking")) == 3

    def test_others_go_on_searching_while_it_is_rebuilt(self, collection: Collection) -> None:
        put(collection, *PAPERS)
        reader = Collection(collection.directory, create=False)
        expected = nearest_ids(reader, "theory of mind beliefs")
        failures: list[BaseException] = []
        stop = threading.Event()

        def search(opened: Collection) -> None:
            try:
                while not stop.is_set():
                    assert nearest_ids(opened, "theory of mind beliefs") == expected
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=search, args=(c,)) for c in (collection, reader)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            collection.rebuild(StandInEmbedder())
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(list((collection.directory / CHROMA).iterdir())) == 1

    def test_a_rebuild_with_an_embedder_that_fails_drops_nothing(
        self, collection: Collection
    ) -> None:
        class Broken(StandInEmbedder):
            def embed_query(self, text: str) -> NDArray[np.float32]:
                raise EndpointError("down")

        put(collection, *PAPERS)
        with pytest.raises(EndpointError):
            collection.rebuild(Broken(), embed=True)
        assert collection.catalog.counts() == {"papers": 3, "passages": 7, "unembedded": 0}

    def test_filters_hold_for_vectors_too(self, collection: Collection) -> None:
        put(collection, replace(GROKKING, year=2020), replace(SIGHT, year=2024))
        vector = StandInEmbedder().embed_query("networks memorise")
        assert collection.nearest(vector, 5, [2]) == [2]

    def test_many_threads_search_while_one_writes(self, collection: Collection) -> None:
        put(collection, *PAPERS)
        failures: list[BaseException] = []
        stop = threading.Event()

        def search() -> None:
            try:
                while not stop.is_set():
                    assert nearest_ids(collection, "theory of mind", 3)
            except BaseException as error:
                failures.append(error)
            finally:
                collection.catalog.close()

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        for n in range(10):
            put(collection, Record(f"Paper {n}", f"Topic number {n} is studied here.", source="t"))
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []


class TestRefusing:
    def test_another_embedder_is_refused_by_name(self, collection: Collection) -> None:
        put(collection, GROKKING)
        other = StandInEmbedder(16)
        with pytest.raises(
            EmbedderMismatchError, match=r"dimension 384.*stand-in-16.*rebuild --embed"
        ):
            collection.check_embedder(other)
        with pytest.raises(EmbedderMismatchError), collection.writing(other):
            pass

    def test_embedding_anew_accepts_another_embedder(self, collection: Collection) -> None:
        put(collection, *PAPERS)
        other = StandInEmbedder(16)
        collection.rebuild(other, embed=True)
        with collection.writing(other) as writing:
            fill(writing, other)
        vector = other.embed_query("theory of mind beliefs")
        best = collection.catalog.papers(collection.nearest(vector, 1))
        assert [held.paper.title for held in best.values()] == [MINDS.title]

    def test_a_model_that_changed_under_its_name_changes_nothing(
        self, collection: Collection
    ) -> None:
        class Endpoint(StandInEmbedder):
            name = "openai:m"

            def __init__(self, dimension: int) -> None:
                super().__init__(dimension)
                self.checksum = self.name

        def add(dimension: int, title: str) -> None:
            embedder = Endpoint(dimension)
            with collection.writing(embedder) as writing:
                writing.catalog.put([Record(title, "Bees dance. Flowers wait.", source="t")])
                embed_waiting(collection, writing, embedder, lambda *_: None, lambda *_: None)

        add(8, "One")
        with pytest.raises(
            EmbedderMismatchError, match=r"dimension 8\), in use is .* dimension 16"
        ):
            add(16, "Two")
        assert collection.catalog.meta()["dimension"] == "8"
        assert collection.nearest(Endpoint(8).embed_query("bees"), 5) == [1]
        add(8, "Three")
        assert collection.catalog.counts()["unembedded"] == 0

    def test_a_vector_that_does_not_fit_is_not_stored(self, collection: Collection) -> None:
        put(collection, GROKKING)
        with collection.writing(StandInEmbedder()) as writing:
            writing.catalog.put([SIGHT])
            [held] = writing.catalog.unembedded(0, 9)
            passage = Passage(0, "", 0, 1, *held.spans[0])
            with pytest.raises(EmbedderMismatchError, match="dimension 3 does not fit"):
                writing.catalog.put_passages(
                    [(held.number, [passage], np.ones((1, 3), np.float32))]
                )
        assert collection.catalog.counts()["passages"] == 3

    def test_vectors_of_several_lengths_are_damage(self) -> None:
        with pytest.raises(DamagedError, match=r"32 to 64 bytes.*rebuild --embed"):
            matrix([(1, bytes(32)), (2, bytes(64))])

    def test_a_name_that_no_file_can_hold_is_nobodys(self, collection: Collection) -> None:
        put(collection, GROKKING)
        assert collection.catalog.find("\udcff") is None
        for field in ("author", "venue", "source"):
            assert collection.catalog.matching(Filters(**{field: "\udcff"})) == []  # type: ignore[arg-type]

    def test_years_beyond_all_numbers_are_years(self, collection: Collection) -> None:
        put(collection, replace(GROKKING, year=2020))
        far = 10**30
        assert collection.catalog.matching(Filters(year_from=-far, year_to=far)) == [1]
        assert collection.catalog.matching(Filters(year_from=far)) == []

    def test_a_catalog_that_took_the_place_of_another_is_the_one_that_is_read(
        self, collection: Collection, tmp_path: Path
    ) -> None:
        put(collection, GROKKING)
        assert collection.catalog.counts()["papers"] == 1
        other = Collection(tmp_path / "other", create=True)
        put(other, *PAPERS)
        other.close()
        collection.close()
        assert collection.catalog.counts()["papers"] == 1  # a connection is open and idle
        for path in collection.directory.glob("catalog.sqlite3-*"):
            path.unlink()
        (other.directory / FILE_NAME).replace(collection.directory / FILE_NAME)
        assert collection.catalog.counts()["papers"] == 3
        (collection.directory / FILE_NAME).unlink()
        with pytest.raises(StorageError):
            collection.catalog.counts()

    def test_a_second_writer_is_told(self, collection: Collection) -> None:
        with (
            collection.writing(StandInEmbedder()),
            pytest.raises(LockedError, match="another process is writing"),
            Collection(collection.directory, create=False).writing(StandInEmbedder(), 0.05),
        ):
            pass

    def test_a_writer_that_waits_says_so_once(
        self,
        collection: Collection,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr("rag.store.collection.SILENT_S", 0.01)
        with (
            collection.writing(StandInEmbedder()),
            pytest.raises(LockedError, match=r"waited 0\.05 s"),
            Collection(collection.directory, create=False).writing(StandInEmbedder(), 0.05),
        ):
            pass
        assert caplog.messages == [
            f"waiting for another process that writes to {collection.directory}"
        ]

    @pytest.mark.parametrize("create", [False, True])
    def test_where_only_the_catalog_is_gone_the_last_backup_is_named(
        self, collection: Collection, tmp_path: Path, create: bool
    ) -> None:
        put(collection, *PAPERS)
        collection.close()
        file = tmp_path / "mine of today.zip"
        back_up(collection.directory, file)
        (collection.directory / FILE_NAME).unlink()
        with pytest.raises(NoCollectionError, match=r"the catalog of .* is gone") as told:
            Collection(collection.directory, create=create)
        said = str(told.value)
        assert shlex.split(said[said.index("footnoted restore") :]) == [
            "footnoted", "restore", str(file), "--collection", str(collection.directory)
        ]  # fmt: skip

    def test_a_missing_collection_is_not_made_by_reading(self, tmp_path: Path) -> None:
        with pytest.raises(NoCollectionError, match="footnoted add"):
            Collection(tmp_path / "none", create=False)
        assert not (tmp_path / "none").exists()

    def test_a_foreign_directory_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("mine")
        with pytest.raises(ForeignError, match=r"thesis\.tex"):
            Collection(tmp_path, create=True)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    @pytest.mark.parametrize("name", ["chroma", "catalog.csv"])
    def test_nobody_elses_files_are_taken_for_ours(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("precious")
        with pytest.raises(ForeignError, match=name):
            Collection(tmp_path, create=True)
        assert (tmp_path / name / "mine").read_text() == "precious"

    def test_a_foreign_database_is_left_alone(self, tmp_path: Path) -> None:
        sqlite3.connect(tmp_path / FILE_NAME).execute("CREATE TABLE t(x)").connection.close()
        with pytest.raises(ForeignError, match="not a Footnoted catalog"):
            Collection(tmp_path, create=True)

    def test_a_newer_layout_is_left_alone(self, collection: Collection) -> None:
        connection = sqlite3.connect(collection.directory / FILE_NAME)
        connection.execute("PRAGMA user_version=99")
        connection.close()
        with pytest.raises(ForeignError, match="layout 99"):
            Collection(collection.directory, create=False)

    def test_a_catalog_of_garbage_is_called_damaged(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 500)
        with pytest.raises(DamagedError, match="backup"):
            Collection(tmp_path, create=False)

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError, match="nothing stored is lost"):
            Collection(tmp_path / "file" / "papers", create=True)

    def test_what_fails_midway_leaves_the_catalog_as_it_was(self, collection: Collection) -> None:
        put(collection, GROKKING)
        broken = replace(SIGHT, year="not a year", authors=({1, 2},))  # type: ignore[arg-type]
        with pytest.raises(TypeError), collection.writing(StandInEmbedder()) as writing:
            writing.catalog.put([MINDS, broken])
        assert collection.catalog.counts()["papers"] == 1


def test_threads_that_end_leave_no_connection_open(collection: Collection) -> None:
    put(collection, *PAPERS)
    open_files = Path("/proc/self/fd")
    before = len(list(open_files.iterdir())) if open_files.exists() else 0
    for _ in range(20):
        thread = threading.Thread(target=collection.catalog.counts)
        thread.start()
        thread.join()
    if before:
        assert len(list(open_files.iterdir())) <= before + 4


def put_until_it_fails(collection: Collection) -> None:
    for n in range(4000):
        put(collection, Record(f"Paper {n}", f"Topic {n} is studied. " * 40, source="t"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a disk that is soon full")
@pytest.mark.parametrize("kilobytes", [1200, 2400, 3200])
def test_a_full_disk_ends_in_words_and_loses_nothing(tmp_path: Path, kilobytes: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        collection = Collection(disk / "papers", create=True)
        put(collection, *PAPERS)
        with pytest.raises(StorageError):
            put_until_it_fails(collection)
        held = collection.catalog.counts()["papers"]
        assert held >= 3
        assert nearest_ids(collection, "theory of mind beliefs", 1)
        collection.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_an_unknown_paper_is_none_and_the_error_names_the_command(collection: Collection) -> None:
    assert collection.catalog.find("nope") is None
    assert "footnoted" in str(UnknownPaperError("see 'footnoted papers'"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user who may not write")
def test_a_read_only_collection_can_be_searched(collection: Collection) -> None:
    put(collection, *PAPERS)
    collection.close()
    for path in [collection.directory, *collection.directory.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in collection.directory.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setuid(65534)
            reader = Collection(collection.directory, create=False)
            code = 0 if len(nearest_ids(reader, "theory of mind")) == 3 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


class TestAnIndexThatFails:
    """What a search does when Chroma fails although the index looks whole."""

    def _failing(self, monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
        """Let the next questions for five papers fail; returns how many were put."""
        asked: list[int] = []
        nearest = VectorIndex.nearest

        def asked_in_vain(self: VectorIndex, vector: NDArray[np.float32], limit: int) -> list[int]:
            if limit == 5:
                asked.append(limit)
                if len(asked) <= times:
                    raise StorageError("database is locked")
            return nearest(self, vector, limit)

        monkeypatch.setattr(VectorIndex, "nearest", asked_in_vain)
        return asked

    def test_one_failure_makes_nothing_anew(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        collection = Collection(tmp_path / "c", create=True)
        put(collection, *PAPERS)
        place = collection.place
        asked = self._failing(monkeypatch, times=1)
        vector = StandInEmbedder().embed_query("theory of mind")
        assert len(collection.nearest(vector, 5)) == 3
        assert len(asked) == 2
        assert collection.place == place
        collection.close()

    def test_what_fails_again_and_again_is_made_anew_once_and_then_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = IndexHome(rest_s=0.0)
        collection = Collection(tmp_path / "c", create=True, home=home)
        put(collection, *PAPERS)
        asked = self._failing(monkeypatch, times=1_000)
        vector = StandInEmbedder().embed_query("theory of mind")
        for _ in range(3):
            assert len(collection.nearest(vector, 5)) == 3  # exactly, from the catalog
        assert collection.catalog.meta()["chroma_directory"] == "2"
        assert len(asked) == 9
        collection.home = IndexHome(rest_s=60.0)
        for _ in range(3):
            assert len(collection.nearest(vector, 5)) == 3
        assert len(asked) == 12
        collection.close()

    def test_a_search_does_not_wait_for_one_that_makes_it_anew(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rag.store.collection.ASKED_FOR_S", 0.01)
        collection = Collection(tmp_path / "c", create=True)
        put(collection, *PAPERS)
        vector = StandInEmbedder().embed_query("theory of mind")
        with collection._lock_for_index:
            assert len(collection.nearest(vector, 5)) == 3
        collection.close()


def test_the_sample_of_an_index_lies_among_the_ids_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = Collection(tmp_path / "c", create=True)
    put(collection, *[Record(f"Paper {n}", f"It has the number {n}.") for n in range(40)])
    for _ in range(3):
        collection.rebuild(StandInEmbedder(), embed=True)
        with collection.writing(StandInEmbedder()) as writing:
            embed_waiting(collection, writing, StandInEmbedder(), lambda *_: None, lambda *_: None)
    index = open_sound(collection.catalog, collection.place)
    assert index is not None
    asked: list[int] = []
    nearest = VectorIndex.nearest

    def noted(self: VectorIndex, vector: NDArray[np.float32], limit: int) -> list[int]:
        found = nearest(self, vector, limit)
        asked.append(found[0])
        return found

    monkeypatch.setattr(VectorIndex, "nearest", noted)
    assert misses(index, collection.catalog, collection.catalog.last_passage()) == 0
    assert len(set(asked)) == len(asked) >= 16
    index.close()
    collection.close()


def test_papers_put_together_are_one_segment_of_the_full_text_index(
    collection: Collection,
) -> None:
    # FTS5 writes one out at every savepoint: adding then spends a quarter of its time merging.
    records = [replace(GROKKING, title=f"Paper {n}", doi=f"10.1000/{n}") for n in range(60)]
    assert put(collection, *records) == ["added"] * 60
    connection = sqlite3.connect(collection.directory / FILE_NAME)
    rows = connection.execute("SELECT DISTINCT segid FROM papers_fts_idx").fetchall()
    connection.close()
    assert len(rows) == 1
    assert len(collection.catalog.lexical("grokking")) == 60
