"""Fixtures. No test opens a socket to anywhere but this machine: the first import sees to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import tests.offline.sitecustomize  # noqa: F401
from rag.assistant import Assistant
from tests.backups import OPENED
from tests.makers import SAMPLE

# For a long search of counterexamples: pytest --hypothesis-profile=wide --hypothesis-seed=1
settings.register_profile(
    "wide",
    max_examples=3_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # another program may have the processor
)


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the sample collection in it, under the name ``sample``."""
    home = tmp_path_factory.mktemp("home")
    with Assistant.open(home / "sample") as assistant:
        assistant.add(SAMPLE)
    return home


@pytest.fixture(autouse=True)
def closed_behind() -> Iterator[None]:
    """Close the assistants that a test of backups has opened."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def sample(sample_home: Path) -> Iterator[Assistant]:
    """An assistant over the sample collection, to read from."""
    with Assistant.open(sample_home / "sample", create=False, history=False) as assistant:
        yield assistant
