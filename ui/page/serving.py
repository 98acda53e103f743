"""How the page is served: address, secret, limits; checked before anything listens."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import SettingError

MIN_SECRET_CHARS = 12
_MAX_SECRET_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Serving:
    """Where to listen, who may ask, and how much.

    ``secret`` is a password and a token at once: browsers send it as the password of any user,
    programs as a bearer token. ``rate`` counts questions (and uploads) a minute for each client,
    ten times as many searches; ``at_once`` the questions of one client that may run together;
    ``queue`` how many may wait in all. ``answer_s`` is the time limit of an answer. ``proxy``
    is the host name of a reverse proxy on this machine whose forwarded addresses are believed.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    secret: str | None = field(default=None, repr=False)
    rate: int = 30
    at_once: int = 2
    queue: int = 64
    upload_mb: int = 50
    answer_s: float = 120.0
    read_only: bool = False
    history: bool = True
    proxy: str | None = None

    def __post_init__(self) -> None:
        open_to = self.proxy or (None if is_loopback(self.host) else self.host)
        if open_to is not None and self.secret is None:
            raise SettingError(
                f"{open_to!r} can be reached from other machines, and anybody there could ask, "
                "upload and remove; give a password with --password-file FILE, or listen on "
                "127.0.0.1"
            )

    @property
    def address(self) -> str:
        """What to open in a browser on this machine."""
        host = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104 (compared)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name counts only if it is localhost."""
    name = host.lower().removeprefix("[").removesuffix("]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def read_secret(path: Path) -> str:
    """The password in a file: its first line, which must be the only one.

    Raises:
        SettingError: it cannot be read, is shorter than `MIN_SECRET_CHARS`, or is no single line.
    """
    try:
        data = path.read_bytes()[: _MAX_SECRET_BYTES + 1]
        secret = data.decode().strip()
    except OSError as error:
        raise SettingError(
            f"the password file {path} cannot be read: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingError(f"the password file {path} is not text in UTF-8") from error
    if len(data) > _MAX_SECRET_BYTES or "\n" in secret:
        raise SettingError(f"the password file {path} holds more than one line; expected only one")
    if len(secret) < MIN_SECRET_CHARS:
        raise SettingError(
            f"the password in {path} has {len(secret)} characters, at least {MIN_SECRET_CHARS} "
            "are needed; make one with: openssl rand -hex 16"
        )
    return secret
