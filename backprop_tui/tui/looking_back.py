"""Keeps when somebody looked, and finds what there is to tell when they are back. Works in the bridge's thread."""

from __future__ import annotations

from backprop_tui.store.home import Home
from backprop_tui.tui.digest.absence import AWAY_SECONDS, LastSeen
from backprop_tui.tui.digest.history import AbsenceDigest
from backprop_tui.tui.focus import WindowFocus
from backprop_tui.tui.snapshot import Snapshot

_A_DAY = 86400.0


class LookingBack:
    """The first look of a dashboard is a return, too."""

    def __init__(self, home: Home, attention: WindowFocus) -> None:
        self._home = home
        self._attention = attention
        self._attendance = LastSeen(home)
        self._was_present = False
        self._away_from: float | None = None
        self._back_at: float | None = None
        self._looks = 0

    @property
    def may_interrupt(self) -> bool:
        """Whether a dialog may open now: at the start and when focus returns; after a key it would take the next."""
        return self._looks <= 1 or self._attention.reports_focus

    def look(self, snapshot: Snapshot) -> AbsenceDigest | None:
        """What ended during an absence that just ended; None where there was none, or nothing ended."""
        now = snapshot.moment.wall
        self._looks += 1
        was_present, self._was_present = self._was_present, self._attention.is_present
        if not self._was_present:
            if was_present and self._attention.is_unfocused:
                self._attendance.note(now)
            return None
        last = None if was_present else self._attendance.last()
        self._attendance.note_each_minute(now)
        if last is None or now - last < AWAY_SECONDS:
            return None
        from backprop_tui.tui.digest.view import has_news  # seldom needed, and not before the first paint

        self._away_from, self._back_at = last, now
        found = self.request_digest(snapshot)
        return found if has_news(found) else None

    def request_digest(self, snapshot: Snapshot) -> AbsenceDigest:
        """Since the last absence began; where nobody was away, of the last day."""
        from backprop_tui.tui.digest.history import read_digest

        since = snapshot.moment.wall - _A_DAY if self._away_from is None else self._away_from
        return read_digest(self._home, snapshot, since, back_at=self._back_at)

    def leave(self, now: float) -> None:
        """The dashboard is closed, at the wall time `now`, by somebody who sees it."""
        if self._attention.is_present:
            self._attendance.note(now)
