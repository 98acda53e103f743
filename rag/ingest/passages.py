"""Cutting abstracts into passages for the embedder: a LlamaIndex node parser over our sentences.

Importing it imports LlamaIndex, so only ingest does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.node_parser import NodeParser
from llama_index.core.schema import BaseNode, Document, MetadataMode, TextNode
from pydantic import PrivateAttr

from rag.ingest.sentences import split_sentences
from rag.models.tokens import count_tokens
from rag.schema import Paper, Passage

# A title longer than this share of the window is not repeated in the embedded text: it would
# crowd out the sentences. It stays searchable as text.
MAX_TITLE_SHARE = 0.25

Span = tuple[int, int]


def embedded_text(title: str, text: str) -> str:
    """What the embedder reads for a passage: the title on a line of its own, then the text."""
    return f"{title}\n{text}" if title else text


class PassageParser(NodeParser):
    """Cuts documents into runs of whole sentences that fit an embedder, nothing truncated.

    A document is an abstract with its title in ``metadata["title"]`` and, if they are known,
    its sentences as ``metadata["sentences"]`` (start, end). The nodes are exact slices of the
    abstract (``start_char_idx``, ``end_char_idx``) of about equal length, as few as fit, with
    ``metadata["first"]`` and ``["last"]`` saying which sentences they hold (last exclusive) and
    ``["of"]`` what the document has under that name.
    Nodes do not point at their document: LlamaIndex would then look their text up in it and take
    the first place where it stands, which is the wrong one in a text that repeats itself.
    Lengths are budgeted with tiktoken and then checked with ``count``, the embedder's own
    tokenizer; a single sentence that does not fit is cut at white space.
    """

    _max_tokens: int = PrivateAttr()
    _count: Callable[[str], int] = PrivateAttr()

    def __init__(self, *, max_tokens: int, count: Callable[[str], int]) -> None:
        super().__init__(include_prev_next_rel=False, include_metadata=False)
        self._max_tokens = max_tokens
        self._count = count

    @classmethod
    def class_name(cls) -> str:
        """The name LlamaIndex stores it under."""
        return "PassageParser"

    def _parse_nodes(
        self,
        nodes: Sequence[BaseNode],
        show_progress: bool = False,  # noqa: ARG002, FBT001, FBT002 (LlamaIndex's signature)
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> list[BaseNode]:
        return [node for document in nodes for node in self._cut(document)]

    def _cut(self, document: BaseNode) -> list[BaseNode]:
        text = document.get_content(metadata_mode=MetadataMode.NONE)
        title = str(document.metadata.get("title", ""))
        spans = document.metadata.get("sentences") or split_sentences(text)
        prefix = title if self._count(title) <= MAX_TITLE_SHARE * self._max_tokens else ""
        return [
            TextNode(
                text=text[passage.start : passage.end],
                start_char_idx=passage.start,
                end_char_idx=passage.end,
                metadata={
                    "of": document.metadata.get("of"),
                    "title": prefix,
                    "first": passage.first,
                    "last": passage.last,
                },
                excluded_embed_metadata_keys=["of", "first", "last"],
                text_template="{metadata_str}\n{content}",
                metadata_template="{value}",
            )
            for passage in self._runs(prefix, text, spans)
        ]

    def _runs(self, title: str, text: str, spans: Sequence[Span]) -> list[Passage]:
        budget = max(1, self._max_tokens - count_tokens(title))
        lengths = [count_tokens(text[start:end]) for start, end in spans]
        fewest = max(1, min(len(spans), math.ceil(sum(lengths) / budget)))
        for parts in range(fewest, len(spans) + 1):
            passages = [
                Passage(0, "", first, last, spans[first][0], spans[last - 1][1])
                for first, last in _balanced(lengths, parts)
            ]
            if all(self._fits(title, text, p.start, p.end) for p in passages):
                return passages
            # Past twice the estimate only single sentences can be what does not fit.
            if parts >= 2 * fewest + 1:
                break
        return [
            Passage(0, "", index, index + 1, start, end)
            for index, span in enumerate(spans)
            for start, end in self._pieces(title, text, span)
        ]

    def _fits(self, title: str, text: str, start: int, end: int) -> bool:
        return self._count(embedded_text(title, text[start:end])) <= self._max_tokens

    def _pieces(self, title: str, text: str, span: Span) -> list[Span]:
        start, end = span
        if self._fits(title, text, start, end):
            return [span]
        middle = (start + end) // 2
        space = text.rfind(" ", start + 1, middle)
        cut = space if space > start else middle
        left = (start, start + len(text[start:cut].rstrip()))
        right = (end - len(text[cut:end].lstrip()), end)
        return [*self._pieces(title, text, left), *self._pieces(title, text, right)]


def _balanced(lengths: Sequence[int], parts: int) -> list[Span]:
    """Runs (first, last exclusive) of about equal total length, ``parts`` of them."""
    total, runs, first, done = sum(lengths), [], 0, 0
    for part in range(1, parts + 1):
        last, target = first + 1, total * part / parts
        done += lengths[first]
        # Stop where the next sentence would overshoot by more than stopping falls short.
        while last < len(lengths) - (parts - part) and (
            part == parts or done + lengths[last] / 2 <= target
        ):
            done += lengths[last]
            last += 1
        runs.append((first, last))
        first = last
    return runs


def cut_passages(
    parser: PassageParser, papers: Sequence[tuple[Paper, Sequence[Span]]]
) -> list[list[tuple[Passage, str]]]:
    """For each paper, given with its sentences, its passages (ids left at 0) and texts to embed."""
    documents = [
        Document(text=paper.abstract, metadata={"of": of, "title": paper.title, "sentences": spans})
        for of, (paper, spans) in enumerate(papers)
    ]
    passages: list[list[tuple[Passage, str]]] = [[] for _ in papers]
    # One call for all of them: LlamaIndex spends a sixth of a millisecond on each.
    for node in parser.get_nodes_from_documents(documents):
        if not isinstance(node, TextNode):
            raise TypeError(f"expected a TextNode, got {type(node).__name__}")
        of, first, last = (node.metadata[key] for key in ("of", "first", "last"))
        start, end = node.start_char_idx or 0, node.end_char_idx or 0
        passage = Passage(0, papers[of][0].id, first, last, start, end)
        passages[of].append((passage, embedded_text(node.metadata["title"], node.text)))
    return passages
