"""Settings: the only reader of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from rag.errors import SettingError

MAX_NAME_CHARS = 100
MIN_WINDOW = 1024
MAX_REQUESTS = 32
ARXIV_URL = "https://export.arxiv.org/api/query"
LOCAL = "local"
DAILY_PAPERS_URL = "https://huggingface.co/api/daily_papers"
_MAX_NAME_BYTES = 255  # what file systems take


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set from outside.

    ``home`` is the directory under which named collections live; ``collection`` the one used
    when none is named; ``embedder`` says what turns text into vectors (``bundled``, or
    ``openai:MODEL`` with an optional ``@BASE_URL``). ``model`` names the language model that
    writes answers (None: none does), ``base_url`` the endpoint where it is asked for (None:
    OpenAI's own), ``window`` how many tokens it reads and writes in one go (None: not said).
    ``api_key`` is that endpoint's, and OpenAI's own; ``embedder_key`` that of the endpoint of the
    embedder, where it is another. Neither is ever shown. ``embedder_requests`` is how many requests
    that endpoint gets at a time (None: 4). ``arxiv_url`` and
    ``daily_papers_url`` are where papers are fetched from: the services' own, or mirrors of them.
    ``chroma`` is the Chroma server on which new collections have their index (None: each has it in
    its own directory), and ``chroma_token`` what is shown to it; that is never shown elsewhere.
    """

    home: Path
    collection: str = "default"
    embedder: str = "bundled"
    api_key: str | None = field(default=None, repr=False)
    embedder_key: str | None = field(default=None, repr=False)
    embedder_requests: int | None = None
    model: str | None = None
    base_url: str | None = None
    window: int | None = None
    arxiv_url: str = ARXIV_URL
    daily_papers_url: str = DAILY_PAPERS_URL
    chroma: str | None = None
    chroma_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read ``FOOTNOTED_HOME``, ``_COLLECTION``, ``_EMBEDDER``, ``_MODEL`` and ``_WINDOW``.

        ``_EMBEDDER_KEY``, ``_EMBEDDER_REQUESTS``, ``_ARXIV_URL``, ``_DAILY_PAPERS_URL``,
        ``_CHROMA`` and ``_CHROMA_TOKEN`` too, and ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL``,
        which other programs know. Blank variables count as unset. Without ``FOOTNOTED_HOME``
        collections live in the user's data directory of the platform.

        Raises:
            SettingError: ``FOOTNOTED_HOME`` begins with ``~`` and a user who is not known;
                ``FOOTNOTED_WINDOW`` is no number of tokens, ``FOOTNOTED_EMBEDDER_REQUESTS`` not
                1 to 32; ``FOOTNOTED_CHROMA`` is no address of
                a server; a token cannot be sent.
        """

        def value(name: str) -> str | None:
            return environ.get(name, "").strip() or None

        home = value("FOOTNOTED_HOME")
        return cls(
            home=_expanded(home) if home else _default_home(),
            collection=value("FOOTNOTED_COLLECTION") or "default",
            embedder=value("FOOTNOTED_EMBEDDER") or "bundled",
            api_key=value("OPENAI_API_KEY"),
            embedder_key=value("FOOTNOTED_EMBEDDER_KEY"),
            embedder_requests=_requests(value("FOOTNOTED_EMBEDDER_REQUESTS")),
            model=value("FOOTNOTED_MODEL"),
            base_url=value("OPENAI_BASE_URL"),
            window=_window(value("FOOTNOTED_WINDOW")),
            arxiv_url=value("FOOTNOTED_ARXIV_URL") or ARXIV_URL,
            daily_papers_url=value("FOOTNOTED_DAILY_PAPERS_URL") or DAILY_PAPERS_URL,
            chroma=chroma_server(value("FOOTNOTED_CHROMA") or LOCAL),
            chroma_token=_token(value("FOOTNOTED_CHROMA_TOKEN")),
        )

    def directory(self, collection: str | None = None) -> Path:
        """The directory of a named collection, or of one given by its path.

        A value with a path separator is a path; anything else is a name under ``home``.

        Raises:
            SettingError: the name is blank, ``.`` or ``..``, starts with a dot or a dash, or has
                more than `MAX_NAME_CHARS` characters; the path names a user who is not known.
        """
        name = self.collection if collection is None else collection
        if "/" in name or "\\" in name:
            return _expanded(name)
        if len(name) > MAX_NAME_CHARS:
            raise SettingError(
                f"the name of the collection, {name[:40]!r}…, has {len(name):,} characters, at "
                f"most {MAX_NAME_CHARS} are taken; choose a shorter one"
            )
        if not name.strip() or name[0] in ".-" or not name.isprintable():
            raise SettingError(
                f"{name!r} does not name a collection; expected a name such as 'reading-list', "
                "or a path with a slash such as './reading-list'"
            )
        if len(name.encode()) > _MAX_NAME_BYTES:
            raise SettingError(
                f"the name of the collection, {name[:40]!r}…, takes {len(name.encode())} bytes, at "
                f"most {_MAX_NAME_BYTES} fit in a file name; choose a shorter one"
            )
        return self.home / name


def chroma_server(where: str) -> str | None:
    """The address of a Chroma server, spelt one way; None for ``local``.

    Raises:
        SettingError: it is neither, or holds a password or a query.
    """
    if where == LOCAL:
        return None
    try:
        parts = urlsplit(where)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # What is mistyped may hold a password all the same.
    if "@" in where or "?" in where or "#" in where:
        raise SettingError(
            "the address of the Chroma server is given with a user, a password or a query, which "
            "would be stored; put a token into FOOTNOTED_CHROMA_TOKEN instead"
        )
    if not usable or not where.isprintable() or " " in where:
        raise SettingError(
            f"--chroma or FOOTNOTED_CHROMA is {where[:100]!r}, expected the address of a Chroma "
            f"server, such as http://localhost:8000, or '{LOCAL}' for the collection's own "
            "directory"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _token(value: str | None) -> str | None:
    """A token as it is.

    Raises:
        SettingError: it holds what no header can.
    """
    if value and not (value.isascii() and value.isprintable() and " " not in value):
        raise SettingError(
            "FOOTNOTED_CHROMA_TOKEN holds a space, a line break or a non-ASCII character"
        )
    return value


def _window(value: str | None) -> int | None:
    """A number of tokens.

    Raises:
        SettingError: it is none, or below `MIN_WINDOW`.
    """
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or int(value[:12]) < MIN_WINDOW:
        raise SettingError(
            f"FOOTNOTED_WINDOW is {value[:40]!r}, expected how many tokens the model reads and "
            f"writes in one go: a number from {MIN_WINDOW:,}, such as 8192"
        )
    return int(value[:12])


def _requests(value: str | None) -> int | None:
    """A number of requests.

    Raises:
        SettingError: it is none, or not 1 to `MAX_REQUESTS`.
    """
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:12]) <= MAX_REQUESTS):
        raise SettingError(
            f"FOOTNOTED_EMBEDDER_REQUESTS is {value[:40]!r}, expected how many requests an "
            f"endpoint gets at a time: 1 to {MAX_REQUESTS}"
        )
    return int(value[:12])


def _expanded(path: str) -> Path:
    """The path with ``~`` replaced by the home directory.

    Raises:
        SettingError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SettingError(
            f"the path {path!r} begins with a user who is not known here; write the path in full, "
            "or './~…' for a folder of that name"
        ) from None


def _default_home() -> Path:
    from platformdirs import user_data_path

    return user_data_path("footnoted", appauthor=False)
