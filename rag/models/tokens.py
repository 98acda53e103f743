"""Counts tokens with tiktoken, without its download.

tiktoken fetches its tables from the network at first use. llama-index-core, which Footnoted
needs anyway, carries two of them in tiktoken's cache layout.
"""

from __future__ import annotations

import hashlib
import os
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import SettingError, WeightsError

if TYPE_CHECKING:
    from tiktoken import Encoding

_CACHE_DIR = "TIKTOKEN_CACHE_DIR"
_lock = threading.Lock()  # the environment belongs to the whole process


@cache
def encoding(name: str = "cl100k_base") -> Encoding:
    """Open one of the two bundled encodings: ``cl100k_base`` or ``o200k_base``.

    Raises:
        SettingError: another name.
        WeightsError: llama-index-core does not hold its table.
    """
    if name not in ("cl100k_base", "o200k_base"):
        raise SettingError(f"no encoding {name!r}; there are 'cl100k_base' and 'o200k_base'")
    # The cache names a table after the address it comes from.
    address = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
    table = hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    found = find_spec("llama_index")
    for place in (found and found.submodule_search_locations) or []:
        folder = Path(place, "core", "_static", "tiktoken_cache")
        if (folder / table).is_file():
            return _open(name, folder)
    raise WeightsError(
        f"the table of {name} is missing from llama-index-core; reinstall it with "
        "'pip install --force-reinstall llama-index-core'"
    )


def _open(name: str, folder: Path) -> Encoding:
    import tiktoken

    with _lock:
        before = os.environ.get(_CACHE_DIR)
        os.environ[_CACHE_DIR] = str(folder)
        try:
            return tiktoken.get_encoding(name)
        finally:
            if before is None:
                del os.environ[_CACHE_DIR]
            else:
                os.environ[_CACHE_DIR] = before


def count_tokens(text: str) -> int:
    """Length of a text in ``cl100k_base`` tokens; text that looks like a special token is text."""
    return len(encoding().encode(text, disallowed_special=()))
