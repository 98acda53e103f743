"""Turns what models return into checked vectors of unit length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.errors import EndpointError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def mean_direction(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Mean of vectors (d,), brought to unit length; a single vector comes back as it is."""
    import numpy as np

    if len(vectors) == 1:
        return vectors[0]
    mean = np.mean(vectors, axis=0, dtype=np.float32)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def unit_rows(
    rows: Sequence[Sequence[float]], *, count: int, dimension: int | None, source: str
) -> NDArray[np.float32]:
    """Check vectors that came from outside and bring them to unit length.

    Args:
        rows: the vectors as received.
        count: how many were asked for.
        dimension: length that each should have; None: any, but all the same.
        source: who sent them, for the message.

    Returns:
        float32 (count, dimension).

    Raises:
        EndpointError: another number of vectors, another dimension, or values that are not
            finite numbers or all zero.
    """
    import numpy as np

    if len(rows) != count:
        raise EndpointError(
            f"{source} returned {len(rows)} vectors for {count} texts; a smaller batch may help"
        )
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1 or (dimension is not None and lengths and lengths != [dimension]):
        expected = "one length" if dimension is None else f"dimension {dimension}"
        raise EndpointError(
            f"{source} returned vectors of dimension {', '.join(map(str, lengths))}, expected "
            f"{expected}; was its model changed?"
        )
    try:
        vectors = np.array(rows, np.float32).reshape(count, -1)
    except (TypeError, ValueError, OverflowError) as error:
        raise EndpointError(f"{source} returned vectors that are not numbers: {error}") from error
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise EndpointError(
            f"{source} returned a vector that holds NaN, infinity or only zeros; its model may "
            "be broken, or may not take one of the texts"
        )
    return np.asarray(vectors / norms, np.float32)


def refuse_long(text: str, tokens: int, max_tokens: int, source: str) -> None:
    """Refuse a text that would be cut off.

    Raises:
        InputError: it has more than ``max_tokens`` tokens.
    """
    if tokens > max_tokens:
        raise InputError(
            f"a text has {tokens:,} tokens, {source} takes {max_tokens:,} at most: "
            f"{text[:60]!r}...; split it first"
        )
