"""The example that comes with the package."""

from __future__ import annotations

import os

from backprop_tui.demo.programme import EXAMPLE


def example_script() -> str | None:
    """Its path; None where the package was installed without its scripts."""
    return EXAMPLE if os.path.isfile(EXAMPLE) else None
