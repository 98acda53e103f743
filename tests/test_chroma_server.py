"""Collections whose index is on a Chroma server, beside collections that have it at home."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.backup.restoring import restore
from rag.backup.saving import back_up
from rag.errors import SettingError, StorageError, UnreachableError
from rag.health import Finding, examine
from rag.schema import Record
from rag.store.collection import CHROMA, Collection
from rag.store.commands import command
from rag.store.places import OWN_DIRECTORY, IndexHome, ServerPlace, new_place
from rag.store.vectors import VectorIndex, erase
from tests.chroma_server import ChromaServer, Gateway, free_port
from tests.makers import MINDS, PAPERS, nearest_ids, put
from tests.test_cli import fine, footnoted

TOKEN = "s3cret-t0ken-0123456789"
QUESTION = "theory of mind beliefs"
NEW = Record("New", "Neutrinos shower the antarctic ice.", source="n")


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    server = ChromaServer(tmp_path_factory.mktemp("chroma") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["local", "server"])
def home(request: pytest.FixtureRequest, chroma: ChromaServer) -> IndexHome:
    return IndexHome(chroma.url) if request.param == "server" else OWN_DIRECTORY


def on(server: ChromaServer) -> IndexHome:
    return IndexHome(server.url)


def name_of(collection: Collection) -> str:
    assert isinstance(collection.place, ServerPlace)
    return collection.place.name


def chroma_finding(collection: Collection) -> Finding:
    return {found.check: found for found in examine(collection, StandInEmbedder())}["chroma"]


def filled(directory: Path, home: IndexHome = OWN_DIRECTORY) -> Collection:
    collection = Collection(directory, create=True, home=home)
    put(collection, *PAPERS)
    return collection


def in_files(directory: Path, text: str) -> list[Path]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if text.encode() in path.read_bytes()]


class TestBothPlaces:
    """The same scenarios, whether the index is at home or on a server."""

    def test_what_is_added_is_found_and_what_is_removed_is_not(
        self, tmp_path: Path, home: IndexHome
    ) -> None:
        with (
            closing(filled(tmp_path, home)) as writer,
            closing(Collection(tmp_path, create=False)) as reader,
        ):
            [held] = [h for h in writer.catalog.all_papers() if h.paper.title == MINDS.title]
            for collection in (writer, reader):
                assert nearest_ids(collection, QUESTION)[0] == held.paper.id
            with writer.writing(StandInEmbedder()) as writing:
                writing.catalog.remove(held.number)
            put(writer, NEW)
            added = writer.catalog.find("New")
            assert added is not None
            for collection in (writer, reader):
                assert held.paper.id not in nearest_ids(collection, QUESTION, 10)
                assert nearest_ids(collection, "neutrinos ice", 1) == [added.paper.id]
            assert chroma_finding(writer).well

    def test_a_rebuild_makes_another_index_and_erases_the_old_one(
        self, tmp_path: Path, home: IndexHome, chroma: ChromaServer
    ) -> None:
        with closing(filled(tmp_path, home)) as collection:
            expected, before = nearest_ids(collection, QUESTION), collection.place
            held = len(chroma.names())
            collection.rebuild(StandInEmbedder())
            assert collection.place != before
            assert nearest_ids(collection, QUESTION) == expected
            assert len(chroma.names()) == held
            assert [path.name for path in (tmp_path / CHROMA).iterdir()] == ["2"]

    def test_what_chroma_missed_is_found_and_comes_after(
        self, tmp_path: Path, home: IndexHome
    ) -> None:
        with closing(filled(tmp_path, home)) as collection:
            expected = nearest_ids(collection, QUESTION)
            with closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as database, database:
                database.execute("UPDATE meta SET value = '3' WHERE key = 'indexed_upto'")
            with closing(Collection(tmp_path, create=False)) as reader:
                assert nearest_ids(reader, QUESTION) == expected
            put(collection, NEW)
            assert collection.catalog.meta()["indexed_upto"] == "8"
            assert chroma_finding(collection).well

    def test_what_chroma_holds_beyond_its_mark_counts_once(
        self, tmp_path: Path, home: IndexHome
    ) -> None:
        words = ("alpha", "beta", "theory of mind", "beliefs of a mind")
        records = [Record(word, f"This is about {word}.", source="s") for word in words]
        with closing(Collection(tmp_path, create=True, home=home)) as collection:
            put(collection, *records)
            with closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as database, database:
                database.execute("UPDATE meta SET value = '2' WHERE key = 'indexed_upto'")
            with closing(Collection(tmp_path, create=False)) as reader:
                assert len(nearest_ids(reader, QUESTION, limit=4)) == 4

    def test_an_older_catalog_that_was_put_back_misses_nothing(
        self, tmp_path: Path, home: IndexHome
    ) -> None:
        papers, older = tmp_path / "papers", tmp_path / "older"
        with closing(filled(papers, home)) as collection:
            expected = nearest_ids(collection, QUESTION)
            [first, *_] = [held.number for held in collection.catalog.all_papers()]
        shutil.copytree(papers, older)
        with closing(Collection(papers, create=False)) as collection:
            with collection.writing(StandInEmbedder()) as writing:
                writing.catalog.remove(first)
            put(collection, *(Record(f"{n}", f"Topic {n} of many.", source="n") for n in range(9)))
        for path in papers.glob("catalog.sqlite3*"):
            path.unlink()
        for path in older.glob("catalog.sqlite3*"):
            shutil.copy(path, papers)
        with closing(Collection(papers, create=False)) as collection:
            assert "vectors, the catalog has 7" in chroma_finding(collection).detail
            assert nearest_ids(collection, QUESTION) == expected
            put(collection, NEW)
            assert nearest_ids(collection, QUESTION)[:3] == expected[:3]
            assert chroma_finding(collection).well

    def test_others_go_on_searching_while_one_writes_and_rebuilds(
        self, tmp_path: Path, home: IndexHome
    ) -> None:
        with (
            closing(filled(tmp_path, home)) as writer,
            closing(Collection(tmp_path, create=False)) as reader,
        ):
            [first, *_] = nearest_ids(reader, QUESTION)
            failures: list[BaseException] = []
            stop = threading.Event()

            def search(collection: Collection) -> None:
                try:
                    while not stop.is_set():
                        assert nearest_ids(collection, QUESTION)[0] == first
                except BaseException as error:
                    failures.append(error)
                finally:
                    collection.catalog.close()

            threads = [threading.Thread(target=search, args=(c,)) for c in (writer, reader)]
            for thread in threads:
                thread.start()
            for n in range(3):
                put(writer, Record(f"Paper {n}", f"Topic number {n} is studied.", source="t"))
                writer.rebuild(StandInEmbedder())
            stop.set()
            for thread in threads:
                thread.join()
            assert failures == []

    # Words of a sentence of their own, so that no two papers are as near.
    words = st.integers(0, 11).map(lambda n: f"{'abcdefghijkl'[n] * 5} studies topic{n}.")
    steps = st.lists(st.tuples(st.sampled_from(["put", "remove", "rebuild", "move"]), words))

    @settings(
        max_examples=8,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(steps=steps)
    def test_after_any_changes_a_search_finds_what_is_held_nearest_first(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        home: IndexHome,
        chroma: ChromaServer,
        steps: list[tuple[str, str]],
    ) -> None:
        directory = tmp_path_factory.mktemp("any")
        with (
            closing(Collection(directory, create=True, home=home)) as writer,
            closing(Collection(directory, create=False)) as reader,
        ):
            held: set[str] = set()
            for step, text in steps:
                title = f"About {text}"
                if step == "put":
                    put(writer, Record(title, text, source="s"))
                    held.add(title)
                elif step == "remove" and (found := writer.catalog.find(title)) is not None:
                    with writer.writing(StandInEmbedder()) as writing:
                        writing.catalog.remove(found.number)
                    held.discard(title)
                elif step == "rebuild":
                    writer.rebuild(StandInEmbedder())
                elif step == "move":
                    there = isinstance(writer.place, ServerPlace)
                    writer.rebuild(StandInEmbedder(), home=OWN_DIRECTORY if there else on(chroma))
                for collection in (writer, reader):
                    ids = nearest_ids(collection, text, 20)
                    names = [p.paper.title for p in map(collection.catalog.find, ids) if p]
                    assert set(names) == held
                    assert len(names) == len(held)
                    assert title not in held or names[0] == title
            writer.rebuild(StandInEmbedder(), home=OWN_DIRECTORY)


def test_a_reader_follows_what_a_server_holds_by_now(tmp_path: Path, chroma: ChromaServer) -> None:
    with (
        closing(filled(tmp_path, on(chroma))) as writer,
        closing(Collection(tmp_path, create=False)) as reader,
    ):
        nearest_ids(reader, QUESTION)
        put(writer, NEW)
        nearest_ids(reader, QUESTION)
        assert reader._upto == 8, "only what lies beyond is searched in the catalog"


def test_vectors_are_sent_in_requests_that_a_proxy_takes(
    tmp_path: Path, chroma: ChromaServer
) -> None:
    with Gateway("pass", chroma.url, most_bytes=1_000_000) as gateway:
        place = new_place(tmp_path / "1", gateway.url, IndexHome(gateway.url))
        with closing(VectorIndex(place, create=True)) as index:
            vectors = np.random.default_rng(7).standard_normal((300, 3072), np.float32)
            index.upsert(range(300), vectors)
            assert index.count() == 300
            assert index.nearest(vectors[123], 1) == [123]
        erase(place)


class TestMoving:
    def test_an_index_moves_to_a_server_and_back_and_nothing_is_embedded(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        embedder = StandInEmbedder()
        with (
            closing(filled(tmp_path)) as collection,
            closing(Collection(tmp_path, create=False)) as reader,
        ):
            expected = nearest_ids(reader, QUESTION)
            before = chroma.names()
            collection.rebuild(embedder, home=on(chroma))
            assert chroma.names() - before == {name_of(collection)}
            assert [path.is_file() for path in (tmp_path / CHROMA).iterdir()] == [True]
            assert nearest_ids(reader, QUESTION) == expected
            assert chroma_finding(collection).detail == (
                f"7 vectors at the Chroma server at {chroma.url}"
            )
            collection.rebuild(embedder, home=OWN_DIRECTORY)
            assert chroma.names() == before
            assert [path.is_dir() for path in (tmp_path / CHROMA).iterdir()] == [True]
            assert nearest_ids(reader, QUESTION) == expected
            assert embedder.embedded == 0

    def test_two_collections_on_one_server_have_nothing_in_common(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        with (
            closing(filled(tmp_path / "a", on(chroma))) as one,
            closing(Collection(tmp_path / "b", create=True, home=on(chroma))) as other,
        ):
            put(other, NEW)
            assert name_of(one) != name_of(other)
            expected = nearest_ids(one, QUESTION)
            assert len(nearest_ids(other, QUESTION)) == 1
            other.rebuild(StandInEmbedder(), home=OWN_DIRECTORY)
            assert nearest_ids(one, QUESTION) == expected
            assert chroma_finding(one).well

    def test_a_copied_collection_gets_an_index_of_its_own_and_asks_no_server(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        with (
            Gateway("pass", chroma.url) as gateway,
            closing(filled(tmp_path / "a", IndexHome(gateway.url))) as original,
        ):
            expected, kept = nearest_ids(original, QUESTION), name_of(original)
            asked = len(gateway.requests)
            shutil.copytree(tmp_path / "a", tmp_path / "b")  # times and all
            with closing(Collection(tmp_path / "b", create=False)) as copy:
                assert nearest_ids(copy, QUESTION) == expected
                put(copy, NEW)
                copy.rebuild(StandInEmbedder())
                assert isinstance(copy.place, Path)
            assert len(gateway.requests) == asked
            shutil.copytree(tmp_path / "a", tmp_path / "c")
            with closing(
                Collection(tmp_path / "c", create=False, home=IndexHome(gateway.url))
            ) as copy:
                copy.rebuild(StandInEmbedder())
                assert name_of(copy) != kept
                copy.rebuild(StandInEmbedder(), home=OWN_DIRECTORY)
            assert kept in chroma.names()
            assert nearest_ids(original, QUESTION) == expected
            assert chroma_finding(original).well

    def test_a_collection_that_is_renamed_keeps_its_index(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        with closing(filled(tmp_path / "a", on(chroma))) as collection:
            kept = name_of(collection)
        (tmp_path / "a").rename(tmp_path / "b")
        with closing(Collection(tmp_path / "b", create=False)) as renamed:
            assert name_of(renamed) == kept
            assert chroma_finding(renamed).well

    def test_a_restored_collection_has_its_index_at_home(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        with closing(filled(tmp_path / "a", on(chroma))) as original:
            back_up(tmp_path / "a", tmp_path / "a.zip")
            with zipfile.ZipFile(tmp_path / "a.zip") as file:
                assert not any(chroma.url.encode() in file.read(name) for name in file.namelist())
            expected, kept = nearest_ids(original, QUESTION), name_of(original)
            restored = restore(tmp_path / "a.zip", tmp_path / "b")
            assert restored.index_problem is None
            with closing(Collection(tmp_path / "b", create=False)) as collection:
                assert isinstance(collection.place, Path)
                assert nearest_ids(collection, QUESTION) == expected
                collection.rebuild(StandInEmbedder())
            assert kept in chroma.names()
            assert chroma_finding(original).well

    def test_what_a_killed_rebuild_left_on_the_server_is_deleted_by_the_next(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        before = chroma.names()
        with closing(filled(tmp_path, on(chroma))) as collection:
            was = collection.catalog.meta()

            def killed(done: int, total: int) -> None:
                raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                collection.rebuild(StandInEmbedder(), on_tick=killed)
            assert collection.catalog.meta() == was
            assert len(chroma.names() - before) == 2
            collection.rebuild(StandInEmbedder())
            assert chroma.names() - before == {name_of(collection)}


class TestTrouble:
    def test_a_server_that_dies_is_done_without_and_caught_up_with(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = ChromaServer(tmp_path / "data")
        server.start()
        try:
            home = IndexHome(server.url, rest_s=0.0)
            with closing(filled(tmp_path / "papers", home)) as collection:
                expected = nearest_ids(collection, QUESTION)
                server.stop()
                assert nearest_ids(collection, QUESTION) == expected
                assert "searching without Chroma" in caplog.text
                with pytest.raises(UnreachableError, match="cannot be reached") as told:
                    put(collection, NEW)
                at_home = command("rebuild", collection.directory, "--chroma", "local")
                for said in (server.url, at_home, "Nothing is lost"):
                    assert said in str(told.value)
                added = collection.catalog.find("New")
                assert added is not None
                assert nearest_ids(collection, "neutrinos ice", 1) == [added.paper.id]
                finding = chroma_finding(collection)
                assert "cannot be reached" in finding.detail
                assert at_home not in finding.detail
                assert finding.remedy == f"start the Chroma server, or {at_home}"
                server.start()
                assert chroma_finding(collection).detail == "1 passages behind the catalog"
                put(collection, Record("More", "Zebrafish swim.", source="n"))
                assert collection.catalog.meta()["indexed_upto"] == "9"
                assert chroma_finding(collection).well
                assert nearest_ids(collection, "neutrinos ice", 1) == [added.paper.id]
        finally:
            server.stop()

    def test_a_dead_server_is_left_for_a_place_at_home(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = ChromaServer(tmp_path / "data")
        server.start()
        try:
            with closing(filled(tmp_path / "papers", on(server))) as collection:
                expected, left = nearest_ids(collection, QUESTION), name_of(collection)
                server.stop()
                caplog.clear()
                collection.rebuild(StandInEmbedder(), home=OWN_DIRECTORY)
                [line] = caplog.messages
                assert line.endswith(f"so it keeps {left}, which nobody uses")
                assert "footnoted rebuild" not in line
                assert chroma_finding(collection).detail == "7 vectors"
                assert nearest_ids(collection, QUESTION) == expected
                server.start()
                assert server.names() == {left}
        finally:
            server.stop()

    @pytest.mark.parametrize("reopened", [False, True])
    def test_an_index_that_was_deleted_on_the_server_is_made_again(
        self, tmp_path: Path, chroma: ChromaServer, reopened: bool
    ) -> None:
        with closing(filled(tmp_path, on(chroma))) as collection:
            expected, lost = nearest_ids(collection, QUESTION), name_of(collection)
            chroma.drop(lost)
            assert "has no index of use" in chroma_finding(collection).detail
            assert chroma_finding(collection).remedy == command("rebuild", tmp_path)
            if reopened:
                collection.close()
            assert nearest_ids(collection, QUESTION) == expected
            assert name_of(collection) != lost
            assert name_of(collection) in chroma.names()
            assert chroma_finding(collection).well

    def test_another_index_under_the_same_name_is_not_believed(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        import httpx

        with closing(filled(tmp_path, on(chroma))) as collection:
            expected, name = nearest_ids(collection, QUESTION), name_of(collection)
            chroma.drop(name)
            path = "/api/v2/tenants/default_tenant/databases/default_database/collections"
            httpx.post(chroma.url + path, json={"name": name}, timeout=30).raise_for_status()
            assert chroma_finding(collection).remedy == command("rebuild", tmp_path)
            with closing(Collection(tmp_path, create=False)) as reader:
                assert nearest_ids(reader, QUESTION) == expected
                assert name_of(reader) != name

    @pytest.mark.parametrize(
        ("mode", "said"),
        [
            ("html", "does not answer as Chroma does"),
            ("empty", "does not answer as Chroma does"),
            ("404", "does not answer as Chroma does (HTTP 404"),
            ("502", "does not answer as Chroma does (HTTP 502"),
            ("307", "does not answer as Chroma does (HTTP 307"),
            ("401", "asks for a token: set FOOTNOTED_CHROMA_TOKEN (HTTP 401)"),
            ("hang", "gave no answer in time"),
        ],
    )
    def test_a_server_that_is_something_else_is_told_and_done_without(
        self, tmp_path: Path, chroma: ChromaServer, mode: str, said: str
    ) -> None:
        with Gateway("pass", chroma.url) as gateway:
            home = IndexHome(gateway.url, answer_s=0.2 if mode == "hang" else 60.0)
            with closing(filled(tmp_path, IndexHome(gateway.url))) as collection:
                expected, held = nearest_ids(collection, QUESTION), collection.catalog.meta()
            gateway.mode = mode
            with closing(Collection(tmp_path, create=False, home=home)) as reader:
                assert nearest_ids(reader, QUESTION) == expected
                finding = chroma_finding(reader)
                assert said in finding.detail
                with pytest.raises(UnreachableError) as told:
                    put(reader, NEW)
                assert said in str(told.value)
                assert reader.catalog.meta()["chroma_id"] == held["chroma_id"]

    def test_a_server_that_is_down_is_not_asked_again_by_the_next_search(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        with (
            Gateway("pass", chroma.url) as gateway,
            closing(filled(tmp_path, IndexHome(gateway.url))),
        ):
            home = IndexHome(gateway.url, answer_s=0.2, rest_s=3600.0)
            with closing(Collection(tmp_path, create=False, home=home)) as reader:
                gateway.mode = "hang"
                expected = nearest_ids(reader, QUESTION)
                asked = len(gateway.requests)
                assert nearest_ids(reader, QUESTION) == expected
                assert len(gateway.requests) == asked
                gateway.mode = "pass"
                put(reader, NEW)
                asked = len(gateway.requests)
                assert nearest_ids(reader, QUESTION)[0] == expected[0]
                assert len(gateway.requests) > asked, "it answered a writer: it is asked again"

    def test_nothing_is_made_for_a_server_that_is_not_there(self, tmp_path: Path) -> None:
        home = IndexHome(f"http://127.0.0.1:{free_port()}")
        with pytest.raises(UnreachableError, match="cannot be reached"):
            Collection(tmp_path / "papers", create=True, home=home)
        assert not (tmp_path / "papers").exists()

    def test_a_first_index_that_cannot_be_made_leaves_what_was_added(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        home = IndexHome(f"http://127.0.0.1:{free_port()}")
        Collection(tmp_path, create=True).close()
        with closing(Collection(tmp_path, create=False, home=home)) as collection:
            with pytest.raises(StorageError, match="cannot be reached"):
                put(collection, *PAPERS)
            assert collection.catalog.counts() == {"papers": 3, "passages": 7, "unembedded": 0}
            assert len(nearest_ids(collection, QUESTION)) == 3
            collection.rebuild(StandInEmbedder(), home=OWN_DIRECTORY)
            assert caplog.messages == [], "no index was left there"
            assert chroma_finding(collection).detail == "7 vectors"
            assert [path.name for path in (tmp_path / CHROMA).iterdir()] == ["1"]

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "7", '{"server": 1}', '{"server": "URL", "key": "k"}', "0" * 9000]
    )
    def test_a_note_that_was_written_by_others_is_not_believed(
        self, tmp_path: Path, chroma: ChromaServer, text: str
    ) -> None:
        with Gateway("html") as elsewhere, closing(filled(tmp_path, on(chroma))) as collection:
            expected = nearest_ids(collection, QUESTION)
            collection.chroma.write_text(text.replace("URL", elsewhere.url))
            with closing(Collection(tmp_path, create=False)) as reader:
                assert nearest_ids(reader, QUESTION) == expected
                assert isinstance(reader.place, Path)
                assert chroma_finding(reader).detail == "7 vectors"
            assert elsewhere.requests == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user who may not write")
    def test_who_may_not_write_asks_the_server_all_the_same(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        directory = tmp_path / "papers"
        with Gateway("pass", chroma.url) as gateway:
            filled(directory, IndexHome(gateway.url)).close()
            for path in [directory, *directory.rglob("*")]:
                path.chmod(0o555 if path.is_dir() else 0o444)
            for parent in directory.parents:
                if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
                    parent.chmod(parent.stat().st_mode | 0o055)
            asked = len(gateway.requests)
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    os.setuid(65534)
                    reader = Collection(directory, create=False)
                    code = 0 if len(nearest_ids(reader, QUESTION)) == 3 else 2
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
            assert gateway.requests[asked:][-1][1].endswith("/query")


class TestTheToken:
    def test_it_is_sent_with_every_request_and_kept_nowhere(
        self, tmp_path: Path, chroma: ChromaServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with Gateway("pass", chroma.url, token=TOKEN) as gateway:
            home = IndexHome(gateway.url, token=TOKEN)
            with closing(filled(tmp_path, home)) as collection:
                nearest_ids(collection, QUESTION)
                collection.rebuild(StandInEmbedder())
                assert chroma_finding(collection).well
                assert TOKEN not in repr((home, collection.place))
            assert {given for _, _, given in gateway.requests} == {f"Bearer {TOKEN}"}
            assert in_files(tmp_path, TOKEN) == []
            with closing(Collection(tmp_path, create=False)) as without:
                assert "asks for a token: set FOOTNOTED_CHROMA_TOKEN" in (
                    chroma_finding(without).detail
                )
            wrong = IndexHome(gateway.url, token="another")
            with closing(Collection(tmp_path, create=False, home=wrong)) as mistaken:
                assert "refuses the token in FOOTNOTED_CHROMA_TOKEN" in (
                    chroma_finding(mistaken).detail
                )
            gateway.mode = "echo"
            with closing(Collection(tmp_path, create=False, home=home)) as collection:
                assert nearest_ids(collection, QUESTION)
                assert TOKEN not in chroma_finding(collection).detail
        assert TOKEN not in caplog.text

    def test_it_is_not_shown_to_a_server_that_it_is_not_meant_for(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        with Gateway("pass", chroma.url) as gateway:
            filled(tmp_path, IndexHome(gateway.url)).close()
            meant = IndexHome(chroma.url, token=TOKEN)
            with closing(Collection(tmp_path, create=False, home=meant)) as collection:
                collection.index_anew()
                nearest_ids(collection, QUESTION)
            assert {given for _, _, given in gateway.requests} == {None}


class TestTheCommand:
    def test_a_collection_is_made_moved_and_asked_by_command(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        file = tmp_path / "papers.jsonl"
        file.write_text('{"title": "Minds", "abstract": "Theory of mind is studied here."}\n')
        before = chroma.names()
        fine(footnoted(tmp_path, "add", str(file), "--chroma", chroma.url))
        assert len(chroma.names() - before) == 1
        assert "Minds" in fine(footnoted(tmp_path, "search", "theory of mind"))
        assert chroma.url in fine(footnoted(tmp_path, "doctor"))
        done = footnoted(tmp_path, "add", str(file), "--chroma", "local")
        assert fine(done, 1) == ""
        assert f"is on {chroma.url}; leave --chroma out, or move it" in done.stderr
        told = done.stderr[done.stderr.index("footnoted rebuild") :]
        fine(footnoted(tmp_path, *shlex.split(told)[1:]))
        assert chroma.names() == before
        done = footnoted(tmp_path, "add", str(file), "--chroma", chroma.url)
        assert f"footnoted rebuild --chroma {chroma.url} --collection " in done.stderr
        assert "1 unchanged" in fine(footnoted(tmp_path, "add", str(file), "--chroma", "local"))

    def test_the_environment_decides_for_new_collections_only(
        self, tmp_path: Path, chroma: ChromaServer
    ) -> None:
        put_there = tmp_path / "papers.jsonl"
        put_there.write_text('{"title": "Minds", "abstract": "Theory of mind is studied."}\n')
        environ = {"FOOTNOTED_HOME": str(tmp_path), "FOOTNOTED_CHROMA": chroma.url}
        embedder = StandInEmbedder()
        filled(tmp_path / "old").close()
        with Assistant.open(tmp_path / "old", embedder=embedder, environ=environ) as assistant:
            assistant.add(put_there)
            assert isinstance(assistant._collection.place, Path)
        with Assistant.open(tmp_path / "new", embedder=embedder, environ=environ) as assistant:
            assistant.add(put_there)
            assert isinstance(assistant._collection.place, ServerPlace)
        dead = {"FOOTNOTED_CHROMA": f"http://127.0.0.1:{free_port()}"}
        with Assistant.open(tmp_path / "old", embedder=embedder, environ=dead) as assistant:
            assert len(assistant.search(QUESTION)) == 4
            assistant.rebuild()
            assert {f.check for f in assistant.examine() if not f.well} == set()
        with Assistant.open(tmp_path / "new", embedder=embedder, environ={}) as assistant:
            assert isinstance(assistant._collection.place, ServerPlace)
            assistant.rebuild(chroma="local")
            assert isinstance(assistant._collection.place, Path)
        with pytest.raises(SettingError, match="is in a directory of its own; leave --chroma out"):
            Assistant.open(tmp_path / "new", embedder=embedder, environ={}, chroma=chroma.url)

    def test_a_dead_server_ends_an_add_in_one_line(self, tmp_path: Path) -> None:
        file = tmp_path / "papers.jsonl"
        file.write_text('{"title": "Minds", "abstract": "Theory of mind is studied."}\n')
        url = f"http://127.0.0.1:{free_port()}"
        done = footnoted(
            tmp_path, "add", str(file), "--quiet", "--chroma", url, FOOTNOTED_CHROMA_TOKEN=TOKEN
        )
        assert fine(done, 1) == ""
        [line] = done.stderr.splitlines()
        assert f"the Chroma server at {url} cannot be reached" in line
        assert TOKEN not in line
        assert "no collection was made" in line
        assert not (tmp_path / "sample").exists()
