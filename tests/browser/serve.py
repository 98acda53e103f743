"""``python -m tests.browser.serve COLLECTION PORT``: the page over a scripted assistant."""

from __future__ import annotations

import sys

import tests.offline.sitecustomize  # noqa: F401
from tests.scripted import Scripted
from ui.page.app import serve
from ui.page.serving import Serving

RATE = 1_000_000


def main(directory: str, port: str) -> None:
    """Serve until killed."""
    with Scripted.open(directory, crossencoder="none", history=False) as assistant:
        serve(assistant, Serving(port=int(port), rate=RATE, at_once=100))


if __name__ == "__main__":
    main(*sys.argv[1:])
