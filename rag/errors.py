"""Every error that Footnoted raises on purpose.

::

    RagError
    ├── InputError                what was handed in cannot be used
    │   ├── FileError             a file or folder cannot be read as papers
    │   ├── QuestionError         a question is empty or too long
    │   └── SettingError          an option or environment variable has a value that does not fit
    ├── CollectionError           the collection on disk cannot be used as asked
    │   ├── NoCollectionError     there is none at that place
    │   ├── ForeignError          the directory holds something else, or a newer layout
    │   ├── LockedError           another process is writing to it
    │   ├── StorageError          the disk refused (full, read-only, no permission)
    │   │   └── UnreachableError  a Chroma server cannot be used now
    │   ├── DamagedError          what is stored cannot be trusted
    │   ├── EmbedderMismatchError it was embedded with another embedder
    │   └── UnknownPaperError     no paper has that id
    ├── FetchError                a live source did not answer as it should
    │   └── RefusedError          it does not take the request: asking again would not help
    │       └── StatusError       the refusal came as an HTTP status
    └── ModelError                a model cannot be used
        ├── WeightsError          bundled weights are missing or not the ones that were shipped
        └── EndpointError         an endpoint did not answer as it should
            ├── ContextOverflowError  the request is longer than the model reads
            └── ContentFilterError    a filter withheld the answer

A message says what was wrong, with the value, what was expected, and what to do next.
The library raises; the edges (command line, page, HTTP) show ``str(error)`` and no trace.
"""

from __future__ import annotations


class RagError(Exception):
    """Root of the tree: catch this to catch everything that Footnoted raises on purpose."""


class InputError(RagError):
    """What was handed in cannot be used."""


class FileError(InputError):
    """A file or folder cannot be read as papers."""


class QuestionError(InputError):
    """A question is empty, holds no word, or is too long."""


class SettingError(InputError):
    """An option or environment variable has a value that does not fit."""


class CollectionError(RagError):
    """The collection on disk cannot be used as asked."""


class NoCollectionError(CollectionError):
    """There is no collection at that place."""


class ForeignError(CollectionError):
    """The directory holds something that is not a collection, or one of a newer layout."""


class LockedError(CollectionError):
    """Another process is writing to the collection."""


class StorageError(CollectionError):
    """The disk refused: it is full, read-only, or access is not permitted."""


class UnreachableError(StorageError):
    """A Chroma server cannot be used now: it is down or silent, refuses, or is something else.

    ``reason`` is the message without what to do about it.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class DamagedError(CollectionError):
    """What is stored cannot be trusted."""


class EmbedderMismatchError(CollectionError):
    """The collection was embedded with another embedder than the one in use."""


class UnknownPaperError(CollectionError):
    """No paper of the collection has that id, DOI, arXiv id or title."""


class FetchError(RagError):
    """A live source (arXiv, Daily Papers) did not answer as it should."""


class RefusedError(FetchError):
    """A live source does not take the request: asking again would not help."""


class StatusError(RefusedError):
    """The refusal came as an HTTP ``status``, with this ``body``."""

    def __init__(self, message: str, status: int, body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class ModelError(RagError):
    """A model cannot be used."""


class WeightsError(ModelError):
    """Bundled weights are missing or are not the ones that were shipped."""


class EndpointError(ModelError):
    """An endpoint did not answer as it should."""


class ContextOverflowError(EndpointError):
    """The request and the answer asked for are longer than the model reads."""


class ContentFilterError(EndpointError):
    """A content filter of the endpoint withheld the answer, or the rest of it."""
