"""The example that comes with the sources."""

from __future__ import annotations

import os

import backprop_tui

_EXAMPLE = ("examples", "train_digits.py")


def example_script() -> str | None:
    """Its path; None where the package was installed without it."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(backprop_tui.__file__)))
    path = os.path.join(root, *_EXAMPLE)
    return path if os.path.isfile(path) else None
