"""Paths as people write them: with a tilde for their home directory."""

from __future__ import annotations

import os


def with_tilde(path: str) -> str:
    """The path itself where it is not below the home directory of who looks."""
    user = os.path.expanduser("~")
    return "~" + path[len(user) :] if user != "/" and (path == user or path.startswith(user + "/")) else path
