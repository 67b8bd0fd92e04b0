"""Textual's command palette, for screens of any size and for quick fingers."""

from __future__ import annotations

import inspect

from textual import work
from textual.command import CommandList, CommandPalette
from textual.css.query import NoMatches

from backprop_tui.tui.screens.leave_once import LeaveOnce

# What is wrapped is not part of Textual's interface; the exact version that is required has it.
_gather = inspect.unwrap(CommandPalette._gather_commands)  # noqa: SLF001
_GROUP = CommandPalette._GATHER_COMMANDS_GROUP  # noqa: SLF001


class Palette(LeaveOnce, CommandPalette):
    """Does nothing in two places where Textual 8.2.8 fails.

    Its list turns no page where it has no row; and what is still gathered when it is left has no list to go to.
    """

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)

    @work(exclusive=True, group=_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        try:
            await _gather(self, search_value)
        except NoMatches:
            return  # it was left meanwhile
