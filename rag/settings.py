"""Settings: the only reader of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import SettingError

MAX_NAME_CHARS = 100
MIN_WINDOW = 1024
ARXIV_URL = "https://export.arxiv.org/api/query"
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
    embedder, where it is another. Neither is ever shown. ``arxiv_url`` and
    ``daily_papers_url`` are where papers are fetched from: the services' own, or mirrors of them.
    """

    home: Path
    collection: str = "default"
    embedder: str = "bundled"
    api_key: str | None = field(default=None, repr=False)
    embedder_key: str | None = field(default=None, repr=False)
    model: str | None = None
    base_url: str | None = None
    window: int | None = None
    arxiv_url: str = ARXIV_URL
    daily_papers_url: str = DAILY_PAPERS_URL

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read ``FOOTNOTED_HOME``, ``_COLLECTION``, ``_EMBEDDER``, ``_MODEL`` and ``_WINDOW``.

        ``_EMBEDDER_KEY``, ``_ARXIV_URL`` and ``_DAILY_PAPERS_URL`` too, and ``OPENAI_API_KEY`` and
        ``OPENAI_BASE_URL``, which other programs know. Blank variables count as unset. Without
        ``FOOTNOTED_HOME`` collections live in the user's data directory of the platform.

        Raises:
            SettingError: ``FOOTNOTED_HOME`` begins with ``~`` and a user who is not known;
                ``FOOTNOTED_WINDOW`` is no number of tokens.
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
            model=value("FOOTNOTED_MODEL"),
            base_url=value("OPENAI_BASE_URL"),
            window=_window(value("FOOTNOTED_WINDOW")),
            arxiv_url=value("FOOTNOTED_ARXIV_URL") or ARXIV_URL,
            daily_papers_url=value("FOOTNOTED_DAILY_PAPERS_URL") or DAILY_PAPERS_URL,
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
