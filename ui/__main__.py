"""``python -m ui``: the same as the ``footnoted`` command."""

from __future__ import annotations

import sys

from ui.cli import main

sys.exit(main())
