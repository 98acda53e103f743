"""The gate before everything that is served: who may come in, with what, and what goes out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.page.limits import Limits, TooManyError
from ui.page.serving import Serving, is_loopback
from ui.page.uploads import UPLOAD_S, Uploads

COOKIE = "footnoted"
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-src 'none'; frame-ancestors 'none'; "
    "object-src 'none'; base-uri 'self'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
BODY_BYTES = 2_000_000  # a request with pasted records
API_BODY_BYTES = 100_000
BODY_S = 60.0  # how long the body of a request may take, uploads apart
LOGINS_A_MINUTE = 10

_OPEN_PATHS = {"/healthz", "/readyz"}
# Gradio serves more than this page uses: a proxy, file access, editing by AI, histories in the
# cloud. What is not named here is not there.
_GRADIO = re.compile(
    r"/gradio_api/(queue/(join|data)|run/predict|call/ask(/\w+)?|upload|upload_progress|info|heartbeat/\w+"
    r"|cancel|reset|startup-events|app_id|token)/?"
)
_CLOSED = re.compile(r"/(gradio_api|monitoring|login|logout|svelte|pwa_icon|manifest)(/|\.|$)")
_UPLOAD = "/gradio_api/upload"
# Other servers of this machine have cookies in the same header, of any form.
_TOKEN = re.compile(rf"(?:^|;)\s*{COOKIE}=([0-9a-f]{{64}})\s*(?:;|$)")
_YEAR_S = 365 * 24 * 3600


class _RefusedError(Exception):
    """A request that is turned away, with the status and what to say."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Gate:
    """ASGI middleware: checks every request, limits its size, sets the security headers.

    A request comes in if it names a host that is ours (without a secret: one of this machine,
    which defeats DNS rebinding), does not come from another site's page, gives the secret where
    there is one, and asks for something that is meant to be asked for. A browser without a
    cookie gets one: a random token that says whose conversations are whose.
    """

    def __init__(
        self, app: ASGIApp, serving: Serving, limits: Limits, uploads: Uploads | None = None
    ) -> None:
        self._app = app
        self._uploads = uploads
        self._serving = serving
        self._limits = limits
        self._logins = Limits(LOGINS_A_MINUTE, 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or turn it away."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if scope["path"] == "/":
            # The page is asked for first; nothing else needs to know who asks before. A token
            # that is known is given again, so that it lasts from the last visit.
            known = owner_of(headers.get("cookie", ""))
            scope["footnoted_cookie"] = known or secrets.token_hex(32)

        within_s = UPLOAD_S if scope["path"] == _UPLOAD else BODY_S
        body = _Body(receive, self._limit(scope), within_s)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                message["headers"] = [*_secured(message["headers"]), *self._cookie(scope)]
            started = started or body.refusal is None
            if started:
                await send(message)

        try:
            self._check(scope, headers)
            body.check_declared(headers)
            try:
                await self._app(scope, body.receive, sending)
            except Exception:
                if body.refusal is None:
                    raise
            if body.refusal is not None and not started:
                raise body.refusal
        except _RefusedError as refused:
            body.refusal = None
            await _refuse(refused, sending)

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        path, client = scope["path"], client_of(scope)
        if path in _OPEN_PATHS:
            return
        self._check_host(headers.get("host", ""))
        self._check_origin(scope, headers)
        self._check_secret(headers.get("authorization", ""), client)
        if _CLOSED.match(path) and not _GRADIO.fullmatch(path):
            raise _RefusedError(404, "there is nothing here")
        if path == _UPLOAD:
            if self._serving.read_only:
                raise _RefusedError(403, "this collection is served to be read only")
            try:
                self._limits.spend(client)
                if self._uploads is not None:
                    self._uploads.admit()
            except TooManyError as error:
                raise _RefusedError(429, str(error), retry_after=str(error.wait_s)) from error

    def _check_host(self, host: str) -> None:
        if self._serving.secret is None and not is_loopback(_without_port(host)):
            raise _RefusedError(
                421, f"this is not {host[:100]!r}; open it as {self._serving.address}"
            )

    def _check_origin(self, scope: Scope, headers: dict[str, str]) -> None:
        """Refuse what a page of another site asks for, reading included.

        Behind a proxy ours is the site of that name, whatever host the proxy asks for.
        """
        origin = headers.get("origin")
        if origin is not None:
            scheme, _, authority = origin.partition("://")
            ours = (headers.get("host", ""), self._serving.proxy or "")
            if not any(_is_same(authority, host, scheme) for host in ours):
                raise _RefusedError(403, f"a page of {origin[:100]!r} may not ask here")
            return
        site = headers.get("sec-fetch-site", "none")
        if scope["method"] not in ("GET", "HEAD") and site not in ("same-origin", "none"):
            raise _RefusedError(403, "a page of another site may not ask here")

    def _check_secret(self, given: str, client: str) -> None:
        secret = self._serving.secret
        if secret is None:
            return
        if given:
            try:
                self._logins.check(client)
                if _same(_given_secret(given), secret):
                    return
                self._logins.spend(client)
            except TooManyError as error:
                raise _RefusedError(
                    429, "too many wrong passwords", retry_after=str(error.wait_s)
                ) from error
        raise _RefusedError(
            401,
            "a password is needed: as that of any user, or as a bearer token",
            www_authenticate='Basic realm="Footnoted", charset="UTF-8"',
        )

    def _limit(self, scope: Scope) -> int:
        if scope["path"] == _UPLOAD:
            return self._serving.upload_mb * 1_000_000
        return API_BODY_BYTES if scope["path"].startswith("/api/") else BODY_BYTES

    def _cookie(self, scope: Scope) -> Iterable[tuple[bytes, bytes]]:
        token = scope.get("footnoted_cookie")
        if token is not None:
            secure = "; Secure" if scope["scheme"] == "https" else ""
            value = f"{COOKIE}={token}; Path=/; Max-Age={_YEAR_S}; HttpOnly; SameSite=Lax{secure}"
            yield b"set-cookie", value.encode()


def client_of(scope: Scope) -> str:
    """The address that a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def owner_of(cookies: str) -> str | None:
    """The browser's token from a Cookie header; None where there is none of ours."""
    found = _TOKEN.search(cookies)
    return found[1] if found else None


def _without_port(host: str) -> str:
    return re.sub(r":\d+$", "", host)


def _is_same(authority: str, host: str, scheme: str) -> bool:
    """Whether an origin's authority is the host that was asked for, the usual port left out."""
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return bool(host) and authority.lower().removesuffix(port) == host.lower().removesuffix(port)


def _given_secret(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _same(given: str, secret: str) -> bool:
    """Compare in constant time, lengths included."""
    first, second = (
        hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (given, secret)
    )
    return hmac.compare_digest(first, second)


def _secured(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    ours = {name.encode(): value.encode() for name, value in HEADERS.items()}
    dropped = {*ours, b"server"}
    return [item for item in headers if item[0].lower() not in dropped] + list(ours.items())


class _Body:
    """The body of a request, up to ``limit`` bytes that come within ``within_s`` seconds.

    Beyond that the client seems to have gone, and ``refusal`` says why the request is refused.
    """

    def __init__(self, receive: Receive, limit: int, within_s: float) -> None:
        self._receive = receive
        self._limit = limit
        self._within_s = within_s
        self._end: float | None = None
        self._got = 0
        self._whole = False
        self.refusal: _RefusedError | None = None

    def check_declared(self, headers: dict[str, str]) -> None:
        """Refuse a body that says that it is too big."""
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self._limit:
            raise self._too_big()

    def _too_big(self) -> _RefusedError:
        return _RefusedError(413, f"at most {self._limit:,} bytes are taken in a request")

    async def receive(self) -> Message:
        """The next part of the body; after its end, that the client has gone."""
        if self._whole:
            return await self._receive()
        self._end = self._end or anyio.current_time() + self._within_s
        message: Message = {"type": "http.disconnect"}
        if self.refusal is not None:
            return message
        with anyio.move_on_after(max(0.0, self._end - anyio.current_time())) as waiting:
            message = await self._receive()
        if waiting.cancelled_caught:
            self.refusal = _RefusedError(408, f"it took longer than {self._within_s:g} s to send")
        self._got += len(message.get("body", b""))
        self._whole = message["type"] == "http.request" and not message.get("more_body", False)
        if self._got > self._limit:
            self._whole, self.refusal = False, self._too_big()
            return {"type": "http.disconnect"}
        return message


async def _refuse(refused: _RefusedError, send: Send) -> None:
    body = json.dumps({"error": str(refused)}).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **refused.headers,
    }
    start = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": start})
    await send({"type": "http.response.body", "body": body})
