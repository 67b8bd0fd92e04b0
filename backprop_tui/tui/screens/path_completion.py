"""Completions of a path that is being typed."""

from __future__ import annotations

import os
import stat

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Token, clip
from backprop_tui.tui.screens.form import INDENT

_MAX_ENTRIES_SCANNED = 2000
MAX_COMPLETIONS = 12
_SCRIPT_ENDINGS = (".py", ".sh")
_TAB = " tab completes"


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


class PathCompletion:
    """What tab does to the path under the cursor: complete the common part, then cycle through the candidates."""

    def __init__(self) -> None:
        self._completions = Completions(typed="")
        self.chosen: int | None = None  # index of the candidate that tab put into the field
        self.typed = ""

    @property
    def candidates(self) -> tuple[str, ...]:
        """The paths to choose from; none when the only one has been typed already."""
        paths = self._completions.paths
        return () if paths == (self.typed,) and self.chosen is None else paths

    @staticmethod
    def path_before_cursor(text: str, cursor: int, *, whole_field: bool) -> str | None:
        """Returns the path to complete, None when there is none.

        With `whole_field` the field is a path. Otherwise options and quoted words are left alone, and so is an empty
        word behind the first.
        """
        before = text[:cursor]
        if whole_field:
            return before or None
        start = max(before.rfind(" "), before.rfind("=")) + 1
        word = before[start:]
        if word.startswith(("-", "'", '"')) or (not word and before):
            return None
        return word

    def show(self, new: Completions) -> None:
        """Offers completions of another path; keeps the candidates that tab is cycling through."""
        paths = self._completions.paths
        if self.chosen is not None and new.typed == paths[self.chosen] and len(paths) > 1:
            self.typed = new.typed
            return
        self._completions, self.chosen, self.typed = new, None, new.typed

    def next_path(self) -> str:
        """Returns the path that tab replaces the typed one with."""
        if self.chosen is None and self._completions.common != self.typed:
            return self._completions.common
        self.chosen = 0 if self.chosen is None else (self.chosen + 1) % len(self._completions.paths)
        return self._completions.paths[self.chosen]


def draw_completions(completion: PathCompletion, width: int, glyphs: Glyphs) -> Line:
    """As many completions as fit, without the directories they share."""
    paths, chosen = completion.candidates, completion.chosen
    if not paths:
        return ()
    builder = LineBuilder().put(INDENT)
    room = width - len(_TAB)
    first = 0 if chosen is None else max(0, chosen - 2)
    for index in range(first, len(paths)):
        stem = paths[index].rstrip("/").rpartition("/")[0]
        name = paths[index][len(stem) + 1 :] if stem else paths[index]
        if builder.column + len(name) + 2 > room:
            if index == first:
                builder.put(clip(name, room - builder.column - 2, glyphs))
            else:
                builder.put(glyphs.clipped, Token.MUTED)
            break
        builder.put(f" {name} ", Token.FG if index == chosen else Token.MUTED, chosen=index == chosen)
    return builder.put(" tab", Token.ACCENT, bold=True).put(" completes", Token.MUTED).line()
