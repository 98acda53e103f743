"""A module of ours run in a process of its own, because Chroma's native library can crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


def run_apart(module: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run ``python -m MODULE PATH…`` and wait for its end; the paths are made absolute.

    Nothing that lies in the current directory is imported, whatever it is called.

    Raises:
        subprocess.TimeoutExpired: it did not end within `TIMEOUT_S` seconds.
    """
    inherited = os.environ.get("PYTHONPATH")
    return subprocess.run(  # noqa: S603 (our own module, no shell)
        [sys.executable, "-P", "-m", module, *(str(path.absolute()) for path in paths)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), inherited]))},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        text=True,
    )
