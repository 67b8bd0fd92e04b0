"""The columns of the runs list: every one that has something to show, which are shown, and the one that sorts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_fields import FIXED, field_of
from backprop_tui.tui.actions import COLUMN_ACTIONS, bindings
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip, left
from backprop_tui.tui.panes.run_list import RunListOptions
from backprop_tui.tui.panes.run_order import NEWEST, RunSort
from backprop_tui.tui.panes.run_table import HIDEABLE, sort_mark
from backprop_tui.tui.textual_patches.dismiss_once import LeftByClick
from backprop_tui.tui.widgets.line_widget import LineWidget

DEFAULT_ORDER = ""
_WIDTH = 46
_FOR_UNFINISHED = "running runs"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChoice:
    """A row of the dialog; a column may be only shown, only sorted by, or both."""

    key: str
    text: str
    note: str = ""
    can_hide: bool = True
    can_sort: bool = True


def column_choices(columns: Sequence[str]) -> list[ColumnChoice]:
    """The default order, then these columns, then those of unfinished runs."""
    choices = [
        ColumnChoice(key=DEFAULT_ORDER, text="default order", can_hide=False),
        ColumnChoice(key="name", text="name", can_hide=False),
    ]
    fields = [field for key in columns if (field := field_of(key)) is not None]
    choices += [ColumnChoice(key=field.key, text=field.words) for field in fields]
    choices.append(ColumnChoice(key=NEWEST, text="newest first", can_hide=False))
    known = {choice.key for choice in choices}
    for key in dict.fromkeys(["progress", "loss", "left", *HIDEABLE]):
        if key not in known:
            text = FIXED[key].words if key in FIXED else key
            can_hide, can_sort = key in HIDEABLE, key in FIXED
            choices.append(ColumnChoice(key=key, text=text, note=_FOR_UNFINISHED, can_hide=can_hide, can_sort=can_sort))
    return choices


class ChooseColumns(LeftByClick, ModalScreen[None]):
    """Applies each change at once; `shown` has the columns of ended runs that are on the screen."""

    CSS_PATH = "../dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(COLUMN_ACTIONS)

    def __init__(
        self,
        choices: Sequence[ColumnChoice],
        options: RunListOptions,
        runs: Sequence[KnownRun],
        shown: Callable[[], Collection[str]],
        changed: Callable[[RunSort | None], None],
        *,
        glyphs: Glyphs,
    ) -> None:
        super().__init__()
        self._choices, self._options, self._runs = choices, options, runs
        self._shown, self._changed, self._glyphs = shown, changed, glyphs
        keys = [choice.key for choice in choices]
        sort = DEFAULT_ORDER if options.sort is None else options.sort.key
        self._cursor = keys.index(sort) if sort in keys else 0
        self._top = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as box:
            box.border_title = " Sort and columns "
            keys = f" {self._glyphs.between} ".join(
                f"{action.shown} {action.short}" for action in COLUMN_ACTIONS if action.help
            )
            box.border_subtitle = f" {keys} "
            yield LineWidget(glyphs=self._glyphs, id="question")

    @on(events.Resize)
    def _draw(self) -> None:
        size = self.app.size
        width, height = min(_WIDTH + 14, size.width), min(len(self._choices) + 2, max(5, size.height - 4))
        box = self.query_one("#dialog")
        box.styles.width, box.styles.height = width, height
        visible = height - 2
        self._top = max(0, min(max(self._top, self._cursor - visible + 1), self._cursor, len(self._choices) - visible))
        shown = self._shown()
        lines = [self._line(choice, shown, width - 4) for choice in self._choices[self._top : self._top + visible]]
        self.query_one(LineWidget).show(lines, cursor=self._cursor - self._top)

    def _line(self, choice: ColumnChoice, shown: Collection[str], width: int) -> Line:
        """A tick for a column that is shown, the direction of the sorted one, and why a chosen one is not there."""
        is_shown = self._is_shown(choice, shown)
        tick = self._glyphs.state("completed") if choice.can_hide and is_shown else " "
        sort = self._options.sort
        mark = sort_mark(sort, choice.key, self._glyphs)
        if choice.key == DEFAULT_ORDER and sort is None:
            mark = self._glyphs.descending
        note = choice.note
        if self._options.columns.get(choice.key) and choice.key not in shown and choice.key not in HIDEABLE:
            note = "no room"
        text = left(clip(choice.text, width - 20, self._glyphs), width - 18, self._glyphs)
        parts = (Piece(f" {tick} ", Token.OK), Piece(text), Piece(f"{mark:<2}", Token.ACCENT, bold=True))
        room = width - sum(cell_len(part.text) for part in parts)
        return (*parts, Piece(clip(note, room, self._glyphs), Token.MUTED))

    def _is_shown(self, choice: ColumnChoice, shown: Collection[str]) -> bool:
        return self._options.columns.get(choice.key, choice.key in shown or choice.note == _FOR_UNFINISHED)

    def action_move(self, rows: int) -> None:
        self._cursor = max(0, min(self._cursor + rows, len(self._choices) - 1))
        self._draw()

    def action_toggle_column(self) -> None:
        """Shows or hides the column under the cursor."""
        choice = self._choices[self._cursor]
        if choice.can_hide:
            self._options.columns[choice.key] = not self._is_shown(choice, self._shown())
            self._apply(self._options.sort)

    def action_sort(self) -> None:
        """Sorts by the column under the cursor; again, the other way round."""
        choice, sort = self._choices[self._cursor], self._options.sort
        if choice.key == DEFAULT_ORDER:
            self._apply(None)
        elif choice.can_sort:
            same = sort is not None and sort.key == choice.key
            self._apply(sort.reversed if same and sort is not None else RunSort.by(choice.key, self._runs))

    def action_reset(self) -> None:
        """The default columns and order."""
        self._options.columns.clear()
        self._apply(None)

    def _apply(self, sort: RunSort | None) -> None:
        self._changed(sort)
        self._draw()

    def action_close(self) -> None:
        self.dismiss(None)

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        """A tick shows or hides, a name sorts."""
        widget = self.query_one(LineWidget)
        offset = event.screen_offset - widget.region.offset
        if widget.region.contains_point(event.screen_offset) and self._top + offset.y < len(self._choices):
            self._cursor = self._top + offset.y
            (self.action_toggle_column if offset.x < 3 else self.action_sort)()
            self._draw()
