from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import SettingError
from rag.settings import MAX_NAME_CHARS, Settings


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
