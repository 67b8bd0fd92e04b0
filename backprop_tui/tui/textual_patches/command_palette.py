"""Textual's command palette without two crashes: on a tiny screen, and when it is closed early. No issue is known."""

from __future__ import annotations

import inspect

from textual import work
from textual.command import CommandList, CommandPalette
from textual.css.query import NoMatches

from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce

# The wrapped method is private to Textual; the exact version that is required has it.
_gather = inspect.unwrap(CommandPalette._gather_commands)  # noqa: SLF001
_GROUP = CommandPalette._GATHER_COMMANDS_GROUP  # noqa: SLF001


class Palette(DismissOnce, CommandPalette):
    """The command palette; it may be closed while it still gathers commands."""

    CSS_PATH = "../dialogs.tcss"

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:  # paging a list without rows divides by zero
            super()._action_command_list(action)

    @work(exclusive=True, group=_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        try:
            await _gather(self, search_value)
        except NoMatches:
            return  # closed meanwhile: there is no list to add to
