"""Where the user's settings and the state lie."""

from __future__ import annotations

import os

APPLICATION = "backprop"


def user_config_path() -> str:
    """The user's config.toml, whether it exists or not."""
    import platformdirs

    return os.path.join(platformdirs.user_config_dir(APPLICATION), "config.toml")


def state_directory() -> str:
    """BACKPROP_HOME, else an existing ~/.backprop of the original tool, else the platform's data directory."""
    chosen = os.environ.get("BACKPROP_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    original = os.path.expanduser("~/.backprop")
    if os.path.isdir(original):
        return original
    import platformdirs

    return platformdirs.user_data_dir(APPLICATION)
