"""Paths for a new run: completions of a path that is being typed, and the example script of the package."""

from __future__ import annotations

import os
import stat

from backprop_tui.demo.scenario import EXAMPLE
from backprop_tui.domain.lazy_dataclass import lazy_dataclass

_MAX_ENTRIES_SCANNED = 2000
MAX_COMPLETIONS = 12
_SCRIPT_ENDINGS = (".py", ".sh")


def example_script() -> str | None:
    """The path of the example; None if the package was installed without its scripts."""
    return EXAMPLE if os.path.isfile(EXAMPLE) else None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    """The paths that start with `typed`; a directory ends in a slash."""

    typed: str
    paths: tuple[str, ...] = ()

    @property
    def common(self) -> str:
        """The longest prefix that all paths share; never shorter than what was typed."""
        first, last = min(self.paths, default=""), max(self.paths, default="")  # what these share, all paths share
        prefix = os.path.commonprefix([first, last])  # noqa: RUF071 - of characters, not of components
        return prefix if len(prefix) > len(self.typed) else self.typed


def completions(typed: str) -> Completions:
    """Completes a path: scripts first, then directories, then other files; none if the directory cannot be read."""
    folder, _, start = typed.rpartition("/")
    base = f"{folder}/" if "/" in typed else ""
    try:
        names = _matching_names(os.path.expanduser(base) or ".", start)
    except OSError:
        return Completions(typed=typed)
    return Completions(typed=typed, paths=tuple(base + name for name in names[:MAX_COMPLETIONS]))


def _matching_names(folder: str, start: str) -> list[str]:
    names: list[str] = []
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= _MAX_ENTRIES_SCANNED:
                break
            is_hidden = entry.name.startswith(".") and not start.startswith(".")
            if entry.name.startswith(start) and not is_hidden:
                names.append(entry.name + ("/" if _is_directory(entry) else ""))
    return sorted(names, key=_rank)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISDIR(entry.stat().st_mode)
    except OSError:
        return False


def _rank(name: str) -> tuple[int, str]:
    return (0 if name.endswith(_SCRIPT_ENDINGS) else 1 if name.endswith("/") else 2, name)
