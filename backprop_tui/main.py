"""The program: puts the rooms together."""

from __future__ import annotations

import sys

from backprop_tui.cli.entry import enter


def main() -> int:
    """What `backprop-tui` on the command line is; returns the exit code."""
    return enter(sys.argv[1:])
