"""The fixed panes above and below the runs: header, machine, governor line, problem line, footer."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.message import Message

from backprop_tui.tui.actions import BY_ID, Action
from backprop_tui.tui.layout import Layout
from backprop_tui.tui.panes.footer import draw_footer, key_at
from backprop_tui.tui.panes.governor import GovernorLineView, ProblemView, draw_governor, draw_problem
from backprop_tui.tui.panes.header import HeaderView, draw_header
from backprop_tui.tui.panes.machine import MachineView, draw_machine
from backprop_tui.tui.tokens import Line
from backprop_tui.tui.widgets.line_widget import LineWidget


class HeaderBar(LineWidget):
    """One row: the state of the machine and the queue in a few words."""

    def show_view(self, view: HeaderView, width: int) -> None:
        self.show([draw_header(view, width, self.glyphs)])


class MachineBar(LineWidget):
    """The gauges of host and GPUs; the wheel scrolls when there are more GPUs than rows."""

    _top = 0
    _lines_drawn: tuple[Line, ...] = ()
    _heading_rows = 0
    _rows = 0

    def show_view(self, view: MachineView, layout: Layout) -> None:
        lines = draw_machine(
            view,
            layout.machine_form,
            layout.width,
            self.glyphs,
            heading_row=layout.machine_heading,
            host_row=layout.host_row,
        )
        self._lines_drawn, self._rows = tuple(lines), layout.machine_rows
        self._heading_rows = int(layout.machine_heading)
        self._paint()

    def _paint(self) -> None:
        self._top = max(0, min(self._top, len(self._lines_drawn) - self._rows))
        start = self._heading_rows + self._top
        rows = self._lines_drawn[start : start + self._rows - self._heading_rows]
        self.show([*self._lines_drawn[: self._heading_rows], *rows])

    @on(events.MouseScrollDown)
    def _wheel_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._top += 1
        self._paint()

    @on(events.MouseScrollUp)
    def _wheel_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._top -= 1
        self._paint()


class GovernorBar(LineWidget):
    """One row: whether runs may start now."""

    class Clicked(Message):
        """The line was clicked, to see why runs wait."""

    @on(events.Click)
    def _clicked(self) -> None:
        self.post_message(self.Clicked())

    def show_view(self, view: GovernorLineView, width: int) -> None:
        self.show([draw_governor(view, width, self.glyphs)])


class ProblemBar(LineWidget):
    """One row: the newest failure that has not been looked at."""

    class Clicked(Message):
        """The line was clicked, to go to the run."""

    def show_view(self, view: ProblemView | None, width: int) -> None:
        self.show([draw_problem(view, width, self.glyphs)])

    @on(events.Click)
    def _clicked(self) -> None:
        self.post_message(self.Clicked())


class FooterBar(LineWidget):
    """The actions that apply now; a click on one carries it out."""

    _actions: Sequence[Action] = ()
    _note = ""

    class Clicked(Message):
        """An action of the footer was clicked."""

        def __init__(self, action: Action) -> None:
            super().__init__()
            self.action = action

    def show_actions(self, actions: Sequence[Action], width: int, *, note: str = "") -> None:
        self._actions, self._note = actions, note
        self.show([draw_footer(footer_texts(actions), width, note=note)])

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        key = key_at(footer_texts(self._actions), event.x, self.size.width, note=self._note)
        actions = {action.keys_in_footer: action for action in (BY_ID["help"], *self._actions)}
        if key in actions:
            self.post_message(self.Clicked(actions[key]))


def footer_texts(actions: Sequence[Action]) -> list[tuple[str, str]]:
    """Return key and text of each action, as the footer is drawn from."""
    return [(action.keys_in_footer, action.short) for action in actions]
