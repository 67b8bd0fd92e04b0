"""Where settings may come from, without reading them."""

from __future__ import annotations

import os
from collections.abc import Mapping

PROJECT_FILES = ("backprop.toml", "backprop.config.json", ".backprop.json")
_NOT_SETTINGS = frozenset({"BACKPROP_HOME", "BACKPROP_HOST"})


def project_file(directory: str) -> str | None:
    """Returns the path of the project's file in a directory, the first name that exists; None if there is none."""
    paths = (os.path.join(directory, name) for name in PROJECT_FILES)
    return next((path for path in paths if os.path.lexists(path)), None)


def may_have_settings(user_file: str, directory: str, environment: Mapping[str, str]) -> bool:
    """Whether there is a file or a variable that may set something."""
    variables = (name for name in environment if name.startswith("BACKPROP_") and name not in _NOT_SETTINGS)
    return os.path.lexists(user_file) or project_file(directory) is not None or any(variables)
