"""Clients of endpoints: what they open with, what they send to whom, and what they keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.judge import Endpoint, Judge
from rag.assistant import Assistant
from rag.errors import EndpointError, SettingError
from rag.models.client import open_client
from rag.models.embedder import EndpointEmbedder, LlamaIndexEmbedder, open_embedder
from rag.models.llm import EndpointModel, Message
from rag.models.remote import checked_url, server_message
from tests.embedding_server import EmbeddingServer
from tests.judge_server import JudgeServer
from tests.openai_server import KEY, openai_server

OTHER = "sk-embedder-9876543210"
ASKED = [Message("user", "Are they real?")]

SURROUNDINGS = [
    ({"ALL_PROXY": "socks5://me:secret@127.0.0.1:1"}, "ImportError: Using SOCKS proxy"),
    ({"SSL_CERT_FILE": "/gone.pem"}, "FileNotFoundError"),
    ({"HTTP_PROXY": "foo://me:secret@127.0.0.1:1"}, "ValueError"),
]


@pytest.mark.parametrize(("surroundings", "said"), SURROUNDINGS)
def test_a_proxy_or_certificates_that_cannot_be_had_are_told_in_words(
    monkeypatch: pytest.MonkeyPatch, surroundings: dict[str, str], said: str
) -> None:
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    model = EndpointModel("m", base_url="http://127.0.0.1:1/v1", api_key=KEY)
    embedder = EndpointEmbedder("m", base_url="http://127.0.0.1:1/v1", api_key=KEY)
    for ask in (
        lambda: model.stream(ASKED, max_tokens=9).read(),
        lambda: embedder.embed_query("text"),
    ):
        with pytest.raises(EndpointError, match="check HTTP_PROXY") as caught:
            ask()
        assert said in str(caught.value)
        assert "secret" not in str(caught.value)
        assert caught.value.__context__ is None


def test_who_one_is_at_openai_is_told_to_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    with openai_server() as server:
        model = EndpointModel("m", base_url=server.url())
        model.stream(ASKED, max_tokens=9).read()
        model.close()
    assert not {"openai-organization", "openai-project"} & server.requests[0].headers.keys()
    at_openai = open_client("https://api.openai.com/v1", KEY, source="", timeout=1, max_retries=0)
    assert (at_openai.organization, at_openai.project) == ("org-1", "proj-1")
    at_openai.close()


def sent_keys(directory: Path, server: EmbeddingServer, **environ: str) -> list[str | None]:
    """The keys that an embedder gets that is opened in an environment."""
    given = {"FOOTNOTED_EMBEDDER": f"openai:m@{server.url('ok')}", **environ}
    with Assistant.open(directory, environ=given, crossencoder="none") as assistant:
        assistant.search("grokking")
    return server.keys


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"OPENAI_API_KEY": KEY}, "none"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://elsewhere/v1"}, "none"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "same"}, KEY),
        ({"OPENAI_API_KEY": KEY, "FOOTNOTED_EMBEDDER_KEY": OTHER}, OTHER),
    ],
)
def test_a_key_goes_to_its_own_endpoint_only(
    tmp_path: Path, environ: dict[str, str], key: str
) -> None:
    with EmbeddingServer() as server:
        if environ.get("OPENAI_BASE_URL") == "same":
            environ = {**environ, "OPENAI_BASE_URL": server.url("ok") + "/"}
        assert sent_keys(tmp_path, server, **environ) == [f"Bearer {key}"]


def test_the_embedder_shares_the_address_that_a_model_is_named_with(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        named = {"OPENAI_API_KEY": KEY, "FOOTNOTED_MODEL": f"m@{server.url('ok')}"}
        assert sent_keys(tmp_path, server, **named) == [f"Bearer {KEY}"]


def test_openais_own_embedder_takes_the_shared_key() -> None:
    embedder = open_embedder("openai:m", shared_key=KEY, shared_with="http://elsewhere/v1")
    assert isinstance(embedder, EndpointEmbedder)
    with pytest.raises(SettingError, match="needs a key"):
        open_embedder("openai:m")


def test_no_error_of_a_client_hangs_on_to_ours(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        embedder = EndpointEmbedder(
            "m", base_url=server.url("401"), api_key=KEY, max_retries=0, timeout_s=30
        )
        with pytest.raises(EndpointError) as refused:
            embedder.embed_query("text")
        embedder.close()

    class Failing:
        def get_query_embedding(self, _: str) -> list[float]:
            raise RuntimeError(f"sent with {KEY}")

    with pytest.raises(EndpointError) as raised:
        LlamaIndexEmbedder(Failing()).embed_query("text")
    with JudgeServer() as server_of_judge:
        judge = Judge(Endpoint("tiny", server_of_judge.url("html"), KEY), tmp_path)
        with pytest.raises(EndpointError) as unusable:
            judge._ask("Is it so?")
    for caught in (refused, raised, unusable):
        assert caught.value.__cause__ is caught.value.__context__ is None


def test_an_answer_that_trickles_in_is_given_up() -> None:
    with EmbeddingServer() as server:
        embedder = EndpointEmbedder(
            "m", base_url=server.url("trickle"), timeout_s=0.5, max_retries=0
        )
        with pytest.raises(EndpointError, match=r"did not answer within 0\.5 s; check"):
            embedder.embed_query("text")
        embedder.close()


@pytest.mark.parametrize(
    "url",
    [
        "http//me:secret@h/v1",
        "http:/me:secret@h/v1",
        "http://me:secret@h:99999/v1",
        "htp://h/v1?key=secret",
    ],
)
def test_a_password_in_an_address_that_is_none_is_not_shown(url: str) -> None:
    with pytest.raises(SettingError, match="is not the address of an endpoint") as caught:
        checked_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("choice", ["openai:m@http//me:secret@h/v1", "openai:m@me:secret@h:80"])
def test_a_password_in_an_address_without_its_scheme_is_not_shown(choice: str) -> None:
    with pytest.raises(SettingError, match="needs http:// or https://") as caught:
        open_embedder(choice)
    assert "secret" not in str(caught.value)


def test_an_error_body_that_is_nested_without_end_says_nothing() -> None:
    body: object = "it is broken"
    for _ in range(100_000):
        body = {"error": [body]}
    assert server_message(body) == ""
    assert server_message({"error": [{"message": "it is broken"}]}) == "it is broken"
    assert server_message("<400> too many texts") == "<400> too many texts"
