"""The packages that this program needs: which are missing, and how to install them."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from importlib.util import find_spec
from shlex import quote

from backprop_tui.domain.errors import PackageMissing

_AFTER_NAME = r"[^\w.-]"


def installed_version(package: str) -> str | None:
    """None if the package is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def missing_requirements() -> list[str]:
    """What this installation requires and does not have, such as `textual<8.3,>=8.2.8`; empty if it has no metadata."""
    try:
        requirements = metadata.requires("backprop-tui") or []
    except metadata.PackageNotFoundError:
        return []
    needed = [requirement for requirement in requirements if ";" not in requirement]  # those of extras have a condition
    return [requirement for requirement in needed if installed_version(re.split(_AFTER_NAME, requirement)[0]) is None]


def missing_package(module: str) -> PackageMissing:
    """The error of an import that failed, with the command that installs everything that is missing."""
    return PackageMissing(
        f"no module {module} in {sys.executable}", install_command(missing_requirements() or [module])
    )


def install_command(requirements: list[str]) -> str:
    """A command line for the environment of this program; those made by uv have no pip."""
    pip = f"{quote(sys.executable)} -m pip install"
    if find_spec("pip") is None:
        pip = f"uv pip install --python {quote(sys.executable)}"
    return " ".join([pip, *map(quote, requirements)])
