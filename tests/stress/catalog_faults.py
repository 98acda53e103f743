"""Pages of the catalog damaged, and the files that SQLite keeps beside it lost or damaged."""

from __future__ import annotations

import random
import shlex
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from eval.standin import StandInEmbedder
from rag.backup.saving import back_up
from rag.errors import DamagedError, ForeignError, StorageError
from rag.health import examine, unreadable
from rag.schema import Record
from rag.store.collection import Collection
from rag.store.database import FILE_NAME
from tests.stress.commands import HELD, clear, refused
from tests.stress.scenario import whole

PAGE_BYTES = 4_096

FILLS: Mapping[str, Callable[[random.Random], bytes]] = {
    "ones": lambda _: b"\xff" * PAGE_BYTES,
    "zeros": lambda _: bytes(PAGE_BYTES),
    "noise": lambda chance: chance.randbytes(PAGE_BYTES),
}


def pages(template: Path) -> int:
    """How many pages the catalog of a collection has."""
    return (template / "papers" / FILE_NAME).stat().st_size // PAGE_BYTES


def damaged_page(fill: str, page: int, template: Path, place: Path, chance: random.Random) -> str:
    """A page overwritten: writing and backing up are refused, `doctor` names what restores.

    Returns the message; empty where the page held nothing.
    """
    here = Path(shutil.copytree(template, place / "here"))
    directory, file = here / "papers", here / "papers" / FILE_NAME
    back_up(directory, place / "kept.zip")
    for left in directory.glob(f"{FILE_NAME}-*"):
        left.unlink()
    with file.open("r+b") as out:
        out.seek(page * PAGE_BYTES)
        was = out.read(PAGE_BYTES)
        out.seek(page * PAGE_BYTES)
        out.write(FILLS[fill](chance))
    damaged = file.read_bytes()
    message = refused("add", here)
    if not message:
        _harmless(directory, was)
        return ""
    assert file.read_bytes() == damaged, "it was written to"
    assert refused("backup", here), "a backup was made of it"
    remedy = _doctor(directory)
    assert f"footnoted restore {shlex.quote(str(place / 'kept.zip'))} --force" in remedy, remedy
    return message


def _harmless(directory: Path, was: bytes) -> None:
    """See that a page that was not missed is one that holds nothing that is needed."""
    assert whole(directory).papers >= HELD, f"a page of {len(was.strip(bytes(1)))} bytes is missed"


def _doctor(directory: Path) -> str:
    """The remedies that ``footnoted doctor`` names."""
    try:
        with closing(Collection(directory, create=False)) as collection:
            findings = []
            for finding in examine(collection, StandInEmbedder()):
                findings.append(finding)
                if not finding.well:
                    break
    except DamagedError as error:
        findings = [unreadable(directory, error)]
    except ForeignError as error:
        return str(error)
    return "; ".join(finding.remedy for finding in findings)


def cut_off(template: Path, place: Path) -> Path:
    """A collection as a power cut leaves it: the last that was written is in the log alone."""
    here = Path(shutil.copytree(template, place / "running"))
    left = place / "left"
    with closing(Collection(here / "papers", create=False)) as collection:
        records = [Record(f"Late {n}", f"Paper {n} came late.", source="l") for n in range(50)]
        with collection.writing(StandInEmbedder()) as writing:
            writing.catalog.put(records)
            shutil.copytree(here, left)
    assert (left / "papers" / f"{FILE_NAME}-wal").stat().st_size
    return left


LOG_DAMAGES: Mapping[str, tuple[str, Callable[[bytes, random.Random], bytes | None]]] = {
    "-wal as it is": ("-wal", lambda data, _: data),
    "-wal deleted": ("-wal", lambda _, __: None),
    "-wal cut off": ("-wal", lambda data, chance: data[: chance.randrange(len(data))]),
    "-wal with a changed byte": ("-wal", lambda data, chance: _changed(data, chance)),
    "-wal of noise": ("-wal", lambda data, chance: chance.randbytes(len(data))),
    "-shm deleted": ("-shm", lambda _, __: None),
    "-shm of noise": ("-shm", lambda data, chance: chance.randbytes(len(data))),
    "-shm cut off": ("-shm", lambda data, chance: data[: chance.randrange(len(data))]),
}
_HARMLESS = ("-wal as it is", "-shm deleted", "-shm of noise", "-shm cut off")


def damaged_log(damage: str, template: Path, place: Path, chance: random.Random) -> str:
    """A log lost or damaged: an earlier state that is whole, or a refusal that says what to do."""
    left = cut_off(template, place)
    suffix, change = LOG_DAMAGES[damage]
    path = left / "papers" / f"{FILE_NAME}{suffix}"
    data = change(path.read_bytes(), chance)
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    try:
        held = whole(left / "papers")
    except (DamagedError, StorageError) as error:
        assert damage not in _HARMLESS
        return clear(error)
    assert HELD <= held.papers <= HELD + 50
    assert held.papers == HELD + 50 or damage not in _HARMLESS
    assert refused("add", left) == ""
    assert whole(left / "papers").unembedded == 0
    return ""


def _changed(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
