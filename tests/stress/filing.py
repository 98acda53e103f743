"""A command that writes one file: the file that stands is whole, the earlier one or the new one."""

from __future__ import annotations

from pathlib import Path

from tests.stress.scenario import Held, Said, Say, Scenario, assistant, fill, whole

PAPERS = 400


class Filing(Scenario):
    """A collection is written to a file while it grows between the rounds."""

    def __init__(self) -> None:
        self.number = PAPERS
        self.in_file: str | None = None

    def write(self, directory: Path, file: Path) -> None:
        """Write the file."""
        raise NotImplementedError

    def read(self, file: Path) -> str:
        """Check every byte of the file; returns the fingerprint of the papers in it."""
        raise NotImplementedError

    def read_back(self, file: Path, directory: Path) -> Held:
        """Make a collection of the file and say what that holds."""
        raise NotImplementedError

    def prepare(self, place: Path) -> None:
        fill(place / "papers", range(PAPERS))
        with assistant(place / "papers") as opened:
            opened.ask("What is grokking?")

    def work(self, place: Path, say: Say) -> None:
        self.write(place / "papers", place / "file.zip")

    def change(self, place: Path) -> None:
        fill(place / "papers", [self.number])
        self.number += 1
        if self.number % 3 == 0:  # so that the first file of all is cut off as well
            (place / "file.zip").unlink(missing_ok=True)
            self.in_file = None

    def look(self, place: Path, said: Said, *, ended: bool) -> None:
        now, file = whole(place / "papers"), place / "file.zip"
        assert now.papers == self.number
        found = self.read(file) if file.exists() else None
        assert found in ({now.fingerprint} if ended else {self.in_file, now.fingerprint})
        self.in_file = found
        if ended:
            assert self.read_back(file, place / "again") == now
            assert not list(place.glob(".*")), "something is left beside the file"
