"""Footnoted as a tool inside LlamaIndex."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

from llama_index.core.llms import (
    CompletionResponse,
    CompletionResponseGen,
    CustomLLM,
    LLMMetadata,
)
from llama_index.core.query_engine import RouterQueryEngine
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import QueryEngineTool

from rag.assistant import Assistant
from rag.llamaindex import FootnotedRetriever
from rag.schema import Hit
from tests.openai_server import openai_server
from tests.writing import QUESTION, assistant_at, writes

TEXT = (
    "Networks first memorise and then generalise suddenly. [[memorise]] Our encoder reaches 90% on "
    "ImageNet. [[76.2]]"
)


class Chooser(CustomLLM):
    """A model that always chooses the second tool."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="chooser")

    def complete(
        self,
        prompt: str,
        formatted: bool = False,
        **kwargs: Any,  # noqa: ANN401 (the base class's)
    ) -> CompletionResponse:
        return CompletionResponse(text='[{"choice": 2, "reason": "it is about papers"}]')

    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,
        **kwargs: Any,  # noqa: ANN401 (the base class's)
    ) -> CompletionResponseGen:
        raise NotImplementedError


def test_the_query_engine_gives_footnotes_as_source_nodes(tmp_path: Path) -> None:
    reply = writes(TEXT, repair="nothing")
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        response = assistant.as_query_engine().query(QUESTION)
    assert str(response).startswith("Networks first memorise and then generalise suddenly. [1]")
    first, second = response.source_nodes
    assert first.node.metadata["number"] == 1
    assert first.node.get_content() == "Networks first memorise and then generalise suddenly."
    assert (second.node.metadata["number"], second.node.metadata["verdict"]) == (2, "unsupported")
    assert response.metadata is not None
    supported, refuted = response.metadata["claims"]
    assert supported["citations"] == [first.node.node_id]
    assert refuted["verdict"]["check"] == "T1 numbers"
    assert response.metadata["model"] == "openai:loopback-1"


def test_a_declined_question_gives_what_was_found(tmp_path: Path) -> None:
    reply = "DECLINED: not_in_collection"
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        response = asyncio.run(assistant.as_query_engine().aquery(QUESTION))
    assert response.metadata is not None
    assert response.metadata["declined"] == "not_in_collection"
    assert len({node.node.metadata["paper_id"] for node in response.source_nodes}) == 3


def test_a_router_asks_footnoted_as_one_of_its_tools(tmp_path: Path) -> None:
    reply = writes(TEXT, repair="nothing")
    with openai_server(reply) as server, assistant_at(tmp_path, server) as assistant:
        tools = [
            QueryEngineTool.from_defaults(assistant.as_query_engine(), name=name, description=name)
            for name in ("cooking", "papers")
        ]
        router = RouterQueryEngine(
            selector=LLMSingleSelector.from_defaults(llm=Chooser()),
            query_engine_tools=tools,
            llm=Chooser(),
        )
        response = router.query(QUESTION)
    assert "[1]" in str(response)
    assert response.source_nodes[0].node.metadata["title"] == "Grokking in small transformers"


def test_retrieving_asynchronously_does_not_hold_up_the_loop() -> None:
    threads: list[threading.Thread] = []

    class Watched:
        def search(self, *_: object, **__: object) -> tuple[Hit, ...]:
            threads.append(threading.current_thread())
            return ()

    retriever = FootnotedRetriever(cast("Assistant", Watched()))
    assert asyncio.run(retriever.aretrieve(QUESTION)) == []
    assert threads != [threading.current_thread()]
