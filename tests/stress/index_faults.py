"""Chroma's files damaged, cut off or deleted, one by one: searching goes on, `rebuild` mends it.

Chroma's native library may crash on such files, so every look into one has a process of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.standin import StandInEmbedder
from rag.store.collection import CHROMA, Collection
from tests.makers import ROOT
from tests.stress.scenario import assistant, fill, paper, searched

PAPERS = 1_100
"""From 1,000 vectors on Chroma writes its graph to files."""

SOUGHT = (0, PAPERS // 2, PAPERS - 1)
"""Numbers of papers that are searched for."""


def big(place: Path) -> Path:
    """A collection whose index has all the files that an index can have."""
    place.mkdir()
    fill(place / "papers", range(PAPERS))
    return place


def flip(path: Path, chance: random.Random) -> None:
    """Change twenty bytes."""
    data = bytearray(path.read_bytes())
    for _ in range(20 if data else 0):
        data[chance.randrange(len(data))] ^= 0x55
    path.write_bytes(data)


def cut(path: Path, _: random.Random) -> None:
    """Leave the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def delete(path: Path, _: random.Random) -> None:
    """Take it away."""
    path.unlink()


def garble(path: Path, chance: random.Random) -> None:
    """Write noise all over it."""
    path.write_bytes(chance.randbytes(path.stat().st_size))


DAMAGES: Mapping[str, Callable[[Path, random.Random], None]] = {
    damage.__name__: damage for damage in (flip, cut, delete, garble)
}


def damaged(template: Path, place: Path, chance: random.Random, names: Sequence[str]) -> list[Path]:
    """Copies of a collection, in each of which one file of its index is damaged in one way.

    The last two have no directory of that index, and no Chroma at all.
    """
    files = sorted(
        path.relative_to(template)
        for path in (template / "papers" / CHROMA).rglob("*")
        if path.is_file() and path.stat().st_size
    )
    made = []
    for file in files:
        for name in names:
            copy = place / f"{name} {file.name}"
            shutil.copytree(template, copy)
            DAMAGES[name](copy / file, chance)
            made.append(copy)
    for name in ("index deleted", "chroma deleted"):
        copy = Path(shutil.copytree(template, place / name))
        chroma = copy / "papers" / CHROMA
        shutil.rmtree(next(chroma.iterdir()) if name == "index deleted" else chroma)
        made.append(copy)
    return made


def looked_into(places: Sequence[Path]) -> list[dict[str, Any]]:
    """What comes of searching and rebuilding each of these, each in a process of its own.

    ``found`` is how many of the papers sought were found, ``warnings`` what was logged meanwhile,
    ``error`` what was raised, ``signal`` what the search died of; ``again`` how
    many were found by the search after that, ``rebuilt`` whether all was well after a rebuild.
    """
    command = [sys.executable, "-m", "tests.stress", "look", *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def look(places: Sequence[Path]) -> None:
    """Look into each in processes forked from this one, which has everything imported."""
    importlib.import_module("chromadb")
    for place in places:
        outcome = _forked(lambda: _searched(place / "papers"))  # noqa: B023 (called at once)
        again = _forked(lambda: _searched(place / "papers"))  # noqa: B023
        rebuilt = _forked(lambda: _rebuilt(place / "papers"))  # noqa: B023
        print(
            json.dumps(
                {**outcome, "again": again.get("found"), "rebuilt": rebuilt.get("rebuilt", False)}
            ),
            flush=True,
        )


def _forked(do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a function returns in a process of its own, or the signal that this died of."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            said = do()
        except BaseException as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        os.write(writing, json.dumps(said).encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    outcome: dict[str, Any] = json.loads(text)
    return outcome


def _searched(directory: Path) -> dict[str, Any]:
    warnings: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("rag").addHandler(handler)
    embedder, found = StandInEmbedder(), 0
    with contextlib.closing(Collection(directory, create=False)) as collection:
        for number in SOUGHT:
            values = paper(number)
            held = collection.catalog.find(values["title"])
            assert held is not None
            vector = embedder.embed_query(f"{values['title']}\n{values['abstract']}")
            found += held.number in collection.nearest(vector, 20)
    return {"found": found, "warnings": warnings}


def _rebuilt(directory: Path) -> dict[str, Any]:
    with assistant(directory) as opened:
        opened.rebuild()
    searched(directory, SOUGHT)
    return {"rebuilt": True}
