"""Settings: the only reader of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rag.errors import SettingError

MAX_NAME_CHARS = 100
_MAX_NAME_BYTES = 255  # what file systems take


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set from outside.

    ``home`` is the directory under which named collections live; ``collection`` the one used
    when none is named; ``embedder`` says what turns text into vectors (``bundled``, or
    ``openai:MODEL`` with an optional ``@BASE_URL``); ``api_key`` goes to that endpoint only and
    is never shown.
    """

    home: Path
    collection: str = "default"
    embedder: str = "bundled"
    api_key: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read ``FOOTNOTED_HOME``, ``_COLLECTION``, ``_EMBEDDER`` and ``OPENAI_API_KEY``.

        Blank variables count as unset. Without ``FOOTNOTED_HOME`` collections live in the
        user's data directory of the platform.

        Raises:
            SettingError: ``FOOTNOTED_HOME`` begins with ``~`` and a user who is not known.
        """
        home = environ.get("FOOTNOTED_HOME", "").strip()
        return cls(
            home=_expanded(home) if home else _default_home(),
            collection=environ.get("FOOTNOTED_COLLECTION", "").strip() or "default",
            embedder=environ.get("FOOTNOTED_EMBEDDER", "").strip() or "bundled",
            api_key=environ.get("OPENAI_API_KEY", "").strip() or None,
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
