"""Follows runs until they have ended; it only reads their files, so it may freeze or be killed and they continue."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.event_stream import ATTEMPT_ENDED, ENDED, HELD, MAX_WAIT_SECONDS, Event, EventStream, Pace
from backprop_tui.cli.exit_codes import first_failure
from backprop_tui.cli.presenters import Presenter, presenter_for
from backprop_tui.cli.session import Interrupts, Session
from backprop_tui.client.control import StopControl
from backprop_tui.client.runs import FileSizes, open_guardian
from backprop_tui.domain.errors import BackpropError, HeldByGovernor, Interrupted
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.requests import PERSON, StopRequest
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.tail import Tail

ENSURE_SECONDS = 2.0
URGENT_FOR_SECONDS = 2.0  # after a run was queued or admitted: Slurm looks at new jobs about once a second
STOPPED_BY_CTRL_C = "stopped by Ctrl-C"
_KILL, _LEAVE = 2, 3  # how often Ctrl-C was pressed
_ENDS = frozenset({ENDED, ATTEMPT_ENDED})


def follow(
    session: Session,
    run_ids: Sequence[str],
    interrupts: Interrupts,
    *,
    starts: Mapping[str, FileSizes] | None = None,
    before: Run | None = None,
    hint: str | None = None,
    wait_when_held: bool = True,
) -> int:
    """Follows runs to their ends; the exit code of the first that did not end well.

    `starts` says how much of each run's files is old; None: nothing. Without `wait_when_held`, a run that is held is
    taken out of the queue again, exit code 75; `before` is its record before it was resumed, None if it is new.
    `hint` is what to say once, with the first start.
    """
    starts = {run_id: FileSizes() for run_id in run_ids} if starts is None else starts
    following = Following(session, starts, presenter_for(session, run_ids, hint=hint), interrupts)
    if not wait_when_held:
        from backprop_tui.client.queueing import withdraw

        following.withdraw = lambda run_id: withdraw(session, run_id, before)
    return following.to_the_end()


class FollowedRun:
    def __init__(self, home: Home, run_id: str, presenter: Presenter, start: FileSizes) -> None:
        metrics = start.metrics if presenter.wants_progress else None
        self.stream = EventStream(home, run_id, events_offset=start.events, metrics_offset=metrics)
        self._tail = Tail(self.stream.directory.log, start.log)
        self._presenter = presenter
        self.guardian: int | None = None  # a pidfd: its death is the quickest sign of the run's end
        self.urgent_until = time.monotonic() + URGENT_FOR_SECONDS
        self.held = False
        self.end: JsonObject | None = None
        self._events: list[Event] = []  # read and not shown yet

    def show_news(self, now: float) -> bool:
        """Shows what is new; the log is read after the events, and shown before the event of an end."""
        changed = self.stream.refresh()
        if changed and self.stream.run.status in (Status.QUEUED, Status.STARTING):
            self.urgent_until = now + URGENT_FOR_SECONDS
        self._events = self._events or [*self.stream.new_events(now)]
        count = len(self._events)
        while self._events and self._events[0].kind not in _ENDS:
            self._show_event(self._events.pop(0))
        printed = self._show_output()
        while self._events and self._presenter.room():  # without room, output from before the end is still to be read
            self._show_event(self._events.pop(0))
        if self.guardian is None and self.end is None and self.stream.run.status is Status.RUNNING:
            live = self.stream.live()
            self.guardian = None if live is None else open_guardian(self.stream.directory, live.runner_pid)
        return changed or printed or len(self._events) < count

    def _show_event(self, event: Event) -> None:
        self.held = event.kind == HELD
        if event.kind == ENDED:
            self.end = event.values["run"]
            self._presenter.finish(self.stream.run.id)
            self.forget_guardian()
        self._presenter.event(event)

    def _show_output(self) -> bool:
        printed = False
        while self._presenter.wants_output and self._presenter.room() and (content := self._tail.read()):
            printed = True
            self._presenter.offer(self.stream.run.id, content)
        return printed

    def forget_guardian(self) -> None:
        if self.guardian is not None:
            os.close(self.guardian)
            self.guardian = None


class Following:
    """Follows some runs to their ends; Ctrl-C stops them."""

    def __init__(
        self, session: Session, starts: Mapping[str, FileSizes], presenter: Presenter, interrupts: Interrupts
    ) -> None:
        self._session = session
        self._presenter = presenter
        self._interrupts = interrupts
        self._handled_interrupts = 0
        # Takes a held run out of the queue and returns whether it could; None: held runs wait.
        self.withdraw: Callable[[str], bool] | None = None
        self._all_written = True
        self._stops: list[StopControl] = []
        self._ensure_at = time.monotonic() + ENSURE_SECONDS
        self.runs = [FollowedRun(session.home, run_id, presenter, start) for run_id, start in starts.items()]

    def to_the_end(self) -> int:
        """Returns the exit code.

        Raises:
            BrokenPipeError: nobody reads stdout any more, and the runs continue.
            Interrupted: Ctrl-C was pressed until this stopped following.
            HeldByGovernor: a run was held, and taken out of the queue.
        """
        pace = Pace(time.monotonic())
        while True:
            now = time.monotonic()
            changes = [run.show_news(now) for run in self._unfinished()]
            if any(changes):
                pace.changed(now)
            self._all_written = self._presenter.flush()
            if not self._unfinished():
                break
            if self._withdrew_held():
                raise HeldByGovernor(
                    "it would have to wait, so it was taken out of the queue", "without --no-wait it waits"
                )
            if self._interrupts.count >= _LEAVE:
                run_ids = ", ".join(run.stream.run.id for run in self._unfinished())
                raise Interrupted(f"no longer following, still running: {run_ids}")
            self._stop_on_interrupt()
            self._ensure_supervisor(now)
            self._presenter.status([run.stream for run in self.runs], now)
            self._wait(pace, now)
        self._write_the_rest()
        return first_failure([run.end for run in self.runs if run.end is not None])

    def _write_the_rest(self) -> None:
        """Takes as long as the reader does, unless Ctrl-C is pressed."""
        diagnostics.clear_status()
        count = self._interrupts.count
        while not self._presenter.flush() and self._interrupts.count == count:
            output.wait(MAX_WAIT_SECONDS, for_reader=True)

    def _withdrew_held(self) -> bool:
        held = [run.stream.run.id for run in self.runs if run.held]
        if not held or self.withdraw is None:
            return False
        withdraw, self.withdraw = self.withdraw, None
        return all(withdraw(run_id) for run_id in held)

    def _unfinished(self) -> list[FollowedRun]:
        return [run for run in self.runs if run.end is None]

    def _stop_on_interrupt(self) -> None:
        if self._interrupts.count > self._handled_interrupts:
            self._handled_interrupts = self._interrupts.count
            request = StopRequest(by=PERSON, reason=STOPPED_BY_CTRL_C, kill=self._interrupts.count >= _KILL)
            self._stops = [StopControl(self._session, run.stream.run.id, request) for run in self._unfinished()]
            diagnostics.say(self._stopping_line(kill=request.kill))
        for stop in [*self._stops]:
            try:
                is_done = stop.poll() is not None
            except BackpropError as error:
                self._session.warn_once(str(error))
                is_done = True
            if is_done:
                self._stops.remove(stop)

    def _stopping_line(self, *, kill: bool) -> str:
        unfinished = self._unfinished()
        count = counted(len(unfinished), "run")
        if all(run.stream.run.status is Status.QUEUED for run in unfinished):
            return f"taking {count} out of the queue"
        return f"killing {count}" if kill else f"stopping {count}, which may save first; Ctrl-C again kills"

    def _ensure_supervisor(self, now: float) -> None:
        if now < self._ensure_at:
            return
        self._ensure_at = now + ENSURE_SECONDS
        self._session.keep_supervisor(run.stream.run for run in self._unfinished())

    def _wait(self, pace: Pace, now: float) -> None:
        """Until the next read; a guardian's death and a closed reader are noticed at once."""
        unfinished = self._unfinished()
        urgent = any(now < run.urgent_until for run in unfinished)
        guardians = {run.guardian: run for run in unfinished if run.guardian is not None}
        seconds = pace.seconds(now, urgent=urgent)
        for descriptor in output.wait(seconds, for_reader=not self._all_written, others=guardians):
            guardians[descriptor].forget_guardian()
            guardians[descriptor].urgent_until = time.monotonic() + URGENT_FOR_SECONDS
            self._ensure_at = now  # a supervisor must find out if it died before the end was recorded
