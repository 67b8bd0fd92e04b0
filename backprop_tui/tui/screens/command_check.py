"""Has the command of a form checked by dry runs while it is typed, and before it is queued."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.screens.draft import Draft, in_terms_of_fields, is_empty, words_of
from backprop_tui.tui.start_verdict import StartVerdict

DEBOUNCE_SECONDS = 0.35
SETTLE_SECONDS = 2.0  # a check that takes longer, as on a disk that hangs, keeps no command from being queued


class CommandCheck:
    """One dry run at a time, when nothing was changed for a moment.

    `read` returns the drafts as they are typed now, one for each command. `show` is called after each check. `verdict`
    is None and `refusal` says why if the command is refused; both are of the last check.
    """

    def __init__(
        self, commands: CommandRunner, read: Callable[[], Awaitable[Sequence[Draft]]], show: Callable[[], object]
    ) -> None:
        self._commands = commands
        self._read = read
        self._show = show
        self.verdict: StartVerdict | None = None
        self.refusal = ""
        self._changed = asyncio.Event()
        self._version = 0  # of what is typed
        self._checked = -1  # the version of the last check

    @property
    def is_current(self) -> bool:
        """Whether the last check was of what is typed now."""
        return self._checked == self._version

    def again(self) -> None:
        """Checks what is typed now, once it stays for a moment."""
        self._version += 1
        self._changed.set()

    async def follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(DEBOUNCE_SECONDS)
            if not (self._changed.is_set() or self.is_current):
                await self._check()

    async def settle(self) -> None:
        """Checks at once what has not been checked yet; gives up when that takes long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                while not self.is_current:
                    await self._check()

    async def _check(self) -> None:
        drafts = await self._read()
        version = self._version
        verdict, refusal = await self._dry_run(drafts)
        if version == self._version:
            self._checked, self.verdict, self.refusal = version, verdict, refusal
            self._show()

    async def _dry_run(self, drafts: Sequence[Draft]) -> tuple[StartVerdict | None, str]:
        """Returns the verdict, or why there is none; neither while there is nothing to try."""
        try:
            lines = list(map(words_of, drafts))
        except ValueError as error:
            return None, str(error)
        if any(map(is_empty, drafts)):
            return None, ""
        try:
            return await self._commands.dry_run(*lines), ""
        except BackpropError as error:
            return None, in_terms_of_fields(sanitize(str(error)), drafts[0])
