"""Counts tokens with tiktoken, without its download.

tiktoken fetches its tables from the network at first use. llama-index-core, which Footnoted
needs anyway, carries two of them in tiktoken's cache layout.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import SettingError, WeightsError

if TYPE_CHECKING:
    from tiktoken import Encoding

ENCODINGS = ("cl100k_base", "o200k_base")
_CACHE_DIR = "TIKTOKEN_CACHE_DIR"
_lock = threading.Lock()  # the environment belongs to the whole process


@cache
def encoding(name: str = "cl100k_base") -> Encoding:
    """Open one of the two bundled encodings: ``cl100k_base`` or ``o200k_base``.

    Raises:
        SettingError: another name.
        WeightsError: llama-index-core does not hold its table.
    """
    if name not in ENCODINGS:
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


def count_tokens(text: str, name: str = "cl100k_base") -> int:
    """Length of a text in tokens of an encoding; text that looks like a special token is text."""
    return len(encoding(name).encode(text, disallowed_special=()))


def estimate_tokens(text: str) -> int:
    """More tokens than a text is likely to have in any vocabulary.

    1.35 times its ``cl100k_base`` tokens, and 0.6 for each digit (many vocabularies have
    one for each) and each character outside ASCII (older ones have few of them). WordPiece took
    up to 1.18 times the tokens of ``cl100k_base`` for 300 abstracts, LLaMA 35 against 33 for the
    Chinese sentence of Cui et al., 2023 (arXiv:2304.08177), table 1.
    """
    dear = sum(not c.isascii() or c.isdigit() for c in text)
    return math.ceil(1.35 * count_tokens(text) + 0.6 * dear)


def counter_for(model: str) -> Callable[[str], int]:
    """How to count tokens for a model by its name: exactly for OpenAI's, else `estimate_tokens`."""
    from tiktoken.model import encoding_name_for_model

    try:
        name = encoding_name_for_model(model.removeprefix("openai/"))
    except KeyError:
        return estimate_tokens
    # The vocabulary of gpt-oss differs in its special tokens only.
    name = name.replace("o200k_harmony", "o200k_base")
    return partial(count_tokens, name=name) if name in ENCODINGS else estimate_tokens
