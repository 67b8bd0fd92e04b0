"""The filter of the runs: its line with a hint below it, and the keys and clicks that change it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from textual import events, on

from backprop_tui.domain.status import ENDED
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_filter import STATE_CYCLE, RunFilter, state_of, toggled, with_state
from backprop_tui.presentation.states import status_word
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Piece, Token, clip, wrapped
from backprop_tui.tui.panes.header import HeaderBar
from backprop_tui.tui.panes.machine import MachineBar
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.screens.pane_rule import RuledScreen
from backprop_tui.tui.screens.ui_state import UiState
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget

if TYPE_CHECKING:
    from textual.widgets import Input

    from backprop_tui.tui.widgets.filter_input import FilterInput

_MAX_HINT_ROWS = 3


class FilteredScreen(RuledScreen):
    """Shows the runs of `snapshot` that match the filter of `state`."""

    snapshot: Snapshot
    state: UiState
    glyphs: Glyphs
    runs_table: RunsTable
    _accepted = ""  # the filter from before its line was opened

    def _ask_for_history(self) -> None:
        raise NotImplementedError

    def _is_filtered_out(self, run: KnownRun) -> bool:
        return bool(self.state.filter) and not self.state.filter.matches(run, self.snapshot.moment.wall)

    @property
    def _is_filter_open(self) -> bool:
        return "filter_input" in self.__dict__ and self.filter_input.has_class("-open")

    @cached_property
    def filter_input(self) -> FilterInput:
        from backprop_tui.tui.widgets.filter_input import FilterInput

        line, self._filter_hint = FilterInput(id="filter"), LineWidget(glyphs=self.glyphs, id="filter-hint")
        self.mount(line, self._filter_hint, before="#footer")
        return line

    def set_filter(self, text: str) -> None:
        self.filter_input.value = text

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filters by what was typed; `on` would import the Input before the first paint."""
        row = self.runs_table.cursor
        self.state.filter = RunFilter.parse(message.value)
        self.paint(from_top=True, keep=row)
        self._paint_hint()

    def _paint_hint(self) -> None:
        """What is wrong with the filter, or what the word at its end may become."""
        if self._is_filter_open:
            self.filter_input.names_of(self.snapshot.all_runs)
            matched = self.runs_table.view.shown > 0
            hint, is_mistake = self.filter_input.hint(self.state.filter, matched=matched)
            token, room = Token.WARN if is_mistake else Token.MUTED, self.size.width - 2
            rows = wrapped(hint, room)[:_MAX_HINT_ROWS]
            self._filter_hint.styles.height = len(rows)
            self._filter_hint.show([(Piece(f" {clip(row, room, self.glyphs)}", token),) for row in rows])

    def filter_state(self, word: str | None) -> None:
        """Shows only the runs of a state, with the other words of the filter; None shows those of every state."""
        self.set_filter(with_state(self.state.filter.text, word))

    def action_next_state(self) -> None:
        """Every state, active, waiting, failed, done."""
        word = state_of(self.state.filter.text)
        self.filter_state(STATE_CYCLE[(STATE_CYCLE.index(word) + 1) % len(STATE_CYCLE) if word in STATE_CYCLE else 0])

    @on(HeaderBar.CountClicked)
    def _count_clicked(self, message: HeaderBar.CountClicked) -> None:
        """Shows only the runs that are counted, and all again after another click."""
        counted = status_word(message.state) + (" ended:1d" if message.state in ENDED else "")
        self.set_filter("" if self.state.filter.text == counted else counted)

    @on(MachineBar.GpuClicked)
    def _gpu_clicked(self, message: MachineBar.GpuClicked) -> None:
        """Shows only the runs of that GPU, and all again after another click."""
        self.set_filter(toggled(self.state.filter.text, f"gpu:{message.index}"))

    def action_filter(self) -> None:
        if not self._is_filter_open:
            self._accepted = self.state.filter.text
        self.filter_input.add_class("-open")
        self._filter_hint.add_class("-open")
        self.filter_input.action_select_all()
        self.filter_input.focus()
        self._ask_for_history()
        self._paint_hint()

    def on_input_submitted(self) -> None:
        self.close_filter()

    def leave_filter(self) -> None:
        """Closes the line, and goes back to the filter from before it was opened."""
        self.set_filter(self._accepted)
        self.close_filter()

    def close_filter(self) -> None:
        self.filter_input.remove_class("-open")
        self._filter_hint.remove_class("-open")
        self.set_focus(self.runs_table)

    @on(RunsTable.FilterKey)
    def _filter_key(self, message: RunsTable.FilterKey) -> None:
        if self.filter_input.has_class("-open"):
            self.filter_input.post_message(events.Key(message.key, message.character))
        else:
            self.action_filter()
