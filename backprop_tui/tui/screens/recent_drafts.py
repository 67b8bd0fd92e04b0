"""The recent commands as drafts for the form, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from backprop_tui.domain.errors import BackpropError
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.screens.draft import Draft, drafts_of


class RecentDrafts:
    """They are read when the first one is asked for."""

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands
        self._drafts: Sequence[Draft] | None = None
        self._index = -1

    async def next(self) -> Draft | None:
        """The next older one, the newest after the oldest; None if there is none."""
        if self._drafts is None:
            drafts: Sequence[Draft] = ()
            with suppress(BackpropError):
                drafts = drafts_of(await self._commands.recent_commands())
            self._drafts = drafts
        if not self._drafts:
            return None
        self._index = (self._index + 1) % len(self._drafts)
        return self._drafts[self._index]
