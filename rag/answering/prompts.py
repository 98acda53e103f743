"""Prompts: files in ``prompts/`` with front matter, filled in with variables that are checked."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b, sha256
from importlib.resources import files
from string import Template

from rag.errors import SettingError

_MARK = "---\n"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with its version; ``variables`` are all that its text names."""

    name: str
    version: int
    description: str
    variables: frozenset[str]
    text: str

    @property
    def reference(self) -> str:
        """How records name it: ``judge@1``."""
        return f"{self.name}@{self.version}"

    @property
    def checksum(self) -> str:
        """SHA-256 of the text: a change of it needs a new version."""
        return sha256(self.text.encode()).hexdigest()

    def fill(self, **values: str) -> str:
        """The text with its variables replaced; what is put in is not looked into.

        Raises:
            SettingError: a variable is missing or unknown.
        """
        if set(values) != self.variables:
            raise SettingError(
                f"prompt {self.reference} takes {sorted(self.variables)}, got {sorted(values)}"
            )
        return Template(self.text).substitute(values)


def load(name: str) -> Prompt:
    """The prompt in ``prompts/NAME.md``.

    Raises:
        SettingError: there is none, or its front matter and text do not agree.
    """
    import yaml

    file = files("prompts") / f"{name}.md"
    if not file.is_file():
        raise SettingError(f"there is no prompt {name!r}")
    _, head, text = file.read_text(encoding="utf-8").split(_MARK, 2)
    matter = yaml.safe_load(head)
    variables = frozenset(matter["variables"])
    named = frozenset(Template(text).get_identifiers())
    if matter["name"] != name or named != variables:
        raise SettingError(
            f"prompts/{name}.md calls itself {matter['name']!r} with variables "
            f"{sorted(variables)}, its text names {sorted(named)}"
        )
    return Prompt(name, int(matter["version"]), str(matter["description"]), variables, text)


def fence(text: str) -> str:
    """A mark for the beginning and end of a text in a prompt that the text cannot hold.

    It is a hash of the text, so that equal requests are equal.
    """
    return "=====" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
