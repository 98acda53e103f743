from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import SettingError
from rag.settings import MAX_NAME_CHARS, Settings, chroma_server


def test_blank_variables_count_as_unset() -> None:
    settings = Settings.from_env({"FOOTNOTED_HOME": " ", "OPENAI_API_KEY": ""})
    assert settings == Settings.from_env({})
    assert settings.home.name == "footnoted"
    assert (settings.collection, settings.embedder, settings.api_key) == (
        "default",
        "bundled",
        None,
    )


def test_a_home_that_begins_with_a_tilde_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert Settings.from_env({"FOOTNOTED_HOME": "~/papers"}).home == Path("/somewhere/papers")


def test_a_user_who_is_not_known_is_named() -> None:
    with pytest.raises(SettingError, match="'~nosuch-user/x' begins with a user"):
        Settings.from_env({"FOOTNOTED_HOME": "~nosuch-user/x"})
    with pytest.raises(SettingError, match="'~nosuch-user/x' begins with a user"):
        Settings(Path("/h")).directory("~nosuch-user/x")


def test_a_name_stands_under_the_home_and_a_path_for_itself() -> None:
    settings = Settings(Path("/h"), "list")
    assert settings.directory() == Path("/h/list")
    assert settings.directory("other list") == Path("/h/other list")
    assert settings.directory("./other") == Path("other")


@pytest.mark.parametrize("name", ["", "  ", ".", "..", ".hidden", "-x", "a\x1bb", "a\udcffb"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match="does not name a collection"):
        Settings(Path("/h")).directory(name)


def test_a_name_has_at_most_100_characters() -> None:
    settings = Settings(Path("/h"))
    assert settings.directory("x" * MAX_NAME_CHARS).name == "x" * 100
    with pytest.raises(SettingError, match="has 400 characters, at most 100"):
        settings.directory("x" * 400)
    with pytest.raises(SettingError, match="takes 400 bytes, at most 255"):
        settings.directory("😀" * 100)


def test_the_model_its_endpoint_and_window_are_read_and_the_key_is_not_shown() -> None:
    settings = Settings.from_env(
        {
            "FOOTNOTED_MODEL": "m",
            "OPENAI_BASE_URL": "http://localhost:1/v1",
            "FOOTNOTED_WINDOW": "4096",
            "OPENAI_API_KEY": "sk-secret",
            "FOOTNOTED_EMBEDDER_KEY": "sk-secret-too",
        }
    )
    assert (settings.model, settings.base_url, settings.window) == (
        "m",
        "http://localhost:1/v1",
        4096,
    )
    assert (settings.api_key, settings.embedder_key) == ("sk-secret", "sk-secret-too")
    assert "sk-secret" not in repr(settings)


@pytest.mark.parametrize("window", ["8k", "-1", "100", "٣٠٠٠", "1e4"])
def test_a_window_is_a_number_of_tokens(window: str) -> None:
    with pytest.raises(SettingError, match="FOOTNOTED_WINDOW is"):
        Settings.from_env({"FOOTNOTED_WINDOW": window})


@pytest.mark.parametrize("requests", ["0", "33", "four", "-1", "1.5", "9" * 30])
def test_requests_at_a_time_are_a_small_number(requests: str) -> None:
    assert Settings.from_env({"FOOTNOTED_EMBEDDER_REQUESTS": "32"}).embedder_requests == 32
    with pytest.raises(SettingError, match=r"FOOTNOTED_EMBEDDER_REQUESTS is .*1 to 32"):
        Settings.from_env({"FOOTNOTED_EMBEDDER_REQUESTS": requests})


def test_a_chroma_server_is_spelt_one_way_and_its_token_is_not_shown() -> None:
    settings = Settings.from_env(
        {"FOOTNOTED_CHROMA": "http://LocalHost:8000/x/", "FOOTNOTED_CHROMA_TOKEN": "s3cret"}
    )
    assert (settings.chroma, settings.chroma_token) == ("http://localhost:8000/x", "s3cret")
    assert "s3cret" not in repr(settings)
    assert Settings.from_env({"FOOTNOTED_CHROMA": "local"}).chroma is None
    assert chroma_server("https://[::1]:8000") == "https://[::1]:8000"


@pytest.mark.parametrize(
    "where",
    ["", "localhost:8000", "ftp://h", "http://", "http://h:0", "http://h:x", "http://[::1", "a b"],
)
def test_what_is_no_chroma_server_is_refused(where: str) -> None:
    with pytest.raises(SettingError, match=r"expected the address of a Chroma server, such as"):
        chroma_server(where)


@pytest.mark.parametrize(
    "where", ["http://me:hunter2@h:8000", "http://me@h", "http://h/?key=hunter2", "http://h/#x"]
)
def test_a_password_in_the_address_of_a_chroma_server_is_refused_and_not_shown(where: str) -> None:
    with pytest.raises(SettingError, match="FOOTNOTED_CHROMA_TOKEN") as refused:
        chroma_server(where)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("token", ["a b", "schlüssel", "a\x01b"])
def test_a_chroma_token_that_no_header_holds_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(SettingError, match="FOOTNOTED_CHROMA_TOKEN holds") as refused:
        Settings.from_env({"FOOTNOTED_CHROMA_TOKEN": token})
    assert token not in str(refused.value)
