"""Files of as many different papers as are wanted, made of real abstracts.

Beyond the real ones, papers are copies in which words are exchanged: all words of four letters
and more that are no stop words are ranked by how often they occur and cut into bands of 60; in
the second copy each stands for the word ten places further in its band, in the third for that
twenty places further, and so on. So every copy has another title and another abstract of the
same length, words are as frequent as in real text, and which of them stand together is kept.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rag.errors import InputError
from rag.store.words import STOP_WORDS

_WORD = re.compile(r"[A-Za-z]{4,}")
_BAND = 60
MAX_COPIES = 6
"""So many papers, at most, are made of one; the real one is the first."""


def write_papers(source: Path, file: Path, papers: int) -> None:
    """Write so many papers as JSON lines; a file that is there is taken to be right.

    Args:
        source: gzipped JSON lines of real papers.
        file: where to write them: as they are in ``source`` as far as they go, then copies.
        papers: how many.

    Raises:
        InputError: more than `MAX_COPIES` times as many as ``source`` has.
    """
    if file.exists():
        return
    draft = file.with_suffix(".part")
    with draft.open("w", encoding="utf-8") as out:
        out.writelines(itertools.islice(_lines(source, papers), papers))
    draft.replace(file)


def _lines(source: Path, papers: int) -> Iterator[str]:
    held = 0
    for line in _real(source):
        held += 1
        yield line
    if papers > MAX_COPIES * held:
        raise InputError(
            f"{papers:,} papers cannot be made of {held:,}; at most {MAX_COPIES * held:,}"
        )
    if papers <= held:
        return
    bands = _bands(source)
    for copy in range(1, MAX_COPIES):
        exchanged = _exchanged(bands, copy)
        for line in _real(source):
            yield json.dumps(_copied(json.loads(line), copy, exchanged), ensure_ascii=False) + "\n"


def _real(source: Path) -> Iterator[str]:
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        yield from lines


def _bands(source: Path) -> list[list[str]]:
    """All words to be exchanged, the most frequent first, in bands."""
    counted: Counter[str] = Counter()
    for line in _real(source):
        row = json.loads(line)
        counted.update(_WORD.findall(f"{row['title']} {row['abstract']}".lower()))
    ranked = sorted(counted.keys() - STOP_WORDS, key=lambda word: (-counted[word], word))
    return [ranked[start : start + _BAND] for start in range(0, len(ranked), _BAND)]


def _exchanged(bands: list[list[str]], copy: int) -> Mapping[str, str]:
    """Which word stands for which in a copy: every one for another of its band."""
    pairs: dict[str, str] = {}
    for band in bands:
        turn = copy * max(1, len(band) // MAX_COPIES) % len(band)
        pairs.update(zip(band, band[turn:] + band[:turn], strict=True))
    return pairs


def _copied(row: dict[str, Any], copy: int, exchanged: Mapping[str, str]) -> dict[str, Any]:
    def other(found: re.Match[str]) -> str:
        word = found[0]
        new = exchanged.get(word.lower(), word)
        if word.isupper():
            return new.upper()
        return new.capitalize() if word[0].isupper() else new

    changed: dict[str, str | None] = {
        name: _WORD.sub(other, row[name]) for name in ("title", "abstract")
    }
    changed["url"] = f"{row['url']}?copy={copy}" if row.get("url") else None
    return {**row, **changed, "id": f"{row.get('id', '')}#{copy}"}
