"""Where the user's settings and the state lie."""

from __future__ import annotations

import os

APPLICATION = "backprop"


def user_config_path() -> str:
    """The user's config.toml, whether it exists or not."""
    return os.path.join(_user_folder("XDG_CONFIG_HOME", "~/.config"), "config.toml")


def state_directory() -> str:
    """BACKPROP_HOME, else an existing ~/.backprop of the original tool, else the user's data directory."""
    chosen = os.environ.get("BACKPROP_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    original = os.path.expanduser("~/.backprop")
    if os.path.isdir(original):
        return original
    return _user_folder("XDG_DATA_HOME", "~/.local/share")


def _user_folder(variable: str, usual: str) -> str:
    """What platformdirs gives on Linux (a test compares), whose import costs as much as starting Python does.

    A relative path counts as none: https://specifications.freedesktop.org/basedir-spec/latest/#basics.
    """
    chosen = os.environ.get(variable, "").strip()
    folder = chosen if os.path.isabs(chosen) else os.path.expanduser(usual)
    return os.path.join(folder, APPLICATION)
