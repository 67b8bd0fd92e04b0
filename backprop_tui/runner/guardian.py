"""The guardian's loop: watches one script's timebox, log, output files and requests until the script is dead."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from backprop_tui.domain.checkpoint_pace import DiskUse
from backprop_tui.domain.errors import BackpropError, StorageFailed
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status
from backprop_tui.launchers.supervisor_process import SupervisorProcess, start_supervisor_if_dead
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner.checkpoint_record import CheckpointRecord
from backprop_tui.runner.log_follower import LogFollower
from backprop_tui.runner.outputs.metric_files import MetricsFound
from backprop_tui.runner.outputs.scanner import OutputScanner, ScanResult, record_disk_use
from backprop_tui.runner.progress import ProgressRecorder
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.request_handler import RequestHandler
from backprop_tui.runner.resources import MemoryKillMonitor, ResourceMeter, share_of
from backprop_tui.runner.resume_watch import ResumeWatch
from backprop_tui.runner.script import REAPED_WITHIN_SECONDS, Exit, ScriptProcess
from backprop_tui.runner.stop_sequence import UNTIL, CheckpointWait, StopSequence, has_live_listener
from backprop_tui.runner.tree import Tree
from backprop_tui.store.run_directory import RunDirectory

TICK_SECONDS = 0.2
CHECK_SUPERVISOR_SECONDS = 2.0
TIMEBOX = "timebox"


class Guardian:
    """Repeats the same steps five times a second; the script's death wakes it at once."""

    def __init__(
        self,
        directory: RunDirectory,
        run: Run,
        script: ScriptProcess,
        recorder: Recorder,
        log: LogFollower,
        supervisor: SupervisorProcess,
        wake: int,
    ) -> None:
        """`wake` is the descriptor that becomes readable when a signal arrives."""
        self._script, self._log, self._supervisor = script, log, supervisor
        self.recorder = recorder
        self.tree = tree = Tree(script, directory.path)
        self.run = run
        listens = partial(has_live_listener, directory.listeners_path)
        self.stop_sequence = StopSequence(run.spec.stop, tree, recorder, listens)
        self._outputs = OutputScanner(run, supervisor.home, recorder, script.identity.pid)
        self._checkpoints = CheckpointRecord(recorder, self._outputs.expect)
        self._progress = ProgressRecorder(recorder, self.stop_sequence, run.spec, self._checkpoints)
        self._checkpoint_wait = CheckpointWait(
            recorder,
            self.stop_sequence,
            grace_seconds=run.spec.stop.grace_seconds,
            is_saving=lambda: bool(self._checkpoints.pending),
            listens=listens,
        )
        self._requests = RequestHandler(directory, tree, recorder, self.stop_sequence, self._checkpoint_wait)
        readings = supervisor.home.readings
        self._meter = ResourceMeter(tree, recorder, lambda: share_of(run.id, run.attempt.gpus, readings))
        self._resume_watch = ResumeWatch(directory, run, recorder)
        self.memory_kills = MemoryKillMonitor(script.identity.pid)
        self._wake = wake
        self._poll = select.poll()
        for descriptor in (script.pidfd, wake):
            self._poll.register(descriptor, select.POLLIN)
        self._check_supervisor_at = time.monotonic() + CHECK_SUPERVISOR_SECONDS
        self._session_ends = self._more_to_read = False  # more to read: of the log

    def wait_for_end(self) -> Exit:
        """Guards until the script's process is dead; returns how it ended, all None if its exit status is unknown."""
        while not self._script.has_died():
            now = time.monotonic()
            self._tick(now)
            if self._script.has_died():
                break
            self._wait(0.0 if self._more_to_read else self._seconds_to_next_tick(now))
        return self._collect()

    def _tick(self, now: float) -> None:
        self.tree.reap()
        if self._session_ends:
            reason = "the session or machine is ending"
            self.stop_sequence.begin(Status.STOPPED, by="session", reason=reason, now=now)
        self._handle_requests(now)
        self._read_log()
        if not self._more_to_read:
            self._progress.update_eta()
        self._check_outputs(now)
        self._check_goal(now)
        self._check_timebox(now)
        self._checkpoint_wait.check(now)
        self.stop_sequence.advance(now)
        self._meter.sample(now)
        self.memory_kills.sample(now)
        self._check_supervisor(now)
        self.recorder.flush(now)

    def _handle_requests(self, now: float) -> None:
        try:
            self.run = self._requests.handle(self.run, now)
        except StorageFailed as error:
            self.recorder.change(problem=str(error))

    def _read_log(self) -> None:
        self._more_to_read = False
        with self._contain_errors("cannot read the log"):
            values, more_to_read = self._log.read(time.time())
            self._record(values)
            self._more_to_read = more_to_read

    def read_rest_of_log(self) -> None:
        """Reads a dead script's log to its end, including a last line without a line end."""
        with self._contain_errors("cannot read the log"):
            self._record(self._log.finish(time.time()))
            self._resume_watch.finish()
        # The next attempt, if there is one, continues from here.
        self._record_log_position()
        self.recorder.commit(told_offset=self._log.offset)

    def _check_outputs(self, now: float) -> None:
        """Records what the last scan of the output files found; never waits for a disk."""
        with self._contain_errors("cannot scan the output files"):
            self._record_scan(self._outputs.results(now), now)

    def check_outputs_at_end(self) -> None:
        """Scans a dead script's output files a last time: what is incomplete now stays incomplete."""
        with self._contain_errors("cannot scan the output files"):
            self._record_scan(self._outputs.results_at_end(), time.monotonic())
            self._progress.record_from_files(self._log.add_from_files((), time.time(), is_last=True))

    @contextmanager
    def _contain_errors(self, problem: str) -> Iterator[None]:
        """Logs any error: none in reading what a script writes may leave it unguarded, or lose the end of a run."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above
            note_exception(error)
            self.recorder.change(problem=f"{problem}: {error}")

    def _record_scan(self, results: Sequence[ScanResult], now: float) -> None:
        for result in results:
            if isinstance(result, DiskUse):
                record_disk_use(self.recorder, result, self.run, now)
            elif isinstance(result, MetricsFound):
                self._progress.record_from_files(self._log.add_from_files(result.values, time.time()))
                self.write_metrics()
            else:
                self._checkpoints.handle(result)

    def _record(self, values: Sequence[Progress | CheckpointSaved]) -> None:
        """Records values from the log: first in metrics.jsonl, then in the live record."""
        self.write_metrics()
        generation = self._log.generation
        if self.recorder.live.log_generation != generation:
            # The log was truncated: offsets start again at 0.
            self.recorder.change(log_offset=0, told_offset=0, log_memory=None, log_generation=generation)
        for pattern in self._log.take_switched_off():
            message = f"readers.patterns: {pattern!r} takes too long and was switched off"
            self.recorder.record_event("slow_pattern", message)
        if values:
            self._progress.record(values, self.run.spec.cwd)
            self._resume_watch.observe(values)
            self._record_log_position()

    def _record_log_position(self) -> None:
        """Records where another guardian would continue: not beyond metrics that a full disk kept unwritten."""
        log = self._log
        if log.all_written:
            self.recorder.change(log_offset=log.offset, log_generation=log.generation, log_memory=log.memory())

    def write_metrics(self) -> None:
        """Writes pending lines to metrics.jsonl; on a full disk they stay pending."""
        try:
            self._log.write_metrics()
        except StorageFailed as error:
            self.recorder.change(problem=str(error))

    def _check_goal(self, now: float) -> None:
        live = self.recorder.live
        if live.reached is not None and live.stopping is None:
            self._checkpoint_wait.stop(Status.TIMEBOXED, by=UNTIL, reason=live.reached, now=now)

    def _timebox(self, now: float) -> tuple[float, float] | None:
        """The timebox and how much of it is left; None if there is none, or it does not count now."""
        limit, live = timebox_seconds(self.run), self.recorder.live
        if limit is None or live.stopping is not None or live.pause is not None:
            return None
        return limit, limit - live.clock.at(now, paused=False).running_seconds

    def _check_timebox(self, now: float) -> None:
        timebox, live, plan = self._timebox(now), self.recorder.live, self.run.spec.stop
        if timebox is None:
            return
        limit, left = timebox
        if left > 0 and live.postponed is not None and live.postponed.by == TIMEBOX:
            self.recorder.commit(postponed=None)  # the timebox was extended
        if plan.warn_signal is not None and not live.warned and left <= plan.warn_seconds:
            self.recorder.commit(warned=True)
            self.recorder.record_event("warned", f"{plan.warn_signal}: {max(0.0, left):.0f} s of the timebox left")
            self.tree.signal_group(signal.Signals[plan.warn_signal])
        if left <= 0:
            reason = f"reached its limit of {minutes(limit)} min"
            self._checkpoint_wait.stop(Status.TIMEBOXED, by=TIMEBOX, reason=reason, now=now)

    def _check_supervisor(self, now: float) -> None:
        if now < self._check_supervisor_at:
            return
        self._check_supervisor_at = now + CHECK_SUPERVISOR_SECONDS
        try:
            if start_supervisor_if_dead(self._supervisor):
                self.tree.search_everywhere()
        except (BackpropError, OSError) as error:
            self.recorder.change(problem=f"cannot start a supervisor: {error}")

    def _seconds_to_next_tick(self, now: float) -> float:
        """The tick interval, or the rest of the timebox if that is shorter."""
        timebox = None if self.recorder.live.postponed else self._timebox(now)
        return TICK_SECONDS if timebox is None else min(TICK_SECONDS, max(0.001, timebox[1]))

    def _wait(self, seconds: float) -> None:
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._wake and signal.SIGTERM in os.read(self._wake, 512):
                # SIGTERM: the session or machine is ending, or the disk is too full to write a request.
                self._session_ends = True

    def _collect(self) -> Exit:
        """Waits for the exit status: an adopted script's is readable only once the subreaper reaps it."""
        end = time.monotonic() + REAPED_WITHIN_SECONDS
        while (exit_ := self._script.collect()) is None:
            if time.monotonic() > end:
                return self._script.give_up()
            time.sleep(0.01)
        return exit_

    def stop_clock(self) -> None:
        """Counts the time up to the script's death."""
        live = self.recorder.live
        self.recorder.change(clock=live.clock.at(time.monotonic(), paused=live.pause is not None), pause=None)

    def handle_last_requests(self) -> Run:
        """Applies edits that arrived while the script was dying; other requests have no effect any more."""
        try:
            return self._requests.handle_after_end(self.run)
        except StorageFailed as error:
            self.recorder.change(problem=str(error))
            return self.run
