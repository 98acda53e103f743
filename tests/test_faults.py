"""A little of ``python -m tests.stress faults``: each fault once, told in a line, nothing lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.stress import index_faults
from tests.stress.catalog_faults import damaged_page, pages
from tests.stress.commands import COMMANDS, template
from tests.stress.disk_faults import full_disk
from tests.stress.disks import CannotMountError
from tests.stress.faults import FAULTS


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("faults") / "template")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_in_a_line_and_loses_nothing(held: Path, tmp_path: Path, name: str) -> None:
    try:
        message = FAULTS[name](held, tmp_path, random.Random(3))
    except CannotMountError as error:
        pytest.skip(f"mounting is not permitted here: {error}")
    if name.startswith(("read-only: ", "no permission", "backup, ")):
        assert message


@pytest.mark.parametrize("command", COMMANDS)
def test_without_any_room_every_command_says_so(held: Path, tmp_path: Path, command: str) -> None:
    class NoRoom(random.Random):
        def randrange(self, *_: object) -> int:
            return 0

    try:
        message = full_disk(command, held, tmp_path, NoRoom())
    except CannotMountError as error:
        pytest.skip(f"mounting is not permitted here: {error}")
    assert "check that the disk has room" in message.lower()


def test_every_page_of_the_catalog_is_guarded(held: Path, tmp_path: Path) -> None:
    chance, told = random.Random(5), 0
    for page in range(0, pages(held), 7):
        place = tmp_path / str(page)
        place.mkdir()
        told += bool(damaged_page("noise", page, held, place, chance))
    assert told > pages(held) // 14


@pytest.mark.parametrize("damage", ["delete", "cut", "garble"])
def test_a_damaged_index_is_made_again(tmp_path: Path, damage: str) -> None:
    held = index_faults.big(tmp_path / "big")
    damaged = index_faults.damaged(held, tmp_path, random.Random(11), [damage])
    assert len(damaged) >= 7
    everything = len(index_faults.SOUGHT)
    for copy, found in zip(damaged, index_faults.looked_into(damaged), strict=True):
        # Where Chroma's library crashes, the next search knows that from what was noted.
        assert "signal" in found or found["found"] == everything, (copy.name, found)
        assert found["again"] == everything, (copy.name, found)
        assert found["rebuilt"], (copy.name, found)
