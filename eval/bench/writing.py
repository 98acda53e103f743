"""What Footnoted adds to a language model's own time, with a stand-in that answers at once."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Generator, Sequence
from itertools import islice

from eval.bench.timing import percentiles
from eval.caseload import load_cases
from eval.corpora import Corpora, sample_records
from rag.assistant import Assistant
from rag.events import Finished, Pending
from rag.models.embedder import open_embedder
from rag.models.llm import Message, Reply
from rag.models.tokens import count_tokens
from rag.schema import Answer, Usage

_SENTENCE = re.compile(r"^([b-z]{2}[2-9]{3}\w*) (.+)$", re.MULTILINE)
_CLAIMS, _QUESTIONS = 5, 40


class StandInModel:
    """A `rag.models.llm.LanguageModel` that repeats sentences of its prompt, not word for word.

    Never used to answer people. ``asked_at`` and ``ended_at`` are when the last request came and
    its answer ended, by `time.perf_counter`; ``first_at`` when its first piece was given.
    """

    name, window = "stand-in", 8192

    def __init__(self) -> None:
        self.asked_at = self.first_at = self.ended_at = 0.0
        self.prompt_tokens = 0

    def count_tokens(self, text: str) -> int:
        """As GPT-4 counts."""
        return count_tokens(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:  # noqa: ARG002
        """Five claims, or nothing to mend."""
        return _StandInReply(self, messages)

    def prepare(self) -> None:
        """Nothing is loaded."""

    def close(self) -> None:
        """Nothing is open."""


class _StandInReply(Reply):
    def __init__(self, model: StandInModel, messages: Sequence[Message]) -> None:
        self._model, self._messages = model, messages
        super().__init__()

    def _run(self) -> Generator[str, None, None]:
        model = self._model
        if len(self._messages) == 2:
            model.asked_at = time.perf_counter()
            model.prompt_tokens = sum(count_tokens(m.content) for m in self._messages)
            found = islice(_SENTENCE.finditer(self._messages[1].content), _CLAIMS)
            said = [f"{m[2].rstrip('.')}, as reported. [{m[1]}] " for m in found]
            model.first_at = time.perf_counter()
            yield from re.findall(r"\S+\s*", "".join(said))
            model.ended_at = time.perf_counter()
        else:
            yield "nothing"
        self.usage, self.finish = Usage(1, model.prompt_tokens, 100), "stop"


def writing(arguments: argparse.Namespace) -> None:
    """Our own time before a request, at its first token, and after its last, with token counts."""
    corpora = Corpora(arguments.work.parent / "corpora", open_embedder("bundled"))
    opened = corpora.open("sample", sample_records(), lambda *_: None)
    model = StandInModel()
    assistant = opened.written_by(model)
    questions = [case.question for case in load_cases() if case.split == "dev" and not case.history]
    _asked(assistant, questions[0])
    before, first, after, prompts, shares, calls = [], [], [], [], [], []
    for question in questions[:: max(1, len(questions) // _QUESTIONS)]:
        started = time.perf_counter()
        answer, shown_at = _asked(assistant, question)
        finished = time.perf_counter()
        before.append(model.asked_at - started)
        first.append(shown_at - model.first_at)
        after.append(finished - model.ended_at)
        prompts.append(model.prompt_tokens)
        shares.append(answer.settings["context"]["tokens"] / model.prompt_tokens)
        calls.append(answer.usage.calls)
    print(f"before the request: {percentiles(before)}")
    print(f"first token passed on after: {percentiles(first)}")
    print(f"after the last token, {_CLAIMS} claims at once: {percentiles(after)}")
    print(f"prompt tokens: at most {max(prompts):,}; evidence: at least {min(shares):.0%}")
    print(f"calls: at most {max(calls)}, on average {sum(calls) / len(calls):.2f}")


def _asked(assistant: Assistant, question: str) -> tuple[Answer, float]:
    """The answer, and when the first of its text was shown."""
    shown_at = 0.0
    for event in assistant.stream(question):
        if isinstance(event, Pending) and not shown_at:
            shown_at = time.perf_counter()
        if isinstance(event, Finished):
            return event.answer, shown_at
    raise AssertionError("answering ends with Finished")
