"""Files and directories that begin as the path under the cursor does."""

from __future__ import annotations

import os
import stat

from backprop_tui.domain.values import dataclass

_MOST_LOOKED_AT = 2000
MOST_SHOWN = 12
_FIRST = (".py", ".sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    """`typed` is the path as far as it was typed; `paths` are whole, a directory ends in a slash."""

    typed: str
    paths: tuple[str, ...] = ()

    @property
    def common(self) -> str:
        """What all of them begin with; never less than was typed."""
        first, last = min(self.paths, default=""), max(self.paths, default="")  # what they share, all between share
        size = next(
            (place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first)
        )
        found = first[:size]
        return found if len(found) > len(self.typed) else self.typed


def completions(typed: str) -> Completions:
    """Scripts first, then directories, then the rest; none where the directory cannot be read."""
    folder, _, start = typed.rpartition("/")
    base = f"{folder}/" if "/" in typed else ""
    try:
        found = _entries(os.path.expanduser(base) or ".", start)
    except OSError:
        return Completions(typed=typed)
    return Completions(typed=typed, paths=tuple(base + name for name in found[:MOST_SHOWN]))


def _entries(folder: str, start: str) -> list[str]:
    names: list[str] = []
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= _MOST_LOOKED_AT:
                break
            hidden = entry.name.startswith(".") and not start.startswith(".")
            if entry.name.startswith(start) and not hidden:
                names.append(entry.name + ("/" if _is_directory(entry) else ""))
    return sorted(names, key=_rank)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISDIR(entry.stat().st_mode)
    except OSError:
        return False


def _rank(name: str) -> tuple[int, str]:
    return (0 if name.endswith(_FIRST) else 1 if name.endswith("/") else 2, name)
