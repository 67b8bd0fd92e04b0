"""Paths of the user's settings and of the state directory."""

from __future__ import annotations

import os

APPLICATION = "backprop"


def user_config_path() -> str:
    """The user's config.toml, whether it exists or not."""
    return os.path.join(_user_folder("XDG_CONFIG_HOME", "~/.config"), "config.toml")


def state_directory() -> str:
    """Returns BACKPROP_HOME, else an existing ~/.backprop of the original tool, else the user's data directory."""
    chosen = os.environ.get("BACKPROP_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    original = os.path.expanduser("~/.backprop")
    if os.path.isdir(original):
        return original
    return _user_folder("XDG_DATA_HOME", "~/.local/share")


def _user_folder(variable: str, usual: str) -> str:
    """Returns the same as platformdirs on Linux (a test compares), whose import takes as long as starting Python.

    A relative path is ignored: https://specifications.freedesktop.org/basedir-spec/latest/#basics.
    """
    chosen = os.environ.get(variable, "").strip()
    folder = chosen if os.path.isabs(chosen) else os.path.expanduser(usual)
    return os.path.join(folder, APPLICATION)
