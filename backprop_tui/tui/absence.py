"""Whether somebody looks at the dashboard, and what happened to the runs while nobody did.

Most terminals report focus (xterm's mode 1004), and tmux does with `focus-events on`. Until the first such report a
window counts as looked at while keys or the mouse were used recently.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.formatting import time_or_none
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import ENDED
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import is_problem
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import open_own
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory, read_lines
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.state_file import StateFile

SILENCE_SECONDS = 600.0  # without input for this long nobody is there, focused or not (the screen may be locked)
MAX_RUNS_WITH_EVENTS = 300  # other runs are in the digest without their pauses and waits
SERIES_SECONDS = 0.3  # two keys within this time: another one is about to come
NOTE_SECONDS = 60.0  # between two notes: a killed dashboard loses at most this much
AWAY_SECONDS = 600.0  # a shorter absence needs no digest
_DAY_SECONDS = 86400.0


class WindowFocus:
    """Focus and activity, recorded by the application; the bridge's thread reads it too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._focused: bool | None = None
        self._last_activity = clock()
        self._last_keys = (-math.inf, -math.inf)

    def note_key(self) -> None:
        self._last_keys = self._last_keys[1], self._clock()

    @property
    def is_typing(self) -> bool:
        """Whether keys come one after the other: what need not be now would make the next one wait."""
        return self._clock() - self._last_keys[0] < SERIES_SECONDS

    def note_activity(self) -> None:
        self._last_activity = self._clock()

    def set_focused(self, *, focused: bool) -> None:
        """Records a focus report of the terminal, which is activity too."""
        self._focused = focused
        self.note_activity()

    @property
    def reports_focus(self) -> bool:
        return self._focused is not None

    @property
    def is_unfocused(self) -> bool:
        """Whether the terminal says that another window has the focus; the screen need not change each second then."""
        return self._focused is False

    @property
    def is_unseen(self) -> bool:
        """Whether the end of a run needs a notification: unfocused, or silent if the terminal reports no focus."""
        return self._is_silent if self._focused is None else not self._focused

    @property
    def is_present(self) -> bool:
        """Whether what is on the screen counts as seen: not unfocused and not silent for long."""
        return self._focused is not False and not self._is_silent

    @property
    def silent_seconds(self) -> float:
        """How long no key was pressed and the mouse did not move."""
        return self._clock() - self._last_activity

    @property
    def _is_silent(self) -> bool:
        return self.silent_seconds >= SILENCE_SECONDS


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DigestRun:
    """A run that ended meanwhile or is unfinished, with its events of that time, oldest first."""

    run: KnownRun
    events: tuple[JsonObject, ...] = ()


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceDigest:
    """What happened from `since` to `until`, wall times; `back_at` is when the absence that began at `since` ended.

    If `back_at` is None nobody was away, and it covers the last day. `unread` counts runs whose events were not read.
    """

    since: float
    until: float
    back_at: float | None = None
    runs: tuple[DigestRun, ...] = ()
    unread: int = 0

    @property
    def has_news(self) -> bool:
        return any(entry.run.status in ENDED for entry in self.runs)


def read_digest(
    home: Home, snapshot: Snapshot, since: float, *, back_at: float | None, with_events: bool = True
) -> AbsenceDigest:
    """Without events there are no pauses and waits in it, and no file is read."""
    until = snapshot.moment.wall
    ends = {run.id: time_or_none(run.record.get("ended_at")) or 0.0 for run in snapshot.runs}
    runs = [run for run in snapshot.runs if run.status not in ENDED or since <= ends[run.id] <= until]
    if not with_events:
        return AbsenceDigest(since=since, until=until, back_at=back_at, runs=tuple(DigestRun(run=run) for run in runs))
    return AbsenceDigest(
        since=since,
        until=until,
        back_at=back_at,
        runs=tuple(
            DigestRun(
                run=run,
                events=_read_events(home, run, since, until) if index < MAX_RUNS_WITH_EVENTS else (),
            )
            for index, run in enumerate(runs)
        ),
        unread=max(0, len(runs) - MAX_RUNS_WITH_EVENTS),
    )


def _read_events(home: Home, run: KnownRun, since: float, until: float) -> tuple[JsonObject, ...]:
    try:
        events: Iterable[JsonObject] = read_lines(RunDirectory(home.run_folder(run.id)).events_path)
    except StorageFailed:
        return ()
    return tuple(event for event in events if since <= (time_or_none(event.get("time")) or 0.0) <= until)


class LastSeen:
    """The time of the last look, shared by all dashboards of a machine: the modification time of an empty file.

    Since the file has no content, nothing can be half-written. If it cannot be written, only the digest is lost.
    """

    def __init__(self, home: Home, *, is_read_only: bool = False) -> None:
        self._home, self._path = home, home.last_seen
        self._is_read_only = is_read_only
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
        self._noted_at = now
        if self._is_read_only or self._home.foreign_owner() is not None:
            return
        try:
            os.close(open_own(self._path, os.O_WRONLY))
            os.utime(self._path, (now, now))
        except OSError:
            return


class SeenFailures:
    """The failures that somebody looked at, for all dashboards of a machine; without the file they are shown again."""

    def __init__(self, home: Home) -> None:
        self._file = StateFile(home, home.seen_failures)
        self._noted: AbstractSet[str] = frozenset()

    def read(self) -> set[str]:
        """The ids of the runs."""
        ids = self._file.read().get("runs")
        return {str(run_id) for run_id in ids} if isinstance(ids, list) else set()

    def note(self, seen: AbstractSet[str], snapshot: Snapshot) -> None:
        """Adds these; what nobody is asked about any more, being older than a day, is dropped."""
        if seen == self._noted:
            return
        self._noted = seen
        recent = {run.id for run in snapshot.runs if is_problem(run) and snapshot.ended_recently(run)}
        before = self.read()
        now = (before | seen) & recent
        if now != before:
            self._file.write({"runs": sorted(now)})


class AbsenceTracker:
    """Reports the end of an absence; the start of a dashboard counts as a return. Runs in the bridge's thread."""

    def __init__(self, home: Home, attention: WindowFocus, *, is_read_only: bool = False) -> None:
        """Unless `is_read_only`, it notes that somebody looks, for the next dashboard."""
        self._home = home
        self._attention = attention
        self._last_seen = LastSeen(home, is_read_only=is_read_only)
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
        self._away_from, self._back_at = last, now
        digest = self.request_digest(snapshot)
        return digest if digest.has_news else None

    def request_digest(self, snapshot: Snapshot, *, with_events: bool = True) -> AbsenceDigest:
        """The digest since the last absence began; without an absence, of the last day."""
        since = snapshot.moment.wall - _DAY_SECONDS if self._away_from is None else self._away_from
        return read_digest(self._home, snapshot, since, back_at=self._back_at, with_events=with_events)

    def leave(self, now: float) -> None:
        if self._attention.is_present:
            self._last_seen.note(now)
