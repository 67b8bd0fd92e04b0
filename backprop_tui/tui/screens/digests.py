"""When the digest opens, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import ENDED
from backprop_tui.tui.digest.history import AbsenceDigest
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.screens.run_actions import RunActions

if TYPE_CHECKING:
    from backprop_tui.tui.digest.view import DigestView


class Digests:
    """Opens it where nothing else is open, else tells that there is one."""

    def __init__(self, screen: Front, runs: RunActions) -> None:
        self._screen = screen
        self._runs = runs
        self._told = False

    def remembered(self, digest: AbsenceDigest, *, opens: bool) -> None:
        """`opens`: a dialog may be shown now."""
        if not opens or self._screen.app.screen is not self._screen:
            ends = sum(one.run.status in ENDED for one in digest.runs)
            self._screen.tell(f"{counted(ends, 'run')} ended while you were away · D tells")
            return
        from backprop_tui.tui.digest.view import digest_view  # seldom needed, and not before the first paint

        self._open(digest_view(digest, self._screen.snapshot))

    def _open(self, view: DigestView) -> None:
        from backprop_tui.tui.screens.digest import RETRY, SHOW, Digest

        def closed(answer: str | None) -> None:
            if answer == SHOW and view.first_failure is not None:
                self._screen.go_to(view.first_failure)
            elif answer == RETRY:
                self._screen.work(self._retry(view))

        self._screen.app.push_screen(Digest(view, glyphs=self._screen.glyphs), closed)

    async def _retry(self, view: DigestView) -> None:
        found = [self._screen.snapshot.find(run_id) for run_id in view.retry]
        await self._runs.resume([one for one in found if one is not None])
        self._screen.bridge_looks()
