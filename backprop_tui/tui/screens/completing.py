"""What tab does to the path under the cursor: as far as it is certain, then one candidate after the other."""

from __future__ import annotations

from backprop_tui.tui.new_run.paths import Completions


class Completing:
    """The candidates that are offered, and which of them stands in the field already."""

    def __init__(self) -> None:
        self._found = Completions(typed="")
        self._place: int | None = None
        self.typed = ""

    @property
    def offered(self) -> tuple[str, ...]:
        """None of them where the only one is what was typed."""
        paths = self._found.paths
        return () if paths == (self.typed,) and self._place is None else paths

    @property
    def chosen(self) -> int | None:
        """The place of the candidate that tab put into the field; None before."""
        return self._place

    def word(self, text: str, cursor: int, *, whole: bool) -> str | None:
        """The path before the cursor, None where nothing is to be completed.

        With `whole` the field is a path. A quoted word is left alone, and so is nothing at all behind a first word.
        """
        before = text[:cursor]
        if whole:
            return before or None
        start = max(before.rfind(" "), before.rfind("=")) + 1
        word = before[start:]
        if word.startswith(("-", "'", '"')) or (not word and before):
            return None
        return word

    def show(self, found: Completions) -> None:
        """Candidates for another path; those that tab goes through stay."""
        if self._place is not None and found.typed == self._found.paths[self._place] and len(self._found.paths) > 1:
            self.typed = found.typed
            return
        self._found, self._place, self.typed = found, None, found.typed

    def following(self) -> str:
        """What tab makes of the path."""
        if self._place is None and self._found.common != self.typed:
            return self._found.common
        self._place = 0 if self._place is None else (self._place + 1) % len(self._found.paths)
        return self._found.paths[self._place]
