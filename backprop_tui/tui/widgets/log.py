"""The end of a run's log: a stand-in, until there is a view that scrolls anywhere in it."""

from __future__ import annotations

from backprop_tui.tui.reading.log_end import LogEnd
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.sheet import Sheet
from backprop_tui.tui.wording import numbers
from backprop_tui.tui.wording.cells import clip
from backprop_tui.tui.wording.glyphs import UNICODE, Glyphs


class LogView(Sheet):
    """The last lines of the file at `path`, which may be None; `look` reads again where it grew."""

    def __init__(self, path: str | None, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        super().__init__(glyphs=glyphs, id=id)
        self._end = LogEnd(path)
        self._lines_read: tuple[str, ...] = ()

    @property
    def path(self) -> str | None:
        """The file that is shown."""
        return self._end.path

    def watch_path(self, path: str | None) -> None:
        """Shows another file."""
        if path != self._end.path:
            self._end = LogEnd(path)
            self.look()

    def look(self) -> None:
        """Reads what was added."""
        self._lines_read = self._end.read()
        self.paint()

    def paint(self) -> None:
        """The newest lines above the status."""
        room = max(0, self.size.height - 1)
        shown = self._lines_read[-room:] if room else ()
        lines: list[Line] = [(Piece(" " + clip(text, self.size.width - 2, self.glyphs)),) for text in shown]
        lines += [()] * (room - len(lines))
        self.show([*lines, self._status()])

    def _status(self) -> Line:
        if self._end.path is None:
            return (Piece(" no log", Token.MUTED),)
        if not self._end.size:
            return (Piece(" nothing printed yet", Token.MUTED),)
        following = Piece(f" {self.glyphs.following} following", Token.OK)
        return following, Piece(f"  {numbers.size(self._end.size)}  its last lines", Token.MUTED)
