"""Tracks when somebody last looked at a dashboard of this machine, and notices when they return."""

from __future__ import annotations

import os

from backprop_tui.store.home import Home
from backprop_tui.tui.digest.history import AbsenceDigest, read_digest
from backprop_tui.tui.focus import WindowFocus
from backprop_tui.tui.snapshot import Snapshot

NOTE_SECONDS = 60.0  # between two notes: a killed dashboard loses at most this much
AWAY_SECONDS = 600.0  # a shorter absence needs no digest
_DAY_SECONDS = 86400.0


class LastSeen:
    """The time of the last look, shared by all dashboards of a machine: the modification time of an empty file.

    Since the file has no content, nothing can be half-written. If it cannot be written, only the digest is lost.
    """

    __slots__ = ("_noted_at", "_path")

    def __init__(self, home: Home) -> None:
        self._path = home.last_seen
        self._noted_at = float("-inf")

    def last(self) -> float | None:
        """The wall time of the last look; None if nobody ever looked."""
        try:
            return os.stat(self._path).st_mtime
        except OSError:
            return None

    def note_each_minute(self, now: float) -> None:
        """Notes that somebody is looking at wall time `now`, at most once a minute."""
        if not 0 <= now - self._noted_at < NOTE_SECONDS:
            self.note(now)

    def note(self, now: float) -> None:
        """Notes it immediately."""
        self._noted_at = now
        try:
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.utime(self._path, (now, now))
        except OSError:
            return


class AbsenceTracker:
    """Reports the end of an absence; the start of a dashboard counts as a return. Runs in the bridge's thread."""

    def __init__(self, home: Home, attention: WindowFocus) -> None:
        self._home = home
        self._attention = attention
        self._last_seen = LastSeen(home)
        self._was_present = False
        self._away_from: float | None = None
        self._back_at: float | None = None
        self._looks = 0

    @property
    def may_interrupt(self) -> bool:
        """Whether a dialog may open: at the start and when focus returns, but not after a key, as it takes the next."""
        return self._looks <= 1 or self._attention.reports_focus

    def look(self, snapshot: Snapshot) -> AbsenceDigest | None:
        """The digest of an absence that just ended; None if there was none, or no run ended."""
        now = snapshot.moment.wall
        self._looks += 1
        was_present, self._was_present = self._was_present, self._attention.is_present
        if not self._was_present:
            if was_present and self._attention.is_unfocused:
                self._last_seen.note(now)
            return None
        last = None if was_present else self._last_seen.last()
        self._last_seen.note_each_minute(now)
        if last is None or now - last < AWAY_SECONDS:
            return None
        from backprop_tui.tui.digest.view import has_news  # rarely needed, and not before the first paint

        self._away_from, self._back_at = last, now
        digest = self.request_digest(snapshot)
        return digest if has_news(digest) else None

    def request_digest(self, snapshot: Snapshot) -> AbsenceDigest:
        """The digest since the last absence began; without an absence, of the last day."""
        since = snapshot.moment.wall - _DAY_SECONDS if self._away_from is None else self._away_from
        return read_digest(self._home, snapshot, since, back_at=self._back_at)

    def leave(self, now: float) -> None:
        """The dashboard closes at wall time `now`."""
        if self._attention.is_present:
            self._last_seen.note(now)
