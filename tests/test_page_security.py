from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from rag.errors import SettingError
from ui.page.limits import Limits, TooManyError
from ui.page.security import COOKIE, Gate, _Body, owner_of
from ui.page.serving import Serving, is_loopback, read_secret

SECRET = "correct horse battery"
LOCAL = "http://127.0.0.1:7860"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads its body and says how long it was."""
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if message["type"] == "http.disconnect":
            raise RuntimeError("the client has gone")
        if not message.get("more_body"):
            break
    start = {"type": "http.response.start", "status": 200, "headers": [(b"server", b"secret")]}
    await send(start)
    await send({"type": "http.response.body", "body": str(length).encode()})


class Client:
    """Sends requests to a gate, one at a time."""

    def __init__(self, serving: Serving, base: str = LOCAL) -> None:
        self._gate = Gate(echo, serving, Limits(serving.rate, serving.at_once))
        self._base = base

    def __call__(
        self, method: str, path: str, content: bytes | AsyncIterator[bytes] = b"", **headers: str
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._gate, client=("10.0.0.9", 1))
            async with httpx.AsyncClient(transport=transport, base_url=self._base) as client:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                return await client.request(method, path, content=content, headers=named)

        return asyncio.run(send())


def test_it_listens_to_this_machine_unless_there_is_a_password() -> None:
    assert Serving().host == "127.0.0.1"
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.org", ""):
        with pytest.raises(SettingError, match="--password-file"):
            Serving(host=host)
        Serving(host=host, secret=SECRET)
    with pytest.raises(SettingError, match="--password-file"):
        Serving(proxy="papers.example.org")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "::1", "[::1]", "LOCALHOST", "127.9.9.9"]
)
def test_addresses_of_this_machine_are_told(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.evil.example", "127.0.0.1.evil.example", "", "0.0.0.0"]
)
def test_other_addresses_are_not(host: str) -> None:
    assert not is_loopback(host)


def test_the_secret_is_shown_nowhere() -> None:
    assert SECRET not in repr(Serving(secret=SECRET))


def test_a_password_file_holds_one_long_line(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    assert read_secret(file) == SECRET
    for text in ("short", "", "two lines of it\nand the second", "x" * 5000):
        file.write_text(text)
        with pytest.raises(SettingError):
            read_secret(file)
    file.write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(SettingError, match="UTF-8"):
        read_secret(file)
    with pytest.raises(SettingError, match="cannot be read"):
        read_secret(tmp_path / "none")


def test_every_reply_has_the_security_headers() -> None:
    ask = Client(Serving())
    for reply in (ask("GET", "/"), ask("GET", "/gradio_api/file=/etc/passwd")):
        policy = reply.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "connect-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy.replace("https", "")
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert "server" not in reply.headers


def test_a_host_that_is_not_this_machine_is_refused_so_names_cannot_be_rebound() -> None:
    assert Client(Serving(), "http://evil.example:7860")("GET", "/").status_code == 421
    assert Client(Serving(), "http://localhost:7860")("GET", "/").status_code == 200
    assert Client(Serving(), "http://[::1]:7860")("GET", "/").status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:7860"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_sites_may_not_ask(method: str, origin: str) -> None:
    assert Client(Serving())(method, "/api/ask", origin=origin).status_code == 403


def test_our_own_page_and_programs_may_ask() -> None:
    ask = Client(Serving())
    assert ask("POST", "/api/ask", b"x", origin=LOCAL).status_code == 200
    assert ask("POST", "/api/ask", b"x").status_code == 200
    assert ask("POST", "/api/ask", b"x", sec_fetch_site="cross-site").status_code == 403


def test_without_the_password_nothing_is_served_but_the_signs_of_life() -> None:
    ask = Client(Serving(host="0.0.0.0", secret=SECRET), "http://papers.example:7860")
    assert ask("GET", "/healthz").status_code == 200
    refused = ask("GET", "/")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    basic = base64.b64encode(f"anyone:{SECRET}".encode()).decode()
    assert ask("GET", "/", authorization=f"Basic {basic}").status_code == 200
    assert ask("GET", "/", authorization=f"Bearer {SECRET}").status_code == 200


@pytest.mark.parametrize(
    "given", ["Basic !!!", "Basic", "Bearer", "Digest x", "Bearer wrong", "Basic /w=="]
)
def test_wrong_passwords_are_refused(given: str) -> None:
    ask = Client(Serving(secret=SECRET))
    assert ask("GET", "/", authorization=given).status_code == 401


def test_passwords_cannot_be_guessed_fast() -> None:
    ask = Client(Serving(secret=SECRET))
    got = [ask("GET", "/", authorization=f"Bearer {n}").status_code for n in range(12)]
    assert got[:10] == [401] * 10
    assert got[10:] == [429] * 2


def test_a_guess_after_too_many_wrong_ones_is_not_even_compared() -> None:
    ask = Client(Serving(secret=SECRET))
    for number in range(10):
        ask("GET", "/", authorization=f"Bearer {number}")
    assert ask("GET", "/", authorization=f"Bearer {SECRET}").status_code == 429


def test_a_proxys_name_is_ours() -> None:
    ask = Client(Serving(secret=SECRET, proxy="papers.example"))  # as nginx asks, by address
    token = f"Bearer {SECRET}"
    for origin in ("https://papers.example", "https://papers.example:443", LOCAL):
        assert ask("POST", "/api/ask", origin=origin, authorization=token).status_code == 200
    for origin in ("https://evil.example", "https://papers.example:8443", "https://"):
        assert ask("POST", "/api/ask", origin=origin, authorization=token).status_code == 403
    without = Client(Serving(secret=SECRET))
    refused = without("POST", "/api/ask", origin="https://papers.example", authorization=token)
    assert refused.status_code == 403


def test_a_body_that_does_not_come_is_refused() -> None:
    async def slow() -> Message:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    async def parts() -> None:
        body = _Body(slow, 10, 0.05)
        assert await body.receive() == {"type": "http.disconnect"}
        assert body.refusal is not None
        assert body.refusal.status == 408

    asyncio.run(parts())


def test_a_body_that_came_may_be_answered_for_long() -> None:
    async def wait() -> None:
        messages: list[Message] = [{"type": "http.request", "body": b"x"}]
        messages += [{"type": "http.disconnect"}]

        async def receive() -> Message:
            if len(messages) == 1:
                await asyncio.sleep(0.1)
            return messages.pop(0)

        body = _Body(receive, 10, 0.05)
        assert (await body.receive())["body"] == b"x"
        assert (await body.receive())["type"] == "http.disconnect"
        assert body.refusal is None

    asyncio.run(wait())


def test_what_gradio_offers_and_the_page_does_not_use_is_not_there() -> None:
    ask = Client(Serving())
    for path in (
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/proxy=https://evil.example",
        "/gradio_api/run-history/connect",
        "/gradio_api/vibe-code",
        "/gradio_api/component_server",
        "/gradio_api/deep_link",
        "/gradio_api/upload/../file=/etc/passwd",
        "/monitoring",
        "/login",
    ):
        assert ask("GET", path).status_code == 404, path
    assert ask("POST", "/gradio_api/queue/join").status_code == 200


def test_big_bodies_are_refused_whether_they_say_so_or_not() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 10_000

    ask = Client(Serving(upload_mb=1))
    assert ask("POST", "/api/ask", b"x" * 99_000).text == "99000"
    assert ask("POST", "/api/ask", b"x" * 100_001).status_code == 413
    assert ask("POST", "/api/ask", parts()).status_code == 413
    assert ask("POST", "/gradio_api/upload", b"x" * 1_000_001).status_code == 413


def test_a_browser_gets_a_token_that_no_script_and_no_other_site_sees() -> None:
    given = Client(Serving())("GET", "/").headers["set-cookie"]
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given, "a link on another site opens the page as its owner"
    token = owner_of(given.split(";")[0])
    assert token is not None
    assert len(token) == 64


def test_a_token_is_given_again_at_every_visit_so_that_it_does_not_run_out() -> None:
    token = "c" * 64
    again = Client(Serving())("GET", "/", cookie=f"{COOKIE}={token}").headers["set-cookie"]
    assert again.startswith(f"{COOKIE}={token}; ")
    assert "Max-Age=31536000" in again


@pytest.mark.parametrize(
    "others", ["", "theme", "a=b", 'json={"a": [1, 2]}', "x=ä", "==", 'q="a;b"', "a\x00b; =;"]
)
def test_cookies_of_other_servers_do_not_hide_ours(others: str) -> None:
    assert owner_of(others) is None
    for cookies in (f"{others}; {COOKIE}={'d' * 64}", f"{COOKIE}={'d' * 64}; {others}"):
        assert owner_of(cookies) == "d" * 64
    assert owner_of(f"{others}; not{COOKIE}={'d' * 64}") is None


@pytest.mark.parametrize("value", ["../../x", "d" * 63, "d" * 65, "D" * 64])
def test_a_token_that_is_none_of_ours_is_none(value: str) -> None:
    assert owner_of(f"{COOKIE}={value}") is None


def test_a_collection_that_is_read_only_takes_no_uploads() -> None:
    ask = Client(Serving(read_only=True))
    assert ask("POST", "/gradio_api/upload", b"x").status_code == 403


def test_uploads_are_counted() -> None:
    ask = Client(Serving(rate=3))
    got = [ask("POST", "/gradio_api/upload", b"x").status_code for _ in range(4)]
    assert got == [200, 200, 200, 429]


def test_a_client_gets_its_rate_and_no_more() -> None:
    now = 0.0
    limits = Limits(6, 9, clock=lambda: now)
    for _ in range(6):
        limits.spend("a")
    with pytest.raises(TooManyError, match="10 s") as caught:
        limits.spend("a")
    assert caught.value.wait_s == 10
    limits.spend("b")  # another one is not concerned
    now = 10.0
    limits.spend("a")
    with pytest.raises(TooManyError):
        limits.spend("a")


def test_a_client_runs_only_so_much_at_once() -> None:
    limits = Limits(100, 2)
    with limits.running("a"), limits.running("a"):
        with pytest.raises(TooManyError, match="at most 2"), limits.running("a"):
            pass
        with limits.running("b"):
            pass
    with limits.running("a"):
        pass


def test_clients_that_were_not_seen_for_long_are_forgotten() -> None:
    limits = Limits(1, 1)
    for number in range(10_050):
        limits.spend(str(number))
    assert len(limits._clients) == 10_000
