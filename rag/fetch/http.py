"""A polite HTTP client: one request at a time, none too soon, tried again when that may help."""

from __future__ import annotations

import ipaddress
import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

from rag.errors import FetchError, SettingError, StatusError
from rag.models.chat.retrying import RetryBudget, TimeLimits, parse_retry_after
from rag.models.remote import one_line, server_message
from rag.version import VERSION

if TYPE_CHECKING:
    import httpx

LIMITS = TimeLimits(connect_s=10.0, stall_s=60.0, total_s=180.0)
"""arXiv thinks for up to half a minute about a page far down a long list."""

RETRIES = RetryBudget(tries=5, within_s=300.0, base_s=3.0, cap_s=60.0)

MAX_BODY_BYTES = 64 * 1024**2
"""An answer that is longer is not read: a page of 100 papers takes about 300 kB."""

_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_MAX_REDIRECTS = 3

_LOG = logging.getLogger(__name__)

_Read = TypeVar("_Read")


class UnusableError(Exception):
    """An answer that cannot be used, but the next one may be: says why, without a full stop."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time comes from (in seconds), how it is waited for, and chance (from 0 to 1)."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    chance: Callable[[], float] = random.random


class Pace:
    """One request at a time, ``interval_s`` seconds from the end of one to the next; any thread."""

    def __init__(self, interval_s: float, timing: Timing | None = None) -> None:
        self.interval_s = interval_s
        self._timing = timing or Timing()
        self._lock = threading.Lock()
        self._free_at: float | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may be sent; the turn is over when it has been answered."""
        with self._lock:
            if self._free_at is not None:
                wait_s = self._free_at - self._timing.now()
                if wait_s > 0:
                    self._timing.sleep(wait_s)
            try:
                yield
            finally:
                self._free_at = self._timing.now() + self.interval_s


@cache
def shared_pace(host: str, interval_s: float) -> Pace:
    """The pace that the whole process keeps at a host; at one on this machine none is needed."""
    return Pace(0.0 if _is_loopback(host) else interval_s)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class PoliteClient:
    """Asks one address; use it as a context manager.

    Args:
        url: the address, without a query.
        name: what stands there, for messages.
        interval_s: how long after one request the next may be sent, in the whole process.
        pace: keeps another interval, for itself.
        limits: seconds until a connection stands, between two signs of life, and for an answer.
        retries: how often a request is tried again, with pauses of what length.
        timing: where the time comes from.
        max_bytes: a longer answer is not read.

    Raises:
        SettingError: the address is not one.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        interval_s: float = 0.0,
        pace: Pace | None = None,
        limits: TimeLimits = LIMITS,
        retries: RetryBudget = RETRIES,
        timing: Timing | None = None,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._url = checked_address(url, name)
        host = urlsplit(url).hostname or ""
        self.name = f"{name} ({host})"
        self._pace = pace or shared_pace(host, interval_s)
        self._limits = limits
        self._retries = retries
        self._timing = timing or Timing()
        self._max_bytes = max_bytes
        self._opened: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def get(self, parameters: Mapping[str, str], read: Callable[[bytes], _Read]) -> _Read:
        """What ``read`` makes of the answer; asked again when that raises `UnusableError`.

        Why it is asked again, and when, goes to the log as a warning.

        Raises:
            StatusError: the status says that asking again would not help.
            FetchError: no answer could be used within the budget.
        """
        began, tried = self._timing.now(), 0
        while True:
            tried += 1
            try:
                with self._pace.turn():
                    body = self._body(parameters)
                return read(body)
            except UnusableError as error:
                failure = error
            elapsed_s = self._timing.now() - began
            chance = self._timing.chance()
            pause_s = self._retries.pause_s(tried, elapsed_s, failure.retry_after_s, chance)
            if pause_s is None:
                raise FetchError(self._gave_up(failure, tried)) from failure
            _LOG.warning(
                "%s: %s; trying again in %d s, %d of %d",
                *(self.name, failure, math.ceil(pause_s), tried + 1, self._retries.tries),
            )
            self._timing.sleep(pause_s)

    def _gave_up(self, failure: UnusableError, tried: int) -> str:
        wait_s = failure.retry_after_s
        wish = f", and asks to wait {wait_s:,.0f} s" if wait_s else ""
        times = "once" if tried == 1 else f"{tried} times"
        return f"{self.name} was asked {times} in vain: {failure}{wish}"

    def _body(self, parameters: Mapping[str, str]) -> bytes:
        """The body of an answer with status 200."""
        import httpx

        deadline = self._timing.now() + self._limits.total_s
        try:
            with self._client().stream("GET", self._url, params=dict(parameters)) as response:
                body = self._read(response, deadline)
        except httpx.ConnectTimeout:
            reason = f"no connection within {self._limits.connect_s:g} s"
            raise UnusableError(reason) from None
        except httpx.TimeoutException:
            raise UnusableError(f"silent for {self._limits.stall_s:g} s") from None
        except httpx.RequestError as error:
            raise UnusableError(one_line(str(error) or type(error).__name__, None)) from error
        status = response.status_code
        if status == httpx.codes.OK:
            return body
        said = _said(body)
        answer = f"HTTP {status} {response.reason_phrase}".rstrip() + (f" ({said})" if said else "")
        if status in _PASSING:
            raise UnusableError(answer, parse_retry_after(response.headers.get("Retry-After")))
        raise StatusError(f"{self.name} refuses the request: {answer}", status, body)

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchError(
                    f"{self.name} sends more than {self._max_bytes:,} bytes for one page: is the "
                    "address right?"
                )
            if self._timing.now() > deadline:
                raise UnusableError(f"not done after {self._limits.total_s:g} s")
        return bytes(body)

    def _client(self) -> httpx.Client:
        import httpx

        if self._opened is None:
            self._opened = httpx.Client(
                headers={"User-Agent": user_agent()},
                timeout=httpx.Timeout(self._limits.stall_s, connect=self._limits.connect_s),
                limits=httpx.Limits(max_connections=1),
                follow_redirects=True,
                max_redirects=_MAX_REDIRECTS,
            )
        return self._opened


def checked_address(url: str, name: str) -> str:
    """The address as it is.

    Raises:
        SettingError: it is no http address, or holds a password or a query.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment:
        shown = url.rpartition("@")[2]  # no password in a message
        raise SettingError(
            f"{shown[:200]!r} is not an address of {name}; expected one with http:// or https://, "
            "without a password or a query"
        )
    return url


def user_agent() -> str:
    """Who asks: ``footnoted/VERSION``, with the project's address where it has one."""
    try:
        urls = metadata("footnoted").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        urls = []
    address = next((url.partition(",")[2].strip() for url in urls), "")
    return f"footnoted/{VERSION}" + (f" (+{address})" if address else "")


def _said(body: bytes) -> str:
    """What an error's body says, in one line; empty if it says nothing readable."""
    text = body[:100_000].decode("utf-8", "replace")
    try:
        said = server_message(json.loads(text))
    except (ValueError, RecursionError):
        said = server_message(text)
    return one_line(said, None)
