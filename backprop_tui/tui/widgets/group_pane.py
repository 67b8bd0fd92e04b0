"""The pane of a selected group: its table with a cursor, and the curves of all its runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.geometry import Size

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE
from backprop_tui.presentation.group_table import GroupTable, Parameter, group_table
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import BY_ID, GROUP_ACTIONS, bindings
from backprop_tui.tui.charts.chart import chart_frame
from backprop_tui.tui.charts.choices import ChartChoices, ChartNavigator
from backprop_tui.tui.charts.compare import compared_run
from backprop_tui.tui.charts.group_curves import GroupCurves, color_parameters, draw_group_curves, group_curves
from backprop_tui.tui.charts.overlay import OverlayCache
from backprop_tui.tui.charts.source import ChartData, ChartSource
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.layout import ANY_ROWS
from backprop_tui.tui.lines import Line, Piece, Token, clip, wrapped
from backprop_tui.tui.panes.group import HEADING_ROWS, GroupRow, draw_group_table, fitted_note, group_rows, row_note
from backprop_tui.tui.panes.selected_run import GroupRunOpened
from backprop_tui.tui.widgets.charts import ChartMouse, ChartSurface, Steered
from backprop_tui.tui.widgets.run_charts import CATCHING_UP_SECONDS, CHART_SECONDS

TABLE, CURVES = range(2)
_READ_AT_ONCE = 16  # runs whose files are read before the curves are drawn again
_COMPUTED_AT_ONCE = 300  # runs; the table of more is computed in a thread
_MANY_ROWS = 8  # of which one may be the note although not all rows of the table are shown
_NOTE_ROWS = 2  # with the blank one above it
_CURVE_KEYS = {"c": "next color", "m": "metric"}
_LEAST_CURVE_ROWS = 10  # below the table, where they are drawn if it leaves as many blank
_MOST_CURVES_BELOW = 64  # runs: the files of more are read when their curves are chosen


@lazy_dataclass(frozen=True, slots=True)
class GroupOnScreen:
    """A group and its runs as the last snapshot had them."""

    name: str
    members: Sequence[KnownRun]

    def is_same(self, other: GroupOnScreen | None) -> bool:
        """Whether the table of both is the same: no record was replaced."""
        return (
            other is not None
            and self.name == other.name
            and len(self.members) == len(other.members)
            and all(ours.record is theirs.record for ours, theirs in zip(self.members, other.members, strict=True))
        )


class GroupPane(ChartSurface):
    """Movement goes over the rows of the table; the curves are computed in a thread, as their files are read."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(GROUP_ACTIONS)

    def __init__(self, source: ChartSource, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(glyphs=glyphs, id=id)
        self._source = source
        self.tab = TABLE
        self.table: GroupTable | None = None
        self.curves: GroupCurves | None = None
        self.choices = ChartChoices()
        self._group: GroupOnScreen | None = None
        self._rows: Sequence[GroupRow] = ()
        self._row: str | None = None  # the key of the row under the cursor
        self._unfolded: set[tuple[str, ...]] = set()
        self._color = 0  # the index of the parameter
        self._figures: dict[str, ChartData] = {}
        self._cache = OverlayCache()
        self._wake = asyncio.Event()
        self._is_due = False  # the table is to be computed again
        self._curve_lines: Sequence[Line] = ()
        self._curves_top = self._chart_top = 0  # rows above the curves, and above the chart in them
        self._drawn_size = Size(0, 0)
        self._mouse: ChartMouse | None = None
        self._top_row = 0

    def on_mount(self) -> None:
        self.run_worker(self._follow(), name="group charts", group="group charts")

    # The group, and what is computed of it

    def show_group(self, name: str, members: Sequence[KnownRun]) -> None:
        group = GroupOnScreen(name, members)
        if self._group is None or self._group.name != name:
            self.choices, self._row, self._color = ChartChoices(), None, 0
            self._figures, self._cache, self.curves = {}, OverlayCache(), None
            self._unfolded.clear()
            self.table = None
        changed, self._group = not group.is_same(self._group), group
        if changed:
            self._is_due = True
            if len(members) <= _COMPUTED_AT_ONCE:
                self._take_table(self._new_table(group.members))
            self._wake.set()
        self.paint()

    def _new_table(self, members: Sequence[KnownRun]) -> GroupTable:
        records = [run.record for run in members]
        names = {str(name) for record in records for name in record.get("metrics") or ()}
        return group_table(records, metric=self.choices.metric if self.choices.metric in names else None)

    def _take_table(self, table: GroupTable) -> None:
        self.table, self._is_due = table, False
        self.paint()

    @property
    def parameter(self) -> Parameter | None:
        """What the curves are colored by."""
        parameters = () if self.table is None else color_parameters(self.table)
        return parameters[self._color % len(parameters)] if parameters else None

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            group = self._group
            if self._is_due and group is not None:
                table = await asyncio.to_thread(self._new_table, group.members)
                if group is self._group:
                    self._take_table(table)
            await self._draw_curves()
            pending = await self._read()
            if pending:
                await self._draw_curves()
            try:
                await asyncio.wait_for(self._wake.wait(), CATCHING_UP_SECONDS if pending else CHART_SECONDS)
            except TimeoutError:
                pass

    @property
    def _curves_size(self) -> Size:
        """The space for the curves: all of it, or what the table leaves if that is enough."""
        rows = self.size.height - self._curves_top
        few = self._group is not None and len(self._group.members) <= _MOST_CURVES_BELOW
        return Size(self.size.width, rows if self.tab == CURVES or (few and rows >= _LEAST_CURVE_ROWS) else 0)

    @property
    def _shows_curves(self) -> bool:
        return self._group is not None and self.display and self._curves_size.area > 0

    async def _read(self) -> bool:
        """Reads some runs that are new or may have grown; returns whether any was read for the first time."""
        group = self._group
        if group is None or not self._shows_curves:
            return False
        new = [run.id for run in group.members if (data := self._figures.get(run.id)) is None or not data.caught_up]
        active = [run.id for run in group.members if run.status in ACTIVE and run.id not in new]
        run_ids = new[:_READ_AT_ONCE] or active
        if not run_ids:
            return False
        figures = await self._source.read(run_ids)
        if self._group is not None and self._group.name == group.name:
            self._figures |= {data.run_id: data for data in figures}
        return bool(new)

    async def _draw_curves(self) -> None:
        group, table = self._group, self.table
        if group is None or table is None or not self._shows_curves:
            return
        runs = [compared_run(run, self._figures.get(run.id)) for run in group.members]
        choices, parameter, cache = copy(self.choices), self.parameter, self._cache  # as they are now
        keys = _CURVE_KEYS if self.tab == CURVES else {}
        size = self._drawn_size = self._curves_size
        read = sum(run.id in self._figures for run in group.members)
        note = f"reading {read} of {len(runs)}" if read < len(runs) else ""

        def draw() -> tuple[GroupCurves, list[Line], int]:
            curves = group_curves(runs, table, parameter, choices, cache)
            return curves, *draw_group_curves(curves, *size, self.glyphs, note=note, keys=keys)

        drawn = await asyncio.to_thread(draw)
        if self._group is not None and self._group.name == group.name:
            self.curves, self._curve_lines, self._chart_top = drawn
            self.paint()

    # Keys

    def choose(self, tab: int) -> None:
        self.tab = tab % 2
        self._wake.set()
        self.paint()

    @property
    def row(self) -> GroupRow | None:
        return next((row for row in self._rows if row.key == self._row), next(iter(self._rows), None))

    @property
    def run_id(self) -> str | None:
        """The run of the row under the cursor: of a setting the best of its runs."""
        row = self.row
        if row is None:
            return None
        return row.setting.members[0].run_id if row.member is None else row.member.run_id

    @property
    def is_pinned(self) -> bool:
        """Whether the row under the cursor is the baseline, or its run is the pinned one."""
        row = self.row
        if row is None or self.table is None:
            return False
        return row.setting.is_baseline if row.member is None else row.member.run_id == self.table.baseline

    @property
    def row_name(self) -> str:
        """The setting of the row under the cursor, such as `lr=1e-3`; of a single run also the seed."""
        row, table = self.row, self.table
        if row is None or table is None:
            return ""
        settings = zip(table.parameters, row.setting.values, strict=True)
        run_id = None if row.member is None else row.member.run_id
        members = () if self._group is None else self._group.members
        label = next((run.arguments or run.label for run in members if run.id == run_id), "")
        return sanitize(label or " ".join(f"{parameter.name}={value}" for parameter, value in settings) or "all runs")

    def move(self, rows: int) -> None:
        if self.tab == TABLE:
            keys = [row.key for row in self._rows]
            index = keys.index(self._row) if self._row in keys else 0
            self.move_to(index + rows)

    def move_to(self, index: int) -> None:
        if self._rows and self.tab == TABLE:
            self._row = self._rows[max(0, min(index, len(self._rows) - 1))].key
            self.paint()

    def action_sideways(self, by: int) -> None:
        """Unfolds or folds the row; moves the cursor of the curves."""
        if self.tab == CURVES:
            if self._mouse is not None:
                share = by / self._mouse.columns
                self.post_message(Steered(lambda navigator: navigator.move(share)))
            return
        row = self.row
        if row is not None:
            (self._unfolded.add if by > 0 else self._unfolded.discard)(row.setting.values)
            self._row = row.key if by > 0 else GroupRow(setting=row.setting).key
            self.paint()

    def action_open_row(self) -> None:
        if self.run_id is not None:
            self.post_message(GroupRunOpened(self.run_id))

    def next_color(self) -> None:
        """Shows the curves; when they are shown already, colors them by the next argument."""
        self._color += self.tab == CURVES
        self.choose(CURVES)

    def next_metric(self) -> bool:
        """Compares the settings by the next metric; the tab stays."""
        names = self._metric_names()
        if names:
            shown = self.choices.metric or (None if self.table is None else self.table.metric)
            self.choices.metric = names[(names.index(shown) + 1) % len(names)] if shown in names else names[0]
            self._is_due = True
            self._changed()
        return False

    def _metric_names(self) -> Sequence[str]:
        """In an order that does not depend on the chosen one."""
        return () if self.table is None else sorted(self.table.metric_names)

    def _changed(self) -> None:
        self._wake.set()
        self.paint()

    def next_axis(self) -> None:
        self.choices.next_axis()
        self._changed()

    def switch_log_scale(self) -> None:
        self.choices.log = not self.choices.log
        self._changed()

    def next_smoothing(self) -> str:
        name = self.choices.next_smoothing()
        self._changed()
        return name

    def switch_grid(self) -> None:
        """There is one chart."""

    def zoom(self, *, closer: bool) -> None:
        self.steer(Steered.zoom(closer=closer))

    @on(Steered)
    def steer(self, message: Steered) -> None:
        message.stop()
        if self.curves is not None:
            overlay = self.curves.overlay
            message.apply(ChartNavigator(self.choices, overlay.chart.x, overlay.whole, overlay.points))
            self._changed()

    async def export(self) -> str | None:
        """Writes the metrics of each run as CSV to the working directory; returns what was written.

        Raises:
            OSError: a file could not be written.
        """
        members = () if self._group is None else self._group.members
        for run in members:
            await self._source.export(run.id, os.path.join(os.getcwd(), f"{run.id}-metrics.csv"))
        return f"{len(members)} files in {os.getcwd()}" if members else None

    def footer_actions(self) -> Sequence[Action]:
        fold, unfold, open_row = GROUP_ACTIONS[:3]
        shorts = {"pin": "unpin" if self.is_pinned else "pin baseline", "next_metric": "metric", "compare": "curves"}
        if self.tab == CURVES:
            shorts = {
                "compare": "color",
                "next_metric": "metric",
                "axis": "axis",
                "log_scale": "log",
                "smooth": "smooth",
            }
            shorts |= {"zoom_in": "zoom in", "zoom_out": "zoom out", "export": "export"}
            return [*(replace(BY_ID[action_id], short=short) for action_id, short in shorts.items()), fold]
        return [
            open_row,
            unfold,
            fold,
            *(replace(BY_ID[action_id], short=short) for action_id, short in shorts.items()),
        ]

    # Painting

    @property
    def content_rows(self) -> int:
        """How many rows the whole table or the chart can fill, however few of them are shown now."""
        if self.tab == CURVES:
            return ANY_ROWS
        rows = () if self.table is None else group_rows(self.table, self._unfolded)
        return HEADING_ROWS + len(rows) + _NOTE_ROWS

    def chart_mouse(self) -> ChartMouse | None:
        return self._mouse

    def click_elsewhere(self, x: int, y: int) -> None:
        if self.tab == TABLE and HEADING_ROWS <= y < self._curves_top:
            self.move_to(self._top_row + y - HEADING_ROWS)

    def paint(self) -> None:
        width, height = self.size
        self._mouse = None
        if width <= 0 or height <= 0 or self.table is None:
            self.show([])
            return
        if self.tab == TABLE:
            self._paint_table(self.table, width, height)
        else:
            self._curves_top = 0
            self.show(self._shown_curves())

    def _paint_table(self, table: GroupTable, width: int, height: int) -> None:
        self._rows = group_rows(table, self._unfolded)
        headings, lines = draw_group_table(table, self._rows, width, self.glyphs)
        row = self.row
        cursor = 0 if row is None else [other.key for other in self._rows].index(row.key)
        spare = height - len(headings) - len(lines)
        note: list[Line] = []
        if row is not None and (spare > 0 or height >= _MANY_ROWS):
            fitted = fitted_note(table, row, width - 2, self.glyphs)
            text = wrapped(row_note(table, row), width - 2) if spare > _NOTE_ROWS else [fitted]
            note = [(), *((Piece(f" {clip(part.strip(), width - 1, self.glyphs)}", Token.MUTED),) for part in text)]
            note = note[-max(1, spare) :]
        room = max(1, height - len(headings) - len(note))
        self._top_row = max(0, min(max(self._top_row, cursor - room + 1), cursor, len(lines) - room))
        shown = lines[self._top_row : self._top_row + room]
        at = len(headings) + cursor - self._top_row if self.has_focus else None
        self._curves_top = len(headings) + len(shown) + len(note) + 1
        self.show([*headings, *shown, *note, (), *self._shown_curves()], cursor=at)

    def _shown_curves(self) -> Sequence[Line]:
        """The curves as they were drawn last; empty if there is no room for them."""
        width, height = size = self._curves_size
        if not self._shows_curves:
            return ()
        if size != self._drawn_size:
            self._wake.set()
        if self.curves is None:
            return [(Piece(" reading the curves", Token.MUTED),)]
        frame = chart_frame(self.curves.overlay.chart, width - 1, height - self._chart_top)
        if frame is not None:
            self._mouse = ChartMouse(self.curves.overlay.chart, frame, top=self._curves_top + self._chart_top)
        return self._curve_lines

    @on(events.Focus)
    @on(events.Blur)
    def _focus_changed(self) -> None:
        self.paint()
