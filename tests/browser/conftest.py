"""A real browser and real servers, both without a way out of this machine.

Where there is no Chromium these tests are skipped, but not in CI: there they fail.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from rag.assistant import Assistant
from tests.hostile import HOSTILE
from tests.makers import ROOT

OFFLINE = ROOT / "tests" / "offline"
READY_S = 120
WAIT_MS = 30_000


def chromium() -> str:
    """The browser; where there is none the test is skipped, in CI it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is not None:
        return found
    missing = "Chromium is not installed: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(*command: str, port: int, **environ: str) -> Iterator[str]:
    """Run a server until left; its address. What it complains of fails the test."""
    address = f"http://127.0.0.1:{port}"
    path = f"{OFFLINE}:{ROOT}"
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": path, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_ready(address, process)
        yield address
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=30)
    assert "NETWORK" not in out, out


def wait_until_ready(address: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()[0]
        try:
            if httpx.get(f"{address}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"{address} was not ready within {READY_S} s")


def serving(directory: Path, port: int | None = None) -> AbstractContextManager[str]:
    """A server over a collection, with scripted answers to some questions."""
    number = port or free_port()
    return served("-m", "tests.browser.serve", str(directory), str(number), port=number)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over the sample collection."""
    chromium()
    copy = tmp_path_factory.mktemp("served") / "sample"
    shutil.copytree(sample_home / "sample", copy)
    with serving(copy) as address:
        yield address


@pytest.fixture(scope="module")
def hostile_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a collection of which every field of every paper is hostile."""
    chromium()
    directory = tmp_path_factory.mktemp("hostile")
    file = directory / "<img src=x onerror=window.pwned=1>.jsonl"
    records = [
        {
            "title": f"{text} bees {n}",
            "abstract": f"Bees number {n} dance for {text} in the hive. They return {text}.",
            "authors": [text],
            "venue": text,
            "url": "javascript:window.pwned=1",
            "year": 2024,
        }
        for n, text in enumerate(HOSTILE)
    ]
    file.write_text("\n".join(map(json.dumps, records)))
    with Assistant.open(directory / "c", history=False) as assistant:
        assistant.add(file)
    with serving(directory / "c") as address:
        yield address


class Watch:
    """What a page does that it should not: outside requests, errors, scripts of strangers."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.outside: list[str] = []
        self.errors: list[str] = []
        context.on("request", lambda request: self._asked(request.url, address))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("console", lambda line: self._said(line.type, line.text))

    def _asked(self, url: str, address: str) -> None:
        if not url.startswith((f"{address}/", "data:", "blob:")):
            self.outside.append(url)

    def _said(self, kind: str, text: str) -> None:
        if kind == "error":
            self.errors.append(text)

    def check(self, page: Page) -> None:
        assert self.outside == []
        assert self.errors == []
        assert page.evaluate("window.pwned") is None


@contextmanager
def opened(browser: Browser, address: str, **options: object) -> Iterator[Page]:
    """The page in a browser of its own, watched until left."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    watch = Watch(context, address)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#current section, #current article")
    try:
        yield page
        watch.check(page)
    finally:
        context.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page
