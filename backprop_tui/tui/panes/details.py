"""The Details tab: everything that is known about the selected run, with a cursor on one of the values."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events, on
from textual.message import Message

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.presentation.run_details import DetailSection
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip_middle, left, width_of, wrapped
from backprop_tui.tui.panes.waiting import REMEDY_MARK, CheckRow, WaitingView, draw_waiting
from backprop_tui.tui.widgets.line_widget import ScrollView

_NAME = 15
_TWO_COLUMNS = 100
_LEFT = ("Run", "Cause", "Queue", "Command")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DrawnDetails:
    """The lines, and for each check and each value in the order of the cursor: its line, its name and its text."""

    lines: Sequence[Line]
    places: Sequence[tuple[int, str, str]]


def draw_details(
    sections: Sequence[DetailSection],
    width: int,
    glyphs: Glyphs,
    *,
    waiting: WaitingView | None = None,
    cursor: int | None = None,
) -> DrawnDetails:
    """The sections in one or two columns, above them why the run waits.

    `cursor` counts the failing checks, then the values down the first column, then down the second.
    """
    if waiting is None:
        return _draw_sections(sections, width, glyphs, cursor)
    table = draw_waiting(waiting, width, glyphs, cursor=cursor)
    checks = [
        (line, row.name, " ".join(filter(None, (row.now, row.limit))))
        for line, row in zip(table.places, waiting.failing, strict=True)
    ]
    below = _draw_sections(sections, width, glyphs, None if cursor is None else cursor - len(checks))
    above = [*table.lines, ()]
    return DrawnDetails(lines=[*above, *below.lines], places=[*checks, *_shifted(below.places, len(above))])


def _draw_sections(sections: Sequence[DetailSection], width: int, glyphs: Glyphs, cursor: int | None) -> DrawnDetails:
    if width < _TWO_COLUMNS:
        lines, places = _column(sections, width, glyphs, cursor)
        return DrawnDetails(lines=lines, places=places)
    half = width // 2
    first_part = [section for section in sections if section.title in _LEFT]
    second_part = [section for section in sections if section not in first_part]
    first, places = _column(first_part, half - 2, glyphs, cursor)
    beyond = None if cursor is None else cursor - len(places)
    second, more = _column(second_part, width - half - 2, glyphs, beyond)
    lines = []
    for index in range(max(len(first), len(second))):
        builder = LineBuilder().extend(first[index] if index < len(first) else ())
        builder.at(half).put(glyphs.divider, Token.RULE)
        lines.append(builder.extend(second[index] if index < len(second) else ()).line())
    return DrawnDetails(lines=lines, places=[*places, *more])


def _shifted(places: Sequence[tuple[int, str, str]], by: int) -> list[tuple[int, str, str]]:
    return [(line + by, name, value) for line, name, value in places]


def _column(
    sections: Sequence[DetailSection], width: int, glyphs: Glyphs, cursor: int | None
) -> tuple[list[Line], list[tuple[int, str, str]]]:
    lines: list[Line] = []
    places: list[tuple[int, str, str]] = []
    for section in sections:
        if lines:
            lines.append(())
        lines.append((Piece(f" {section.title}", bold=True),))
        for name, value in section.lines:
            chosen = cursor == len(places)
            places.append((len(lines), name or section.title.lower(), value))
            lines += _value_lines(name, value, width, glyphs, chosen=chosen)
    return lines, places


def _value_lines(name: str, value: str, width: int, glyphs: Glyphs, *, chosen: bool) -> list[Line]:
    room = max(1, width - _NAME - 1)
    if " " not in value.strip():
        shown = [clip_middle(value, room, glyphs)]
    else:
        shown = [clip_middle(row, room, glyphs) for row in wrapped(value, room)]
    return [
        (Piece(" " + left("" if index else name, _NAME, glyphs), Token.MUTED), Piece(row, chosen=chosen))
        for index, row in enumerate(shown)
    ]


class DetailsTab(ScrollView):
    """Everything about the run; a cursor, shown while the tab has the focus, chooses a value to copy."""

    class RemedyClicked(Message):
        """The remedy of the check under the cursor was clicked."""

    _sections: Sequence[DetailSection] = ()
    _waiting: WaitingView | None = None
    _index = 0
    _drawn = DrawnDetails(lines=(), places=())

    def show_details(self, sections: Sequence[DetailSection], waiting: WaitingView | None) -> None:
        self._sections, self._waiting = sections, waiting
        self._draw()

    def _draw(self) -> None:
        cursor = self._index if self.has_focus else None
        self._drawn = draw_details(self._sections, self.size.width, self.glyphs, waiting=self._waiting, cursor=cursor)
        self.show_content(self._drawn.lines)

    def to_top(self) -> None:
        super().to_top()
        self._index = 0

    def move(self, rows: int) -> None:
        self.move_to(self._index + rows)

    def move_to(self, index: int) -> None:
        places = self._drawn.places
        self._index = max(0, min(index, len(places) - 1))
        if places:
            line = 0 if self._index == 0 else places[self._index][0]
            self._top = max(line - self.size.height + 1, min(self._top, line))
        self._draw()

    @property
    def value_at_cursor(self) -> tuple[str, str] | None:
        places = self._drawn.places
        return places[self._index][1:] if self._index < len(places) else None

    @property
    def check_at_cursor(self) -> CheckRow | None:
        """The failing check under the cursor."""
        failing = [] if self._waiting is None else self._waiting.failing
        return failing[self._index] if self.has_focus and self._index < len(failing) else None

    @on(events.Focus)
    @on(events.Blur)
    def _focus_changed(self) -> None:
        self.call_after_refresh(self._draw)

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        line = self._top + event.y
        in_second_column = self.size.width >= _TWO_COLUMNS and event.x > self.size.width // 2
        places = [index for index, drawn in enumerate(self._drawn.places) if drawn[0] == line]
        if places:
            self.move_to(places[-1] if in_second_column else places[0])
        if self._is_on_remedy(line, event.x):
            self.move_to(sum(place[0] <= line for place in self._drawn.places) - 1)
            self.post_message(self.RemedyClicked())

    def _is_on_remedy(self, line: int, x: int) -> bool:
        """Whether a cell is on the remedy of a check, at the end of the line of the check or below it."""
        failing = 0 if self._waiting is None else len(self._waiting.failing)
        if not failing or line > self._drawn.places[failing - 1][0] + 1:
            return False
        *before, last = self._drawn.lines[line] or (Piece(""),)
        return last.text.startswith(REMEDY_MARK) and width_of(before) <= x < width_of(before) + cell_len(last.text)
