"""Turns whatever went wrong at an endpoint into one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.errors import ContentFilterError, ContextOverflowError, EndpointError
from rag.models.chat.retrying import TimeLimits, parse_retry_after
from rag.models.remote import one_line, quoted, server_message

if TYPE_CHECKING:
    import openai

_ADVICE = {
    401: "check OPENAI_API_KEY",
    403: "check that the key may use this model",
    404: "check the model's name, and that the base URL is right (often it ends in /v1)",
    408: "try again later",
    429: "wait, or check the quota of the key",
}
# 409 is what OpenAI sends where a lock was not free; 529 where Anthropic is overloaded.
_PASSING = {408, 409, 429, 500, 502, 503, 504, 529}
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached"}
_FILTER_CODES = {"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"}
_OVERFLOW_CODES = {"context_length_exceeded", "exceed_context_size_error"}

# Collected from the wording of OpenAI, vLLM, llama.cpp, llama-cpp-python, Ollama, LM Studio,
# Mistral, Gemini, Groq and TGI. Neither the text nor a gap is unbounded: what a server says may be
# made to match in as many ways as it can.
_MAX_READ_CHARS = 500
_OVERFLOW = re.compile(
    r"""context[ _-]?(?:length|window|size)\b .{0,200}
          \b(?:exceed|requested|only|resulted|your\ request)
      | (?:exceed|maximum|longer|larger|overflow|reached) .{0,200}
          \bcontext[ _-]?(?:length|window|size)
      | context\ the\ overflows
      | maximum\ model\ length | max_model_len
      | (?:prompt|input|request)s?\ (?:is\ |are\ )?too\ (?:long|large)
      | (?:prompt|input) .{0,100} \btokens?\b .{0,100} \btoo\ (?:long|large)
      | too\ many\ (?:input\ )?tokens
      | token\ count .{0,200} exceeds | tokens?\ exceeds?\ the
      | max_new_tokens`?\ must\ be\ <=
    """,
    re.IGNORECASE | re.VERBOSE,
)
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """One try that failed; ``passing``: another may not."""

    error: EndpointError
    passing: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Explainer:
    """Who failed, and the limits that were set, for messages; the key so as to leave it out."""

    source: str
    key: str | None = field(repr=False)
    limits: TimeLimits = field(default_factory=TimeLimits)

    def refused(self, error: openai.APIStatusError) -> Failure:
        """An error by its status and what the endpoint said."""
        status, body = error.status_code, error.body
        if found := self._recognised(body):
            return Failure(found)
        retry_after = error.response.headers.get("retry-after")
        wait_s = parse_retry_after(retry_after)
        advice = _ADVICE.get(status) or (
            "try again later" if status >= 500 else "see what it says, or its log"
        )
        if status == 429 and _codes(body) & _NO_CREDIT:
            advice, passing = "check the credit of the account", False
        else:
            passing = status in _PASSING
        if wait_s is not None:
            advice += f"; it asks to wait {wait_s:,.0f} s"
        said = quoted(server_message(body), self.key)
        message = f"{self.source} answered with status {status}{said}; {advice}"
        return Failure(EndpointError(message), passing, wait_s)

    def reported(self, body: object) -> Failure:
        """An error that came as the answer, or in the middle of it."""
        if found := self._recognised(body):
            return Failure(found)
        said = quoted(server_message(body), self.key)
        code = body.get("code") if isinstance(body, dict) else None
        message = f"{self.source} reported an error instead of an answer{said}; see its log"
        return Failure(EndpointError(message), passing=isinstance(code, int) and code in _PASSING)

    def unreached(self, error: Exception) -> Failure:
        """No connection, none in time, or none that holds, before the answer began."""
        kind, limits, server = _kind(error), self.limits, "check the address and that the server"
        if kind == "ConnectTimeout":
            said, advice = f"could not be reached within {limits.connect_s:g} s", f"{server} runs"
        elif _is_timeout(error):
            said, advice = f"did not answer within {limits.stall_s:g} s", f"{server} keeps up"
        elif kind == "ConnectError":
            detail = quoted(str(error.__cause__ or error), self.key)
            said, advice = f"could not be reached{detail}", f"{server} runs"
        else:
            said, advice = f"gave no answer ({kind})", f"{server} runs"
        return Failure(EndpointError(f"{self.source} {said}; {advice}"), passing=True)

    def broken(self, error: Exception) -> Failure:
        """The connection was lost, or went silent, in the middle of an answer."""
        if _is_timeout(error):
            said = f"sent nothing for {self.limits.stall_s:g} s in the middle of its answer"
        else:
            said = f"broke off in the middle of its answer ({_kind(error)})"
        return Failure(EndpointError(f"{self.source} {said}; try again"), passing=True)

    def unfinished(self) -> Failure:
        """The answer ended, but nothing says that it was the end."""
        return Failure(
            EndpointError(
                f"{self.source} broke off: its answer ended without a finish_reason, so that a "
                "part may be missing; try again"
            ),
            passing=True,
        )

    def overdue(self) -> Failure:
        """The whole answer took too long."""
        return Failure(
            EndpointError(
                f"{self.source} did not finish its answer within {self.limits.total_s:g} s; check "
                "that the server is not overloaded, or choose a faster model"
            )
        )

    def garbled(self, what: str, *, midway: bool = False) -> Failure:
        """The endpoint speaks something else, perhaps after it began well."""
        if midway:
            said = f"sent {what} in the middle of its answer; see its log"
        else:
            said = (
                f"answered with {what}, expected a chat completion; check that the base URL is "
                "that of an OpenAI-compatible server (it usually ends in /v1)"
            )
        return Failure(EndpointError(f"{self.source} {said}"))

    def raised(self, error: Exception) -> EndpointError:
        """Whatever a client of its own kind raised."""
        said = str(error)
        if found := self._recognised(said):
            return found
        detail = f"{type(error).__name__}{quoted(said, self.key)}"
        return EndpointError(f"{self.source} failed ({detail}); check how it is set up")

    def overlong(self, chars: int, max_tokens: int) -> Failure:
        """The answer does not end."""
        return Failure(
            EndpointError(
                f"{self.source} sent {chars:,} characters although at most {max_tokens:,} tokens "
                "were asked for, and was stopped; use another model or server"
            )
        )

    def empty(self, finish: str, *, has_reasoned: bool) -> Failure:
        """There was no text in the answer."""
        if finish == "length" and has_reasoned:
            why = "it spent all tokens that an answer may have on reasoning; allow for more"
        elif finish in ("tool_calls", "function_call"):
            why = "it called a tool that it was not offered; use another model"
        else:
            why = "its context may be too small for the question; see its log, or try again"
        message = f"{self.source} sent an empty answer (finish_reason {one_line(finish, self.key)})"
        return Failure(EndpointError(f"{message}; {why}"))

    def filtered(self, said: str = "") -> ContentFilterError:
        """A content filter stepped in."""
        return ContentFilterError(
            f"{self.source} withheld the answer by its content filter{quoted(said, self.key)}; "
            "ask in other words, or use another endpoint"
        )

    def _recognised(self, body: object) -> EndpointError | None:
        said, codes = server_message(body), _codes(body)
        if codes & _OVERFLOW_CODES or _OVERFLOW.search(said[:_MAX_READ_CHARS]):
            return ContextOverflowError(
                f"{self.source} cannot take a request of this length{quoted(said, self.key)}; "
                "ask for fewer papers, or give the model a larger context"
            )
        if codes & _FILTER_CODES or "content management policy" in said:
            return self.filtered(said)
        return None


def _codes(body: object, depth: int = 0) -> set[str]:
    """Codes and types that the body of an error names, down to the 8th level."""
    if not isinstance(body, Mapping) or depth > _MAX_DEPTH:
        return set()
    said = (body.get(name) for name in ("code", "type"))
    own = {str(value) for value in said if value and isinstance(value, str | int)}
    return own.union(*(_codes(body.get(name), depth + 1) for name in ("error", "innererror")))


def _is_timeout(error: Exception) -> bool:
    return "Timeout" in _kind(error)


def _kind(error: Exception) -> str:
    """Name of an error; of one that the SDK wraps, that of the error inside."""
    return type(error.__cause__ or error).__name__
