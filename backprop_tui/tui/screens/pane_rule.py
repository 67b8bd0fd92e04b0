"""The rule between the panes of the main screen: where it is, and how keys and the mouse move it."""

from __future__ import annotations

from textual import events, on
from textual.screen import Screen
from textual.widget import Widget

from backprop_tui.tui.bridge import Bridge
from backprop_tui.tui.layout import RULE_STEP, Layout, RulePlace, compute_layout, rule_after, rule_of


class RuledScreen(Screen[None]):
    """Asks the bridge to remember where the user put the rule; a double click puts it back."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._layout_now = compute_layout(0, 0, gpus=0)
        self._dragging = False

    def paint(self, *, from_top: bool = False, keep: str | None = None) -> None:
        raise NotImplementedError

    @property
    def rule(self) -> RulePlace:
        return self._bridge.rule

    def _put_rule(self, rule: RulePlace) -> None:
        self._bridge.rule = rule
        self.paint()

    def action_move_rule(self, steps: int) -> None:
        """Gives the runs more room, or with negative steps less."""
        shown = self._layout_now
        if _is_divided(shown):
            self._put_rule(rule_after(shown, self.rule, rule_of(shown) + steps * RULE_STEP))
            self._bridge.remember_rule()

    def reset_rule(self) -> None:
        """Lets the content decide again."""
        self._put_rule(RulePlace())
        self._bridge.remember_rule()

    @on(events.MouseDown)
    def _grab_rule(self, event: events.MouseDown) -> None:
        self._dragging = event.button == 1 and self._is_on_rule(event)

    @on(events.MouseMove)
    def _drag_rule(self, event: events.MouseMove) -> None:
        """Captures the mouse with the first step away from the rule: before that, a click on a tab is one."""
        if self._dragging and (self.app.mouse_captured is self or not self._is_on_rule(event)):
            self.capture_mouse()
            body, shown = self._body.region, self._layout_now
            columns, rows = event.screen_x - body.x, event.screen_y - body.y
            place = columns / max(1, body.width) if shown.beside else rows / max(1, body.height)
            self._put_rule(rule_after(shown, self.rule, place))

    @on(events.MouseUp)
    def _release_rule(self) -> None:
        self._dragging = False
        if self.app.mouse_captured is self:
            self.release_mouse()
            self._bridge.remember_rule()

    @on(events.Click)
    def _clicked_rule(self, event: events.Click) -> None:
        if event.chain == 2 and self._is_on_rule(event):
            self.reset_rule()

    @property
    def _body(self) -> Widget:
        return self.query_one("#body")

    def _is_on_rule(self, event: events.MouseEvent) -> bool:
        """Whether the pointer is on the heading of the selected run, or on the line at its left."""
        body, shown = self._body.region, self._layout_now
        if not _is_divided(shown):
            return False
        if shown.beside:
            return event.screen_x == body.x + shown.runs_width and event.screen_y in range(body.y, body.bottom)
        return event.screen_y == body.y + shown.runs_rows


def _is_divided(shown: Layout) -> bool:
    return shown.runs_rows > 0 and shown.selected_rows > 0
