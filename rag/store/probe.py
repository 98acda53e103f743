"""``python -m rag.store.probe DIRECTORY``: open a Chroma directory and say what is in it.

Run in a process of its own by `rag.health`, because Chroma's native library can crash on damaged
files. Prints one JSON object: ``{"id": …, "count": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rag.errors import CollectionError
from rag.store.vectors import VectorIndex


def main(directory: str) -> None:
    """Print what the index holds, after one search through it."""
    try:
        index = VectorIndex(Path(directory), create=False)
        found = {"id": index.id, "count": index.count()}
        if found["count"]:
            index.probe()
        index.close()
    except CollectionError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
