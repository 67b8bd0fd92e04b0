"""A run's log: rows of its file, and a status row; what it shows is read by a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.glyphs import UNICODE, Glyphs
from backprop_tui.tui.log.escapes import plain_text
from backprop_tui.tui.log.page import LogPage, draw_search_input, draw_status
from backprop_tui.tui.log.painting import GUTTER_COLUMNS, RowPainter, changed_cells, row_at, row_painter, row_width
from backprop_tui.tui.log.session import LogSession
from backprop_tui.tui.log.thread import LOOK_SECONDS, LogThread
from backprop_tui.tui.tokens import Line
from backprop_tui.tui.widgets.sheet import Sheet

_ASIDE_COLUMNS = 8


class PageRead(Message, bubble=False):
    """The thread has something else to show."""

    def __init__(self, page: LogPage) -> None:
        super().__init__()
        self.page = page


class LogView(Sheet):
    """The file at the path that `watch_path` names, which may be None."""

    class SearchTurned(Message):
        """A search began, or ended."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow", show=False, id="follow"),
        Binding("w", "wrap", "wrap", show=False, id="wrap"),
        Binding("n", "match(True)", "next match", show=False, id="next_match"),
        Binding("N", "match(False)", "previous match", show=False, id="previous_match"),
        Binding("exclamation_mark", "error", "next error", show=False, id="next_error"),
        Binding("escape", "end_search", "end the search", show=False, id="end_search"),
        Binding("h,left", "aside(-1)", "left", show=False, id="log_left"),
        Binding("l,right", "aside(1)", "right", show=False, id="log_right"),
        Binding("0", "line_start", "line start", show=False, id="line_start"),
        Binding("dollar_sign", "line_end", "line end", show=False, id="line_end"),
    ]

    def __init__(
        self,
        path: str | None,
        *,
        glyphs: Glyphs = UNICODE,
        id: str | None = None,  # noqa: A002 - Textual's name
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        super().__init__(glyphs=glyphs, id=id)
        self.path = path
        self.page_shown = LogPage(path=path)
        self._session_of = (True, False)
        self._left = 0
        self._typed: str | None = None
        self._brush: RowPainter | None = None
        self._thread = LogThread(lambda page: self.post_message(PageRead(page)), look_seconds=look_seconds)

    def on_mount(self) -> None:
        """The thread begins."""
        self._thread.start()
        self._open(self.path)

    def on_unmount(self) -> None:
        """The thread ends."""
        self._thread.stop()

    def on_show(self) -> None:
        """It is seen: it reads."""
        self._thread.rest(resting=False)

    def on_hide(self) -> None:
        """Nobody sees it: nothing is read."""
        self._thread.rest(resting=True)

    def watch_path(self, path: str | None, *, live: bool = True, failed: bool = False) -> None:
        """Shows another file, one that failed at its error; `live` says whether more may be written to it."""
        if path != self.path:
            self.path = path
            self._session_of = live, failed
            self._open(path)
        elif (live, failed) != self._session_of:
            if failed and not self._session_of[1] and self.page_shown.following:
                self._thread.submit(LogSession.to_last_error)
            self._session_of = live, failed
            self._thread.submit(lambda session: setattr(session, "live", live))

    @property
    def is_searching(self) -> bool:
        """Whether a search is on, which owns `n`, `N` and `esc`."""
        return self.page_shown.search is not None

    def to_top(self) -> None:
        """Another run begins where its own log wants to."""

    def move(self, rows: int) -> None:
        """Scrolls; from the last row on it follows."""
        self._thread.submit(lambda session: session.move(rows))

    def move_to(self, place: int) -> None:
        """The top, or the end."""
        self._thread.submit(LogSession.to_end if place else LogSession.to_top)

    def paint(self) -> None:
        """Another size, perhaps."""
        width, height = self._room
        self._thread.submit(lambda session: session.resize(width, height))
        self._show_status()

    @property
    def _room(self) -> tuple[int, int]:
        """Columns and rows for the log."""
        return max(1, self.size.width - GUTTER_COLUMNS - 1), max(0, self.size.height - 1)

    def _open(self, path: str | None) -> None:
        live, failed = self._session_of
        self._left, self._typed = 0, None
        session = LogSession(path, live=live, failed=failed)
        session.resize(*self._room)
        self._thread.open(session)
        self._show_page(LogPage(path=path, live=live))

    @on(PageRead)
    def _page_read(self, message: PageRead) -> None:
        if message.page.path == self.path or message.page.path is None:
            self._show_page(message.page)

    def _show_page(self, page: LogPage) -> None:
        """Paints the rows that changed."""
        before, self.page_shown = self.page_shown, page
        most = max(len(before.rows), len(page.rows))
        changed = [y for y in range(most) if row_at(before, y) != row_at(page, y)]
        if changed:
            self.refresh(*self._regions(before, changed))
        if (before.search is None) != (page.search is None):
            self.post_message(self.SearchTurned())
        self._show_status()

    def _regions(self, before: LogPage, changed: list[int]) -> Iterator[Region]:
        """What to paint: few cells where it follows, for the line's sake; all at once for a key, for the eye's."""
        width, page = self.size.width, self.page_shown
        if self._left or not (before.following and page.following):
            yield Region(0, changed[0], width, changed[-1] - changed[0] + 1)
            return
        for y in changed:
            for start, end in changed_cells(row_at(before, y), row_at(page, y), width):
                yield Region(start, y, end - start, 1)

    def _show_status(self) -> None:
        width, rows = self.size.width, self._room[1]
        self.show([*((),) * rows, self._status(width)] if width > 0 else [])

    def _status(self, width: int) -> Line:
        if self._typed is not None:
            return draw_search_input(self._typed, width, self.glyphs)
        return draw_status(self.page_shown, width, self.glyphs)

    def line_text(self, row: int) -> str:
        """The letters of a row, as they are in the log, or of the status."""
        if row < len(self.page_shown.rows):
            return " " + plain_text(self.page_shown.rows[row].spans)
        return super().line_text(row)

    def render_line(self, y: int) -> Strip:
        """One row, as Textual asks for it."""
        row, is_target = row_at(self.page_shown, y)
        if row is None or y >= self._room[1]:
            return super().render_line(y)
        if self._brush is None:
            native = bool(self.app.current_theme.ansi)
            self._brush = row_painter(
                lambda piece, cursor: self._style(piece, cursor=cursor), self.glyphs, is_native=native
            )
        return self._brush.strip(row, left=self._left, width=self.size.width, is_target=is_target)

    def notify_style_update(self) -> None:
        """Another theme: other colours."""
        super().notify_style_update()
        self._brush = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`n`, `N` and `esc` belong to a search that is on; else they are the screen's."""
        if action == "match":
            return self.is_searching
        return self.is_searching or self.page_shown.seeking if action == "end_search" else True

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """While a search is typed, letters are letters."""
        return self._typed is not None and character is not None and character.isprintable()

    def action_follow(self) -> None:
        """On and off."""
        self._thread.submit(LogSession.toggle_follow)

    def action_wrap(self) -> None:
        """On and off."""
        self._left = 0
        self._thread.submit(LogSession.toggle_wrap)

    def action_match(self, forward: bool) -> None:  # noqa: FBT001 - Textual's actions take what stands in brackets
        """The next one, or the one before."""
        self._thread.submit(lambda session: session.next_match(forward=forward))

    def action_error(self) -> None:
        """The next one below, then from the top."""
        self._thread.submit(LogSession.next_error)

    def action_end_search(self) -> None:
        """Esc: what is being sought is given up, then the search."""
        seeking = self.page_shown.seeking
        self._thread.submit(LogSession.stop_seeking if seeking else lambda session: session.search(""))

    def action_aside(self, steps: int) -> None:
        """Scrolls to the side."""
        self._aside(self._left + steps * _ASIDE_COLUMNS)

    def action_line_start(self) -> None:
        """0."""
        self._aside(0)

    def action_line_end(self) -> None:
        """$."""
        self._aside(self._longest)

    @property
    def _longest(self) -> int:
        """How far there is something to scroll to the side for."""
        cells = max(map(row_width, self.page_shown.rows), default=0)
        return max(0, cells - (self.size.width - GUTTER_COLUMNS))

    def _aside(self, left: int) -> None:
        left = max(0, min(left, max(self._longest, self._left if left < self._left else 0)))
        if left != self._left:
            self._left = left
            self.refresh()

    def action_search(self) -> None:
        """Slash: the status row takes what is typed."""
        self._typed = ""
        self._show_status()

    @on(events.Key)
    def _key(self, event: events.Key) -> None:
        if self._typed is None and event.key != "slash":  # slash here: bindings come after letters that arrive with it
            return
        event.stop()
        event.prevent_default()
        if self._typed is None:
            self.action_search()
            return
        match event.key:
            case "enter":
                typed, self._typed = self._typed, None
                self._thread.submit(lambda session: session.search(typed))
            case "escape":
                self._typed = None
            case "backspace":
                self._typed = self._typed[:-1] if self._typed else None
            case "ctrl+u":
                self._typed = ""
            case _ if event.character is not None and event.character.isprintable():
                self._typed += event.character
        self._show_status()

    @on(events.Paste)
    def _pasted(self, event: events.Paste) -> None:
        if self._typed is not None:
            event.stop()
            self._typed += sanitize(event.text)
            self._show_status()

    @on(events.Blur)
    def _left_alone(self) -> None:
        self._typed = None
        self._show_status()

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        if event.y == self.size.height - 1:
            self.action_follow()
