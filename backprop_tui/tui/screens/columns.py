"""The columns of the runs list: every one that has something to show, which are shown, and the one that sorts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_fields import FIXED, RunField
from backprop_tui.presentation.run_order import NEWEST, RunSort
from backprop_tui.tui.actions import COLUMN_ACTIONS, bindings
from backprop_tui.tui.lines import Line, Piece, Token, clip, left
from backprop_tui.tui.panes.list_heading import sort_mark
from backprop_tui.tui.panes.run_list import RunListOptions
from backprop_tui.tui.panes.run_table import HIDEABLE
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.textual_patches.dismiss_once import LeftByClick
from backprop_tui.tui.widgets.line_widget import LineWidget, border_hints

DEFAULT_ORDER = ""
_WIDTH = 46
_FOR_UNFINISHED, _NO_ROOM = "running runs", "no room"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChoice:
    """A row of the dialog; a column may be only shown, only sorted by, or both."""

    key: str
    text: str
    note: str = ""
    can_hide: bool = True
    can_sort: bool = True


def column_choices(fields: Iterable[RunField]) -> list[ColumnChoice]:
    """The default order, then these columns, then those of unfinished runs."""
    choices = [
        ColumnChoice(key=DEFAULT_ORDER, text="default order", can_hide=False),
        ColumnChoice(key="name", text="name", can_hide=False),
    ]
    choices += [ColumnChoice(key=field.key, text=field.words) for field in fields]
    choices.append(ColumnChoice(key=NEWEST, text="newest first", can_hide=False))
    known = {choice.key for choice in choices}
    for key in dict.fromkeys(["progress", "loss", "left", *HIDEABLE]):
        if key not in known:
            text = FIXED[key].words if key in FIXED else key
            can_hide, can_sort = key in HIDEABLE, key in FIXED
            choices.append(ColumnChoice(key=key, text=text, note=_FOR_UNFINISHED, can_hide=can_hide, can_sort=can_sort))
    return choices


def _listed(lead: str, columns: Mapping[str, str], without: Mapping[str, str], besides: str) -> str:
    """`no room now for step, loss`: the columns that are not among the others; empty without one."""
    names = [text for key, text in columns.items() if key not in without and key != besides]
    return f"{lead} {', '.join(names)}" if names else ""


class ChooseColumns(LeftByClick, ModalScreen[None]):
    """Applies each change at once to the table; a tick is a chosen column, and those without room say so."""

    CSS_PATH = "../dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(COLUMN_ACTIONS)

    def __init__(
        self,
        choices: Sequence[ColumnChoice],
        options: RunListOptions,
        runs: Sequence[KnownRun],
        table: RunsTable,
        changed: Callable[[RunSort | None], None],
    ) -> None:
        super().__init__()
        self._choices, self._options, self._runs = choices, options, runs
        self._table, self._changed, self._glyphs = table, changed, table.glyphs
        self._effect = ""
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
            box.border_subtitle = border_hints(keys, self._glyphs.between)
            yield LineWidget(glyphs=self._glyphs, id="question")

    @on(events.Mount)  # before the first paint, which would be of another size
    @on(events.Resize)
    def _draw(self) -> None:
        size = self.app.size
        width, height = min(_WIDTH + 14, size.width), min(len(self._choices) + 3, max(5, size.height - 4))
        box = self.query_one("#dialog")
        box.styles.width, box.styles.height = width, height
        visible = height - 3
        self._top = max(0, min(max(self._top, self._cursor - visible + 1), self._cursor, len(self._choices) - visible))
        lines = [self._line(choice, width - 4) for choice in self._choices[self._top : self._top + visible]]
        effect = clip(self._effect or self._without_room(), width - 5, self._glyphs)
        self.query_one(LineWidget).show([*lines, (Piece(f" {effect}", Token.MUTED),)], cursor=self._cursor - self._top)

    def _line(self, choice: ColumnChoice, width: int) -> Line:
        """A tick for a chosen column, the direction of the sorted one, and whether a chosen one has no room."""
        is_chosen = choice.can_hide and self._is_chosen(choice)
        tick = self._glyphs.state("completed") if is_chosen else " "
        sort = self._options.sort
        mark = sort_mark(sort, choice.key, self._glyphs)
        if choice.key == DEFAULT_ORDER and sort is None:
            mark = self._glyphs.descending
        note = choice.note if not is_chosen or self._fits(choice) else _NO_ROOM
        text = left(clip(choice.text, width - 20, self._glyphs), width - 18, self._glyphs)
        parts = (Piece(f" {tick} ", Token.OK), Piece(text), Piece(f"{mark:<2}", Token.ACCENT, bold=True))
        room = width - sum(cell_len(part.text) for part in parts)
        return (*parts, Piece(clip(note, room, self._glyphs), Token.MUTED))

    def _is_chosen(self, choice: ColumnChoice) -> bool:
        if choice.note == _FOR_UNFINISHED:
            return choice.key not in self._options.hidden
        return choice.key in self._table.view.history

    def _fits(self, choice: ColumnChoice) -> bool:
        return self._table.has_column(choice.key, ended=choice.note != _FOR_UNFINISHED)

    def _fitting(self) -> dict[str, str]:
        """The words of the chosen columns that have room, by key."""
        return {
            choice.key: choice.text
            for choice in self._choices
            if choice.can_hide and self._is_chosen(choice) and self._fits(choice)
        }

    def _without_room(self) -> str:
        chosen = sum(choice.can_hide and self._is_chosen(choice) for choice in self._choices)
        count = chosen - len(self._fitting())
        return f"{count} of {chosen} chosen columns have no room at this width" if count else ""

    def action_move(self, rows: int) -> None:
        self._cursor = max(0, min(self._cursor + rows, len(self._choices) - 1))
        self._draw()

    def action_toggle_column(self) -> None:
        """Chooses the column under the cursor, before those chosen earlier, or hides it; says what that changes."""
        choice = self._choices[self._cursor]
        if not choice.can_hide:
            return
        before, is_new = self._fitting(), not self._is_chosen(choice)
        self._options.columns.pop(choice.key, None)
        self._options.columns[choice.key] = is_new
        self._changed(self._options.sort)
        after = self._fitting()
        effects = [
            f"{choice.text}: {'shown' if choice.key in after else _NO_ROOM if is_new else 'hidden'}",
            _listed("no room now for", before, after, choice.key),
            _listed("room now for", after, before, choice.key),
        ]
        self._show(f" {self._glyphs.between} ".join(filter(None, effects)))

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
        self._changed(None)
        self._show("Columns and order are the default ones")

    def _apply(self, sort: RunSort | None) -> None:
        self._changed(sort)
        self._show("")

    def _show(self, effect: str) -> None:
        self._effect = effect
        self._draw()

    def action_close(self) -> None:
        self.dismiss(None)

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        """A tick shows or hides, a name sorts."""
        widget = self.query_one(LineWidget)
        offset = event.screen_offset - widget.region.offset
        rows = min(widget.size.height - 1, len(self._choices))  # the last line is no choice
        if 0 <= offset.x < widget.size.width and 0 <= offset.y < rows:
            self._cursor = self._top + offset.y
            (self.action_toggle_column if offset.x < 3 else self.action_sort)()
            self._draw()
