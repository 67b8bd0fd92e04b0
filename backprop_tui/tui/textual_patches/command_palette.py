"""Textual's command palette without two crashes: on a tiny screen, and when it is closed early. No issue is known."""

from __future__ import annotations

import inspect
from typing import Any

from textual import events, on, work
from textual.command import CommandInput, CommandList, CommandPalette
from textual.css.query import NoMatches

from backprop_tui.tui.textual_patches import Patch, apply_patches
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce

WIDTH = 72  # of the palette, with its frame

_original: Any = getattr(CommandPalette, "_gather_commands", None)


class Palette(DismissOnce, CommandPalette):
    """The command palette; it may be closed while it still gathers commands."""

    CSS_PATH = "../dialogs.tcss"
    _width = 0

    @on(events.Resize)
    def _fit_entries(self, event: events.Resize) -> None:
        """Gathers the entries again when they were drawn for another width."""
        before, self._width = self._width, min(WIDTH, event.size.width)
        if before not in (0, self._width):
            self._gather_commands(self.query_one(CommandInput).value.strip())

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:  # paging a list without rows divides by zero
            super()._action_command_list(action)


@work(exclusive=True, group=getattr(CommandPalette, "_GATHER_COMMANDS_GROUP", ""))
async def _gather_until_closed(palette: CommandPalette, search_value: str) -> None:
    try:
        await inspect.unwrap(_original)(palette, search_value)
    except NoMatches:
        return  # closed meanwhile: there is no list to add to


PATCHES = (
    Patch(
        owner=Palette,
        name="_gather_commands",
        replacement=_gather_until_closed,
        sha256="b91ff7feae77d521921715bb922583c8f425a0c576fd0cb89cbb5a5ca98d9fda",
    ),
)
apply_patches(PATCHES)
