"""The events of one run as they are written down: its own events, its progress, why it is held, its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from backprop_tui.domain.errors import UnknownRun
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Ended, Run
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.records import public
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import governor_record, unfinished_views
from backprop_tui.store.tail import JsonTail
from backprop_tui.store.watched_file import Signature, signature_of

HELD, PROGRESS, ENDED, ATTEMPT_ENDED = "held", "progress", "ended", "attempt_ended"
# The documented events; everything else in events.jsonl is only shown to people.
PUBLIC_KINDS = frozenset({"queued", HELD, "started", PROGRESS, "checkpoint", "paused", "continued", "stopping", ENDED})

PROGRESS_SECONDS = 0.5  # between two progress events; the newest values win
HOLD_SECONDS = 0.2  # between two reads of why it is held

# The wait between two reads is a share of the time since the last change, within these bounds.
PACE_SHARE = 0.1
MAX_WAIT_SECONDS = 0.1
SHORTEST_WAIT_SECONDS = 0.01
URGENT_WAIT_SECONDS = 0.002  # while a run is being admitted and started: the user waits for every late read
MAX_URGENT_WAIT_SECONDS = 0.02


class Pace:
    """How long to wait between two reads: briefly after a change, longer when nothing happens; times are monotonic."""

    __slots__ = ("_changed_at",)

    def __init__(self, now: float) -> None:
        self._changed_at = now

    def changed(self, now: float) -> None:
        self._changed_at = now

    def seconds(self, now: float, *, urgent: bool) -> float:
        urgent_bounds, bounds = (
            (URGENT_WAIT_SECONDS, MAX_URGENT_WAIT_SECONDS),
            (SHORTEST_WAIT_SECONDS, MAX_WAIT_SECONDS),
        )
        shortest, longest = urgent_bounds if urgent else bounds
        return min(longest, max(shortest, (now - self._changed_at) * PACE_SHARE))


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    kind: str
    run_id: str
    time: str | None
    message: str = ""
    values: JsonObject = field(default_factory=dict)
    run: Run | None = None  # the record when the event was read


class EventStream:
    """Follows one run; `new_events` gives what is new. `run` is its record as it was read last."""

    def __init__(self, home: Home, run_id: str, *, events_offset: int = 0, metrics_offset: int | None = 0) -> None:
        """Begins at these offsets; `metrics_offset` None: no progress events."""
        self._home = home
        self.directory = RunDirectory(home.run_folder(run_id))
        self._events = JsonTail(self.directory.events_path, events_offset)
        path = self.directory.metrics_path
        self._metrics = None if metrics_offset is None else JsonTail(path, metrics_offset)
        self._signature: Signature | None = None
        self._held_by: tuple[str, ...] = ()
        self.hold: Event | None = None  # why it is held now, with the current figures; None if it is not
        self._check_holds_at = 0.0
        self._progress: JsonObject = {}
        self._progress_time: str | None = None  # of metrics that no event has reported yet
        self._progress_reported_at = 0.0
        self.run: Run = self.directory.read()

    @property
    def has_ended(self) -> bool:
        return isinstance(self.run.state, Ended)

    def record(self) -> JsonObject:
        return public(self.run, self.directory.path)

    def live(self) -> Live | None:
        live = self.directory.read_live() if self.run.attempts else None
        return live if live is not None and live.attempt == self.run.attempt.number else None

    def refresh(self) -> bool:
        """Reads the record again if it changed, and returns whether it did; UnknownRun if the run was removed."""
        signature = signature_of(self.directory.record_path)
        if signature is None:
            raise UnknownRun(f"run {self.run.id} was removed")
        if signature == self._signature:
            return False
        self._signature = signature
        self.run = self.directory.read()
        return True

    def new_events(self, now: float) -> Iterator[Event]:
        """The events since the last call, at the end the `ended` event. `now` is monotonic."""
        ended = self.has_ended
        for line in self._events.read():
            if line.get("event") != ENDED:
                values = {name: value for name, value in line.items() if name not in ("event", "time")}
                kind, message = str(line.get("event")), str(line.get("message") or "")
                if kind == ATTEMPT_ENDED:
                    values |= {"run": self.record(), "position": self._position()}
                yield Event(
                    kind=kind, run_id=self.run.id, time=line.get("time"), message=message, values=values, run=self.run
                )
        yield from self._hold_events(now)
        yield from self._progress_events(now, at_once=ended)
        if ended:
            record = self.record()
            yield Event(kind=ENDED, run_id=self.run.id, time=record["ended_at"], values={"run": record})

    def _position(self) -> int | None:
        """The position in the queue, counted from 1; None if the run is not queued."""
        from backprop_tui.client.queueing import queue_positions

        return queue_positions(unfinished_views(self._home)).get(self.run.id)

    def _hold_events(self, now: float) -> Iterator[Event]:
        """An event when the checks that hold the run change, not each time a value does."""
        if self.run.status is not Status.QUEUED:
            self._held_by, self.hold = (), None
            return
        if now < self._check_holds_at:
            return
        self._check_holds_at = now + HOLD_SECONDS
        written = governor_record(self._home, self.run.host) or {}
        reasons = (written.get("held") or {}).get(self.run.id) or []
        checks = tuple(str(reason.get("check")) for reason in reasons)
        message, values = "; ".join(str(reason.get("message")) for reason in reasons), {"reasons": reasons}
        event = Event(
            kind=HELD, run_id=self.run.id, time=written.get("time"), message=message, values=values, run=self.run
        )
        self.hold = event if reasons else None
        if reasons and checks != self._held_by:
            yield event
        self._held_by = checks

    def _progress_events(self, now: float, *, at_once: bool) -> Iterator[Event]:
        for line in () if self._metrics is None else self._metrics.read():
            counts = {name: line[name] for name in ("step", "epoch") if line.get(name) is not None}
            self._progress |= counts | {"metrics": self._progress.get("metrics", {}) | (line.get("metrics") or {})}
            self._progress_time = line.get("time")
        if self._progress_time is None or (not at_once and now - self._progress_reported_at < PROGRESS_SECONDS):
            return
        self._progress_reported_at = now
        time, self._progress_time = self._progress_time, None
        yield Event(kind=PROGRESS, run_id=self.run.id, time=time, values=dict(self._progress))
