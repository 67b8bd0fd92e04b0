"""A run's log: rows of its file and a status row; a thread of its own reads what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import LOG_ACTIONS, bindings
from backprop_tui.tui.glyphs import UNICODE, Glyphs
from backprop_tui.tui.layout import ANY_ROWS
from backprop_tui.tui.lines import Line
from backprop_tui.tui.log.escapes import plain_text
from backprop_tui.tui.log.page import LogPage, draw_search_input, draw_status
from backprop_tui.tui.log.painting import GUTTER_COLUMNS, RowPainter, changed_cells, row_at, row_painter, row_width
from backprop_tui.tui.log.session import LOOK_SECONDS, LogSession, LogThread
from backprop_tui.tui.widgets.line_widget import ScrollView, edited

_SIDEWAYS_COLUMNS = 8


class PageRead(Message, bubble=False):
    """The thread has something new to show."""

    def __init__(self, page: LogPage) -> None:
        super().__init__()
        self.page = page


class LogView(ScrollView):
    """Shows the file given to `watch_path`; None: no file."""

    class SearchToggled(Message):
        """A search started or ended."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(action for action in LOG_ACTIONS if action.id != "search")

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
        self._live, self._failed = True, False
        self._left = 0
        self._typed: str | None = None
        self._brush: RowPainter | None = None
        self._thread = LogThread(lambda page: self.post_message(PageRead(page)), look_seconds=look_seconds)

    def on_mount(self) -> None:
        self._thread.start()
        self._open(self.path)

    def on_unmount(self) -> None:
        self._thread.stop()

    def on_show(self) -> None:
        self._thread.rest(resting=False)

    def on_hide(self) -> None:
        self._thread.rest(resting=True)

    def watch_path(self, path: str | None, *, live: bool = True, failed: bool = False) -> None:
        """Shows a file; of a failed run at its last error. `live` says whether more may be written to it."""
        old_live, old_failed = self._live, self._failed
        self._live, self._failed = live, failed
        if path != self.path:
            self.path = path
            self._open(path)
        elif (live, failed) != (old_live, old_failed):
            if failed and not old_failed and self.page_shown.following:
                self._thread.submit(LogSession.to_last_error)
            self._thread.submit(lambda session: setattr(session, "live", live))

    @property
    def is_searching(self) -> bool:
        """Whether a search is active; `n`, `N` and `esc` belong to it then."""
        return self.page_shown.search is not None

    @property
    def content_rows(self) -> int:
        """How many rows it can fill with its status row; if some are hidden, any number."""
        rows = len(self.page_shown.rows)
        return rows + 1 if rows < self._room[1] else ANY_ROWS

    def to_top(self) -> None:
        """Does nothing: each log opens at a position of its own."""

    def move(self, rows: int) -> None:
        """Scroll; at the last row it starts to follow."""
        self._thread.submit(lambda session: session.move(rows))

    def move_to(self, index: int) -> None:
        """Goes to the top (0) or to the end."""
        self._thread.submit(LogSession.to_end if index else LogSession.to_top)

    def paint(self) -> None:
        width, height = self._room
        self._thread.submit(lambda session: session.resize(width, height))
        self._show_status()

    @property
    def _room(self) -> tuple[int, int]:
        return max(1, self.size.width - GUTTER_COLUMNS - 1), max(0, self.size.height - 1)

    def _open(self, path: str | None) -> None:
        self._left, self._typed = 0, None
        session = LogSession(path, live=self._live, failed=self._failed)
        session.resize(*self._room)
        self._thread.open(session)
        self._show_page(LogPage(path=path, live=self._live))

    @on(PageRead)
    def _page_read(self, message: PageRead) -> None:
        if message.page.path == self.path or message.page.path is None:
            self._show_page(message.page)

    def _show_page(self, page: LogPage) -> None:
        before, self.page_shown = self.page_shown, page
        most = max(len(before.rows), len(page.rows))
        changed = [y for y in range(most) if row_at(before, y) != row_at(page, y)]
        if changed:
            self.refresh(*self._regions(before, changed))
        if (before.search is None) != (page.search is None):
            self.post_message(self.SearchToggled())
        self._show_status()

    def _regions(self, before: LogPage, changed: list[int]) -> Iterator[Region]:
        """Yields what to paint: single cells while it follows, to send little; everything at once after a key."""
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
        if row < len(self.page_shown.rows):
            return " " + plain_text(self.page_shown.rows[row].spans)
        return super().line_text(row)

    def render_line(self, y: int) -> Strip:
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
        super().notify_style_update()
        self._brush = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leaves `n`, `N` and `esc` to the screen unless a search is active."""
        if action == "match":
            return self.is_searching
        return self.is_searching or self.page_shown.seeking if action == "end_search" else True

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return self._typed is not None and character is not None and character.isprintable()

    def action_follow(self) -> None:
        self._thread.submit(LogSession.toggle_follow)

    def action_wrap(self) -> None:
        self._left = 0
        self._thread.submit(LogSession.toggle_wrap)

    def action_match(self, forward: bool) -> None:  # noqa: FBT001 - a parameter of the action string
        self._thread.submit(lambda session: session.next_match(forward=forward))

    def action_next_error(self) -> None:
        """Goes to the next error below; after the last to the first."""
        self._thread.submit(LogSession.next_error)

    def action_end_search(self) -> None:
        """Gives up the search in progress, then the search itself."""
        seeking = self.page_shown.seeking
        self._thread.submit(LogSession.stop_seeking if seeking else lambda session: session.search(""))

    def action_scroll_sideways(self, steps: int) -> None:
        self._scroll_sideways(self._left + steps * _SIDEWAYS_COLUMNS)

    def action_line_start(self) -> None:
        self._scroll_sideways(0)

    def action_line_end(self) -> None:
        self._scroll_sideways(self._overflow)

    @property
    def _overflow(self) -> int:
        cells = max(map(row_width, self.page_shown.rows), default=0)
        return max(0, cells - (self.size.width - GUTTER_COLUMNS))

    def _scroll_sideways(self, left: int) -> None:
        left = max(0, min(left, max(self._overflow, self._left if left < self._left else 0)))
        if left != self._left:
            self._left = left
            self.refresh()

    def action_search(self) -> None:
        self._typed = ""
        self._show_status()

    @on(events.Key)
    def _key(self, event: events.Key) -> None:
        # Slash is no binding: bindings run only after the letters that arrive with them.
        if self._typed is None and event.key != "slash":
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
            case "backspace" if not self._typed:
                self._typed = None
            case _:
                self._typed = edited(self._typed, event)
        self._show_status()

    @on(events.Paste)
    def _pasted(self, event: events.Paste) -> None:
        if self._typed is not None:
            event.stop()
            self._typed += sanitize(event.text)
            self._show_status()

    @on(events.Blur)
    def _focus_lost(self) -> None:
        self._typed = None
        self._show_status()

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        if event.y == self.size.height - 1:
            self.action_follow()
