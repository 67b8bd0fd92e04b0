"""Textual's command palette, for screens of any size."""

from __future__ import annotations

from textual.command import CommandList, CommandPalette

from backprop_tui.tui.screens.leave_once import LeaveOnce


class Palette(LeaveOnce, CommandPalette):
    """Its list turns no page where it has no row: Textual 8.2.8 fails there with a KeyError."""

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)
