from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.makers import ROOT, SAMPLE


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = out.glob("*.whl")
    return built


def test_the_wheel_holds_packages_and_their_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "rag/py.typed",
        "rag/models/weights/embedder.onnx",
        "rag/models/weights/embedder-tokenizer.json",
        "rag/models/weights/checksums.json",
        "eval/__main__.py",
        "ui/cli.py",
        "prompts/__init__.py",
    ):
        assert needed in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"rag", "eval", "ui", "prompts", f"{wheel.name.split('-py3')[0]}.dist-info"}


def test_the_wheel_answers_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", str(bare)], check=True)
    pip = [str(bare / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    # Third-party packages are lent by this environment; its editable install of Footnoted is not
    # (.pth files count only in an environment's own directory).
    environ = {
        **os.environ,
        "PYTHONPATH": sysconfig.get_paths()["purelib"],
        "FOOTNOTED_HOME": str(tmp_path / "home"),
    }

    def run(*arguments: str) -> str:
        command = [str(bare / "bin" / "footnoted"), *arguments]
        return subprocess.run(
            command, env=environ, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    assert run("add", str(SAMPLE / "003_5a5d18c49c6f775d.txt")).startswith("50 added")
    assert "[1] MindAgent: Emergent Gaming Interaction" in run("ask", "What is MindAgent?")
    where = subprocess.run(
        [str(bare / "bin" / "python"), "-c", "import rag; print(rag.__file__)"],
        env=environ, cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert str(bare) in where.stdout
