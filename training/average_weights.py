"""The weighted mean of trained weights: ``average_weights.py ONE 0.3 TWO 0.7 RESULT``."""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file


def main(one: Path, first: float, two: Path, second: float, result: Path) -> None:
    """Write the mean (Wortsman et al. 2022, https://arxiv.org/abs/2203.05482)."""
    a, b = load_file(one), load_file(two)
    save_file({name: a[name] * first + b[name] * second for name in a}, result)


if __name__ == "__main__":
    _, one, first, two, second, result = sys.argv
    main(Path(one), float(first), Path(two), float(second), Path(result))
