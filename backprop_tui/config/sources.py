"""Where settings may come from, without reading them."""

from __future__ import annotations

import os
from collections.abc import Mapping

APPLICATION = "backprop"
PROJECT_FILES = ("backprop.toml", "backprop.config.json", ".backprop.json")
_NOT_SETTINGS = frozenset({"BACKPROP_HOME", "BACKPROP_HOST"})


def user_config_path() -> str:
    """The user's config.toml, whether it exists or not."""
    return os.path.join(user_folder("XDG_CONFIG_HOME", "~/.config"), APPLICATION, "config.toml")


def user_folder(variable: str, usual: str) -> str:
    """A folder of the XDG standard, as platformdirs finds it (a test compares), which is slow to import.

    A relative path is ignored: https://specifications.freedesktop.org/basedir-spec/latest/#basics.
    """
    chosen = os.environ.get(variable, "").strip()
    return chosen if os.path.isabs(chosen) else in_home(usual)


def in_home(path: str) -> str:
    """The path with `~` replaced, for a user without a home by what Debian calls it: never a directory named `~`."""
    expanded = os.path.expanduser(path)
    return f"/nonexistent{path.removeprefix('~')}" if expanded == path else expanded


def config_command(user_file: str) -> str:
    """The words before `set` that change this file: `backprop-tui config`, with --config if it is not the usual one."""
    import shlex

    named = "" if user_file == user_config_path() else f"--config {shlex.quote(user_file)} "
    return f"backprop-tui {named}config"


def project_file(directory: str) -> str | None:
    """Returns the path of the project's file in a directory, the first name that exists; None if there is none."""
    paths = (os.path.join(directory, name) for name in PROJECT_FILES)
    return next((path for path in paths if os.path.lexists(path)), None)


def may_have_settings(user_file: str, directory: str, environment: Mapping[str, str]) -> bool:
    """Whether there is a file or a variable that may set something."""
    variables = (name for name in environment if name.startswith("BACKPROP_") and name not in _NOT_SETTINGS)
    return os.path.lexists(user_file) or project_file(directory) is not None or any(variables)
