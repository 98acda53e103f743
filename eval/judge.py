"""T3: a language model that judges whether evidence supports a claim.

It sees only claim and evidence. Its answer must be one JSON object of the given form, and the
quote that it rests on must stand in the evidence, which code looks up; otherwise the claim is
unscored and the error counted, never taken for a verdict. Answers are kept by content, so that a
run can be replayed without a network.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.answering.prompts import load
from rag.errors import EndpointError
from rag.ingest.cleaning import display
from rag.models.client import open_client
from rag.models.remote import OPENAI
from rag.schema import Status, Verdict

if TYPE_CHECKING:
    from openai import OpenAI

_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["supported", "unsupported"]},
        "quote": {"type": "string"},
        "reason": {"type": "string"},
    },
    "required": ["verdict", "quote", "reason"],
    "additionalProperties": False,
}
_FORMAT: Mapping[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "verdict", "strict": True, "schema": _SCHEMA},
}
MAX_ERRORS = 0.05
"""A run in which a larger share of judgements failed is not to be trusted (exit code 3)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint; ``base_url`` None is OpenAI's own."""

    model: str
    base_url: str | None = None
    api_key: str | None = None


class Judge:
    """A `rag.answering.grounding.Checker` over a language model; safe to use from threads.

    ``calls`` and ``errors`` count what was asked of the endpoint and what could not be used.
    With ``offline``, only kept judgements are used, and one that is missing is an error.
    """

    multilingual = True

    def __init__(self, endpoint: Endpoint, cache: Path, *, offline: bool = False) -> None:
        self.name = f"T3 judge {endpoint.model}"
        self.prompt = load("judge")
        self.calls = 0
        self.judged = 0
        self.errors: Counter[str] = Counter()
        self._endpoint = endpoint
        self._cache = cache
        self._offline = offline
        self._lock = threading.Lock()
        self._client: OpenAI | None = None

    @property
    def error_share(self) -> float | None:
        """The share of judgements that could not be used; None before the first."""
        return self.errors.total() / self.judged if self.judged else None

    def check(self, claim: str, evidence: Sequence[str], title: str = "") -> Verdict:
        """The judge's verdict; UNCHECKED, and counted, where it gave none that can be used."""
        with self._lock:
            self.judged += 1
        read = [title, *evidence] if title else evidence
        text = "\n".join(display(sentence) for sentence in read)
        try:
            said = self._said(display(claim), text)
            verdict = _parse(said)
            _verify(verdict, text)
        except EndpointError as error:
            with self._lock:
                self.errors[str(error)] += 1
            return Verdict(Status.UNCHECKED, self.name, f"unscored: {error}")
        return Verdict(Status(verdict["verdict"]), self.name, verdict["reason"])

    def _said(self, claim: str, evidence: str) -> str:
        key = json.dumps([self._endpoint.model, self.prompt.reference, claim, evidence])
        file = self._cache / f"{sha256(key.encode()).hexdigest()}.json"
        if file.exists():
            return str(json.loads(file.read_text(encoding="utf-8"))["said"])
        if self._offline:
            raise EndpointError("no judgement is kept for this claim; run once with the endpoint")
        # The fence cannot be guessed by what stands inside it, and equal requests are equal.
        fence = "=" * 8 + blake2b(key.encode(), digest_size=8).hexdigest()
        said = self._ask(self.prompt.fill(fence=fence, evidence=evidence, claim=claim))
        self._cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{threading.get_ident()}.part")
        part.write_text(json.dumps({"key": json.loads(key), "said": said}), encoding="utf-8")
        part.replace(file)
        return said

    def _ask(self, prompt: str) -> str:
        import httpx
        import openai

        with self._lock:
            self.calls += 1
            self._client = self._client or self._connect()
        try:
            try:
                return self._complete(prompt, response_format=_FORMAT)
            except openai.BadRequestError:  # a server that knows no schemas: the prompt says it too
                return self._complete(prompt)
        except (
            openai.OpenAIError,
            httpx.HTTPError,
            ValueError,
            AttributeError,
            TypeError,
            LookupError,
        ) as error:
            # The message may hold what the server echoes.
            said = f"the judge did not answer ({type(error).__name__})"
        # Not raised above: the error holds the request, and that the key.
        raise EndpointError(said)

    def _connect(self) -> OpenAI:
        url = self._endpoint.base_url or OPENAI
        return open_client(
            url,
            self._endpoint.api_key,
            source=f"the judge at {url}",
            timeout=60.0,
            max_retries=2,
        )

    def _complete(self, prompt: str, **options: Any) -> str:  # noqa: ANN401 (passed through)
        assert self._client is not None
        answer = self._client.chat.completions.create(
            model=self._endpoint.model,
            messages=[{"role": "user", "content": prompt}],
            temperature=0.0,
            **options,
        )
        return str(answer.choices[0].message.content or "")


def _parse(said: str) -> dict[str, str]:
    """The JSON object of an answer, which may stand in a code fence or after thinking aloud.

    Raises:
        EndpointError: there is none, or it has another form.
    """
    start, end = said.find("{"), said.rfind("}")
    try:
        found = json.loads(said[start : end + 1]) if start >= 0 else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or set(found) != set(_SCHEMA["required"]):
        raise EndpointError("the judge's answer is not the JSON object that was asked for")
    if found["verdict"] not in ("supported", "unsupported"):
        raise EndpointError("the judge's verdict is none of those offered")
    if not all(isinstance(value, str) for value in found.values()):
        raise EndpointError("the judge's answer holds something that is not text")
    return found


def _verify(verdict: Mapping[str, str], evidence: str) -> None:
    """Raises EndpointError where the judge's quote does not stand in the evidence."""
    quote = " ".join(verdict["quote"].split()).strip(" \"'.…")
    if verdict["verdict"] == "supported" and not quote:
        raise EndpointError("the judge gave no quote for its verdict")
    if quote and quote.casefold() not in " ".join(evidence.split()).casefold():
        raise EndpointError("the judge's quote does not stand in the evidence")
