"""A run's log: rows of its file and a status row; a thread of its own reads what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import LOG_ACTIONS, bindings
from backprop_tui.tui.glyphs import UNICODE, Glyphs
from backprop_tui.tui.layout import ANY_ROWS
from backprop_tui.tui.lines import Line
from backprop_tui.tui.log.escapes import plain_text
from backprop_tui.tui.log.page import AttemptStart, LogPage, draw_prompt, draw_status
from backprop_tui.tui.log.painting import (
    EDGE_COLUMNS,
    GUTTER_COLUMNS,
    RowOnPage,
    RowPainter,
    changed_cells,
    row_at,
    row_painter,
    row_width,
)
from backprop_tui.tui.log.session import LogSession
from backprop_tui.tui.log.thread import LOOK_SECONDS, LogThread
from backprop_tui.tui.widgets.line_widget import ScrollView, edited

_SIDEWAYS_COLUMNS = 8
_LINES_BEFORE, _LINES_AFTER = 400, 100  # of the cursor, in which a traceback is looked for
_PROMPTS = {"slash": "/", "ampersand": "&"}  # by key


_TYPED = ("search", "filter_lines")  # no bindings: those run only after the letters that arrive with them


class PageRead(Message, bubble=False):
    """The thread has something new to show."""

    def __init__(self, page: LogPage) -> None:
        super().__init__()
        self.page = page


def _is_clear(page: LogPage) -> bool:
    return not (page.search or page.filter or page.marked or page.seeking)


class LogView(ScrollView):
    """Shows the file given to `watch_path`; None: no file."""

    class SearchToggled(Message):
        """The keys that apply are others: a search, a filter or marks began or ended."""

    class EndLeft(Message):
        """The cursor left the place at which the log opens, or is there again."""

    class LinesChosen(Message):
        """Lines are to be copied."""

        def __init__(self, lines: Sequence[str]) -> None:
            super().__init__()
            self.lines = lines

    class PlaceChosen(Message):
        """The place in a script that a line names is to be opened: the lines around it, and the index of its own."""

        def __init__(self, lines: Sequence[str], index: int) -> None:
            super().__init__()
            self.lines, self.index = lines, index

    BINDINGS: ClassVar[list[BindingType]] = bindings(action for action in LOG_ACTIONS if action.id not in _TYPED)

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
        self._attempts: Sequence[AttemptStart] = ()
        self._left = 0
        self._prompt = "/"
        self._last_search = ""  # in this log
        self._typed: str | None = None
        self._brush: RowPainter | None = None
        self._expected_size = Size(0, 0)  # before the first layout
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

    def watch_path(
        self, path: str | None, *, live: bool = True, failed: bool = False, attempts: Sequence[AttemptStart] = ()
    ) -> None:
        """Shows a file; of a failed run at its last error. `live` says whether more may be written to it."""
        before = self._live, self._failed, self._attempts
        self._live, self._failed, self._attempts = live, failed, attempts
        if path != self.path:
            self.path, self._last_search = path, ""
            self._open(path)
        elif before != (live, failed, attempts):
            self._thread.submit(lambda session: session.attend(attempts, live=live, failed=failed))

    @property
    def is_searching(self) -> bool:
        """Whether a search is active; `n` and `N` belong to it then."""
        return self.page_shown.search is not None

    @property
    def content_rows(self) -> int:
        """How many rows it can fill with its status row; if some are hidden, any number."""
        rows = len(self.page_shown.rows)
        return rows + 1 if rows < self._room[1] else ANY_ROWS

    def to_top(self) -> None:
        """Does nothing: each log opens at a position of its own."""

    def move(self, rows: int) -> None:
        """Moves the cursor; beyond the last line it starts to follow."""
        self._thread.submit(lambda session: session.step(rows))

    def page(self, share: float) -> None:
        rows = int(self.size.height * share)
        self._thread.submit(lambda session: session.move(rows, carry=True))

    def turn_wheel(self, rows: int) -> None:
        self._thread.submit(lambda session: session.move(rows))

    def go_to_line(self, number: int) -> None:
        self._thread.submit(lambda session: session.to_number(number))

    def move_to(self, index: int) -> None:
        """Goes to the top (0) or to the end."""
        self._thread.submit(LogSession.to_end if index else LogSession.to_top)

    def paint(self) -> None:
        width, height = self._room
        self._thread.submit(lambda session: session.resize(width, height))
        self._show_status()

    def expect_size(self, width: int, height: int) -> None:
        """Notes what size it will have, so that the log can be read before the first layout."""
        self._expected_size = Size(max(0, width), max(0, height))

    def await_page(self, seconds: float) -> None:
        """Shows the log with the next paint if it can be read so soon."""
        page = self._thread.page_within(seconds)
        if page is not None:
            self._page_read(PageRead(page))

    @property
    def _shown_size(self) -> Size:
        return self.size or self._expected_size

    @property
    def _room(self) -> tuple[int, int]:
        size = self._shown_size
        return max(1, size.width - GUTTER_COLUMNS - EDGE_COLUMNS), max(0, size.height - 1)

    def _open(self, path: str | None) -> None:
        self._left, self._typed = 0, None
        session = LogSession(path, live=self._live, failed=self._failed, attempts=self._attempts)
        session.resize(*self._room)
        self._thread.open(session)
        self._show_page(LogPage(path=path, live=self._live))

    @on(PageRead)
    def _page_read(self, message: PageRead) -> None:
        is_ours = message.page.path == self.path or message.page.path is None
        if is_ours and message.page is not self.page_shown:
            self._show_page(message.page)

    def _show_page(self, page: LogPage) -> None:
        old = [self._row(y) for y in range(self._room[1])]
        before, self.page_shown = self.page_shown, page
        new = [self._row(y) for y in range(self._room[1])]
        changed = [y for y in range(len(new)) if old[y] != new[y]]
        if changed:
            follows = before.following and page.following and not self._left
            regions = [*self._regions(old, new, changed, cells_only=follows)]
            if regions:  # without any, `refresh` would paint everything
                self.refresh(*regions)
        if _is_clear(before) != _is_clear(page) or (before.search is None) != (page.search is None):
            self.post_message(self.SearchToggled())
        if before.elsewhere != page.elsewhere:
            self.post_message(self.EndLeft())
        self._show_status()

    def _row(self, y: int) -> RowOnPage:
        return row_at(self.page_shown, y, focused=self.has_focus)

    def _regions(
        self, old: Sequence[RowOnPage], new: Sequence[RowOnPage], changed: Sequence[int], *, cells_only: bool
    ) -> Iterator[Region]:
        """Yields what to paint: single cells while it follows, to send little; everything at once after a key."""
        width = self.size.width
        if not cells_only:
            yield Region(0, changed[0], width, changed[-1] - changed[0] + 1)
            return
        for y in changed:
            for start, end in changed_cells(old[y], new[y], width):
                yield Region(start, y, end - start, 1)

    def _show_status(self) -> None:
        width, rows = self._shown_size.width, self._room[1]
        self.show([*((),) * rows, self._status(width)] if width > 0 else [])

    def _status(self, width: int) -> Line:
        if self._typed is not None:
            return draw_prompt(self._prompt, self._typed, width, self.glyphs)
        return draw_status(self.page_shown, width, self.glyphs)

    def line_text(self, row: int) -> str:
        if row < len(self.page_shown.rows):
            return " " + plain_text(self.page_shown.rows[row].spans)
        return super().line_text(row)

    def render_line(self, y: int) -> Strip:
        if y >= self._room[1]:
            return super().render_line(y)
        if self._brush is None:
            native = bool(self.app.current_theme.ansi)
            self._brush = row_painter(
                lambda piece, cursor: self._style(piece, cursor=cursor), self.glyphs, is_native=native
            )
        return self._brush.strip(self._row(y), left=self._left, width=self.size.width)

    def selectable_columns(self, y: int) -> tuple[int, int]:
        return (GUTTER_COLUMNS, self.size.width - EDGE_COLUMNS) if y < self._room[1] else super().selectable_columns(y)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._brush = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leaves `n` and `N` to the screen while nothing was searched, and `esc` while nothing is theirs to end."""
        if action == "match":
            return self.is_searching or bool(self._last_search)
        return not _is_clear(self.page_shown) if action == "end_search" else True

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return self._typed is not None and character is not None and character.isprintable()

    def action_follow(self) -> None:
        self._thread.submit(LogSession.toggle_follow)

    def action_wrap(self) -> None:
        self._left = 0
        self._thread.submit(LogSession.toggle_wrap)

    def action_match(self, forward: bool) -> None:  # noqa: FBT001 - a parameter of the action string
        """Goes to the next match; without a search it repeats the last one."""
        last = "" if self.is_searching else self._last_search
        if last:
            self._thread.submit(lambda session: session.search(last))
        self._thread.submit(lambda session: session.next_match(forward=forward))

    def action_next_error(self) -> None:
        """Goes to the next error below; after the last to the first."""
        self._thread.submit(LogSession.next_error)

    def action_end_search(self) -> None:
        """Gives up the jump in progress, then the search, the filter and the marks."""
        self._thread.submit(LogSession.escape)

    def action_mark(self) -> None:
        self._thread.submit(LogSession.toggle_mark)

    def action_extend_marks(self, lines: int) -> None:
        self._thread.submit(lambda session: session.extend_marks(lines))

    def action_copy_lines(self) -> None:
        """Posts the marked lines, or the one of the cursor."""
        self._thread.submit(lambda session: self.post_message(self.LinesChosen(session.take_chosen())))

    def action_editor(self) -> None:
        """Posts the lines around the cursor."""

        def choose(session: LogSession) -> None:
            self.post_message(self.PlaceChosen(*session.lines_around(_LINES_BEFORE, _LINES_AFTER)))

        self._thread.submit(choose)

    def action_scroll_sideways(self, steps: int) -> None:
        self._scroll_sideways(self._left + steps * _SIDEWAYS_COLUMNS)

    def action_line_start(self) -> None:
        self._scroll_sideways(0)

    def action_line_end(self) -> None:
        self._scroll_sideways(self._overflow)

    @property
    def _overflow(self) -> int:
        cells = max(map(row_width, self.page_shown.rows), default=0)
        return max(0, cells - (self.size.width - GUTTER_COLUMNS - EDGE_COLUMNS))

    def _scroll_sideways(self, left: int) -> None:
        left = max(0, min(left, max(self._overflow, self._left if left < self._left else 0)))
        if left != self._left:
            self._left = left
            self.refresh()

    def action_search(self) -> None:
        self._open_prompt("/")

    def action_filter_lines(self) -> None:
        self._open_prompt("&")

    def _open_prompt(self, prompt: str) -> None:
        self._prompt, self._typed = prompt, ""
        self._show_status()

    @on(events.Key)
    def _key(self, event: events.Key) -> None:
        if self._typed is None and event.key not in _PROMPTS:
            return
        event.stop()
        event.prevent_default()
        if self._typed is None:
            self._open_prompt(_PROMPTS[event.key])
            return
        match event.key:
            case "enter":
                typed, self._typed = self._typed, None
                if self._prompt == "/":
                    self._last_search = typed
                submit = LogSession.search if self._prompt == "/" else LogSession.show_only
                self._thread.submit(lambda session: submit(session, typed))
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

    @on(events.Focus)
    @on(events.Blur)
    def _focus_changed(self) -> None:
        self._typed = None
        self.refresh()
        self._show_status()

    @on(events.MouseDown)
    def _pressed(self, event: events.MouseDown) -> None:
        """Moves the cursor to the line, which no longer moves away; at the right edge goes to that part of the log."""
        row = event.y
        if event.button != 1 or row >= self._room[1]:
            return
        if event.x >= self.size.width - EDGE_COLUMNS and self.page_shown.thumb:
            self._thread.submit(lambda session: session.to_edge(row))
        else:
            self._thread.submit(lambda session: session.point(row))

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        if event.y == self.size.height - 1 and not self.piece_at(event).click:
            self.action_follow()
