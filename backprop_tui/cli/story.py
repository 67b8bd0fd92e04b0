"""What happens to one run, as it is written down: its events, its figures, why it is held, its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from backprop_tui.domain.errors import UnknownRun
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Ended, Run
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.records import public
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import governor_record
from backprop_tui.store.tail import JsonTail
from backprop_tui.store.watched_file import Signature, signature_of

HELD, PROGRESS, ENDED = "held", "progress", "ended"
# What others read; everything else in events.jsonl is told to people alone.
PUBLIC_KINDS = frozenset({"queued", HELD, "started", PROGRESS, "checkpoint", "paused", "continued", "stopping", ENDED})

PROGRESS_SECONDS = 0.5  # between two progress events; the newest values win
HOLD_SECONDS = 0.2  # between two looks at why it is held


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; `time` as the public files have it."""

    kind: str
    run_id: str
    time: str | None
    message: str = ""
    figures: JsonObject = field(default_factory=dict)


class Story:
    """Follows one run; `news` gives what is new. `run` is the record as it was read last."""

    def __init__(self, home: Home, run_id: str, *, events_offset: int = 0, metrics_offset: int | None = 0) -> None:
        """From offsets on; `metrics_offset` None: nobody wants to hear of progress."""
        self._home = home
        self._directory = RunDirectory(home.run_folder(run_id))
        self._events = JsonTail(self._directory.events_path, events_offset)
        self._metrics = None if metrics_offset is None else JsonTail(self._metrics_path, metrics_offset)
        self._signature: Signature | None = None
        self._held_for: tuple[str, ...] = ()
        self._look_at_holds = 0.0
        self._progress: JsonObject = {}
        self._progress_time: str | None = None
        self._progress_told = 0.0
        self.run: Run = self._directory.read()

    @property
    def _metrics_path(self) -> str:
        return self._directory.metrics_path

    @property
    def directory(self) -> RunDirectory:
        """Where it is written down."""
        return self._directory

    @property
    def has_ended(self) -> bool:
        """Whether the record says so, and no attempt comes any more."""
        return isinstance(self.run.state, Ended)

    def record(self) -> JsonObject:
        """The run in its public shape."""
        return public(self.run, self._directory.path)

    def live(self) -> Live | None:
        """The live record of its newest attempt."""
        live = self._directory.read_live() if self.run.attempts else None
        return live if live is not None and live.attempt == self.run.attempt.number else None

    def look(self) -> bool:
        """Reads the record again where it changed; whether it did.

        Raises:
            UnknownRun: the run was removed.
        """
        signature = signature_of(self._directory.record_path)
        if signature is None:
            raise UnknownRun(f"run {self.run.id} was removed")
        if signature == self._signature:
            return False
        self._signature = signature
        self.run = self._directory.read()
        return True

    def news(self, now: float) -> Iterator[Event]:
        """What was written down since; at the end the `ended` event. `now` is monotonic."""
        ended = self.has_ended
        for line in self._events.read():
            if line.get("event") != ENDED:
                yield self._event(line)
        yield from self._held(now)
        yield from self._progressed(now, at_once=ended)
        if ended:
            record = self.record()
            yield Event(kind=ENDED, run_id=self.run.id, time=record["ended_at"], figures={"run": record})

    def _event(self, line: JsonObject) -> Event:
        figures = {name: value for name, value in line.items() if name not in ("event", "time")}
        return Event(
            kind=str(line.get("event")),
            run_id=self.run.id,
            time=line.get("time"),
            message=str(line.get("message") or ""),
            figures=figures,
        )

    def _held(self, now: float) -> Iterator[Event]:
        """Told when the checks that hold it change, not each time a figure does."""
        if self.run.status is not Status.QUEUED:
            self._held_for = ()
            return
        if now < self._look_at_holds:
            return
        self._look_at_holds = now + HOLD_SECONDS
        said = governor_record(self._home, self.run.host) or {}
        reasons = (said.get("held") or {}).get(self.run.id) or []
        checks = tuple(str(reason.get("check")) for reason in reasons)
        if reasons and checks != self._held_for:
            message = "; ".join(str(reason.get("message")) for reason in reasons)
            yield Event(
                kind=HELD, run_id=self.run.id, time=said.get("time"), message=message, figures={"reasons": reasons}
            )
        self._held_for = checks

    def _progressed(self, now: float, *, at_once: bool) -> Iterator[Event]:
        for line in () if self._metrics is None else self._metrics.read():
            known = {name: line[name] for name in ("step", "epoch") if line.get(name) is not None}
            self._progress |= known | {"metrics": self._progress.get("metrics", {}) | (line.get("metrics") or {})}
            self._progress_time = line.get("time")
        if self._progress_time is None or (not at_once and now - self._progress_told < PROGRESS_SECONDS):
            return
        self._progress_told = now
        time_told, self._progress_time = self._progress_time, None
        yield Event(kind=PROGRESS, run_id=self.run.id, time=time_told, figures=dict(self._progress))
