"""Open Chroma's index, search it once, and say what is in it.

``python -m rag.store.probe DIRECTORY`` is run in a process of its own by `rag.health`, because
Chroma's native library can crash on damaged files. It prints one JSON object: ``{"id": …, "count":
…}`` or ``{"error": …}``.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

from rag.errors import CollectionError
from rag.store.places import Place
from rag.store.vectors import VectorIndex


def look(place: Place) -> dict[str, object]:
    """The ``id`` and ``count`` of an index, after one search through it.

    Raises:
        CollectionError: it cannot be used.
    """
    with closing(VectorIndex(place, create=False)) as index:
        count = index.count()
        if count:
            index.probe()
        return {"id": index.id, "count": count}


def main(directory: str) -> None:
    """Print what the index in a directory holds, or why it cannot be used."""
    try:
        found = look(Path(directory))
    except CollectionError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
