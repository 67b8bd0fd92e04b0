"""The guardian's loop: watches one script's timebox, log, output files and requests until the script is dead."""

from __future__ import annotations

import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from backprop_tui.domain.checkpoint_pace import DiskUse
from backprop_tui.domain.errors import BackpropError, StorageFailed
from backprop_tui.domain.formatting import duration
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.live import Clock
from backprop_tui.domain.requests import PERSON, STOPPED_BY_YOU
from backprop_tui.domain.run import TIMEBOX_END, Run
from backprop_tui.domain.status import Status
from backprop_tui.launchers.supervisor_process import SupervisorProcess, start_supervisor_if_dead
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.directory_watch import DirectoryWatch
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner.checkpoint_record import CheckpointRecord
from backprop_tui.runner.directory_keeper import DirectoryKeeper
from backprop_tui.runner.leftovers import Leftovers
from backprop_tui.runner.log_follower import LogFollower
from backprop_tui.runner.outputs.metric_files import MetricsFound
from backprop_tui.runner.outputs.scanner import OutputScanner, ScanResult, record_disk_use
from backprop_tui.runner.own_log import OwnLogReader
from backprop_tui.runner.progress import ProgressRecorder
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.request_handler import RequestHandler
from backprop_tui.runner.resources import MemoryKillMonitor, ResourceMeter, share_of
from backprop_tui.runner.resume_watch import ResumeWatch
from backprop_tui.runner.script import REAPED_WITHIN_SECONDS, CannotStart, Exit, ScriptProcess
from backprop_tui.runner.stop_sequence import KILL, UNTIL, CheckpointWait, StopSequence, has_live_listener
from backprop_tui.runner.tree import Tree
from backprop_tui.store.tail import size_of

# From tick to tick, at first and later: most of what matters happens soon after the start.
TICK_SECONDS, CALM_TICK_SECONDS = 0.2, 1.0
CALM_AFTER_SECONDS = 10.0
CHECK_SUPERVISOR_SECONDS = 2.0
SESSION_SECONDS = 0.2  # between the signals to the processes of a session that ends
READ_SECONDS = 0.1  # of each step: the others wait for it
# To read what a dead script has printed; then only the last bytes. An end that was asked for is awaited. Otherwise a
# busy machine is no reason to skip anything, and after another guardian's death more may be left.
REST_OF_STOPPED_SECONDS, REST_CPU_SECONDS, REST_SECONDS = 1.0, 1.0, 10.0
LAST_BYTES = 1 << 14
TIMEBOX = "timebox"

_Values = Sequence[Progress | CheckpointSaved]


class Wakeups:
    """What ends a guardian's wait: a signal, a request, and the end of one of the processes that it watches."""

    def __init__(self, requests_path: str, wake: int, *descriptors: int | None) -> None:
        """`wake` becomes readable when a signal arrives, each of the `descriptors` when a process ends."""
        folder, self._requests = os.path.split(requests_path)
        self.files = DirectoryWatch(folder)
        self._wake = wake
        self.poll = select.poll()
        for descriptor in (wake, self.files.descriptor, *descriptors):
            if descriptor is not None:
                self.poll.register(descriptor, select.POLLIN)

    def wait(self, seconds: float) -> bytes:
        """Returns the signals that arrived. What this process writes itself ends no wait."""
        end, signals = time.monotonic() + seconds, b""
        while self._requests not in self.files.written():
            ready = {descriptor for descriptor, _ in self.poll.poll(max(0.0, end - time.monotonic()) * 1000)}
            if self._wake in ready:
                signals = os.read(self._wake, 512)
            if ready != {self.files.descriptor}:
                break
        return signals


def tick_seconds(age_seconds: float, *, is_awaited: bool) -> float:
    """The pause between two ticks of a guardian of this age: short at first, and while something is awaited."""
    calm = CALM_TICK_SECONDS * min(1.0, age_seconds / CALM_AFTER_SECONDS)
    return TICK_SECONDS if is_awaited else max(TICK_SECONDS, calm)


def _read_chunks(
    read: Callable[[], tuple[_Values, bool]],
    record: Callable[[_Values], None],
    note_cost: Callable[[float], None],
    has_time: Callable[[], bool],
) -> bool:
    while True:
        began = time.monotonic()
        values, more = read()
        record(values)
        note_cost(time.monotonic() - began)
        if not more or not has_time():
            return more


class Guardian:
    """Repeats the same steps five times a second at first, and once a second later, unless something is awaited.

    The script's death, a signal and a request wake it at once.
    """

    _reported_left = 0  # processes that are not ended
    _is_starting = False
    _contained: str | None = None  # the newest error in reading what the script writes, which is logged once

    def __init__(
        self,
        keeper: DirectoryKeeper,
        run: Run,
        script: ScriptProcess,
        recorder: Recorder,
        log: LogFollower,
        supervisor: SupervisorProcess,
        wake: int,
    ) -> None:
        """`wake` is the descriptor that becomes readable when a signal arrives."""
        self._keeper, directory = keeper, keeper.directory
        self._directory, self._script, self._log, self._supervisor = directory, script, log, supervisor
        self.recorder, self.run = recorder, run
        self.tree = tree = Tree(script, directory.path)
        listens = partial(has_live_listener, directory.listeners_path)
        self.stop_sequence = StopSequence(run.spec.stop, tree, recorder, listens)
        self._outputs = OutputScanner(run, supervisor.home, recorder, tree.pids)
        self._own_log = OwnLogReader(directory, run, recorder, log, tree.pids)
        folders, log_path = self._outputs.folders, directory.log
        self._checkpoints = CheckpointRecord(recorder, self._outputs.expect, folders=folders, log_path=log_path)
        self._progress = ProgressRecorder(recorder, self.stop_sequence, run.spec, self._checkpoints)
        self._checkpoint_wait = CheckpointWait(
            recorder,
            self.stop_sequence,
            grace_seconds=run.spec.stop.grace_seconds,
            is_saving=lambda: bool(self._checkpoints.pending),
            listens=listens,
        )
        self._requests = RequestHandler(directory, tree, recorder, self.stop_sequence, self._checkpoint_wait)
        gpu_share = partial(share_of, run.id, run.attempt.gpus, supervisor.home.readings)
        self._meter = ResourceMeter(tree, recorder, gpu_share)
        self.leftovers = Leftovers(run.spec.leftovers, tree, recorder, gpu_share, self._written_bytes)
        self._resume_watch = ResumeWatch(directory, run, recorder)
        self.memory_kills = MemoryKillMonitor(script.identity.pid)
        self._wakeups = Wakeups(directory.requests_path, wake, script.pidfd, self.stop_sequence.late_starts.descriptor)
        self._began = time.monotonic()
        log.figures_end = recorder.live.figures_end
        self._check_supervisor_at = self._began + CHECK_SUPERVISOR_SECONDS
        self.session_ends = self._is_stopped_by_signal = self._more_to_read = self._is_sharing_reported = False

    def wait_for_end(self) -> Exit:
        """Guards until the script's process and what it left working are dead; returns how the script's ended.

        All of the result is None if the exit status is unknown.
        """
        self._guard_while(lambda _now: not self._script.has_died() and not self._is_out_of_reach())
        if not self._script.has_died():
            self._script.give_up()
        if self._script.pidfd is not None:
            self._wakeups.poll.unregister(self._script.pidfd)
        exit_ = self._collect()
        is_by_session = signal.SIGTERM in (exit_.signal, (exit_.code or 0) - 128) or self._supervisor.signals_scripts
        if self.stop_sequence.stopping is None and exit_.code != 0 and is_by_session:
            # At the end of a session the script gets the signal too, and may die before this process gets its own.
            self._wait(SESSION_SECONDS)
            self._check_signals(time.monotonic())
        now = time.monotonic()
        if self.leftovers.begin(exit_, self._clock(now).running_seconds, now):
            self._own_log.output.is_urgent = True
            self._began = now
            self._guard_while(self.leftovers.last)
        self.leftovers.record_ending(exit_)
        return exit_

    def _is_out_of_reach(self) -> bool:
        """Whether the script was to be killed, and belongs to another user, as under sudo, or hangs before its exec."""
        stopping = self.stop_sequence.stopping
        if stopping is None or stopping.stage != KILL or self._script.has_died():
            return False
        if self._script.is_starting():  # it runs nothing of the user's, now or when its disk answers
            self.tree.leave_script("was killed before it began, and hangs in the kernel")
        return self.tree.is_script_left

    def _check_start(self) -> None:
        """Says that a script does not begin, as long as that is so."""
        is_starting = self._script.is_starting()
        if is_starting != self._is_starting:
            self._is_starting = is_starting
            cwd = self.run.spec.cwd
            problem = f"{cwd} or the program does not answer, so the script has not begun" if is_starting else None
            self.recorder.commit(problem=problem)

    @property
    def start_failure(self) -> CannotStart | None:
        """Why a script could not be started that was slow to; None for the others."""
        self._script.is_starting()
        return self._script.start_failure

    def _guard_while(self, condition: Callable[[float], bool]) -> None:
        """Repeats the steps while the condition, which is given the monotonic time, holds."""
        while condition(now := time.monotonic()):
            self._tick(now)
            if not condition(now):
                break
            self._wait(0.0 if self._more_to_read else self._seconds_to_next_tick(now))

    def _tick(self, now: float) -> None:
        self.tree.reap()
        self.keep_directory()
        self._check_figures_end()
        self._check_signals(now)
        self._read_log()
        self._handle_requests(now)  # after what was printed before it, such as a checkpoint
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
        self.report_left()
        self._check_start()
        self.recorder.flush(now)

    def report_left(self) -> None:
        """Records new processes that are left, such as those of other users."""
        note = self.tree.left_note() if len(self.tree.left) > self._reported_left else None
        if note is not None:
            self._reported_left = len(self.tree.left)
            processes = [{"pid": left.pid, "command": left.command} for left, _ in self.tree.left.values()]
            self.recorder.record_event("leftovers", note, processes=processes)
            self.recorder.change(problem=note)

    def keep_directory(self) -> None:
        """Repairs what the script may have done to its run directory."""
        self._keeper.check(self.run)
        self._wakeups.files.renew()

    def _check_signals(self, now: float) -> None:
        if self._is_stopped_by_signal:
            self.stop_sequence.begin(Status.STOPPED, by=PERSON, reason=STOPPED_BY_YOU, now=now)
        elif self.session_ends and self.stop_sequence.stopping is None:
            end = self._supervisor.session_end()
            self.stop_sequence.begin(Status.STOPPED, by="session", reason=end.reason, now=now, cause=end.cause)

    def _handle_requests(self, now: float) -> None:
        try:
            self.run = self._requests.handle(self.run, now)
        except StorageFailed as error:
            self.recorder.change(problem=str(error))

    def _read_log(self) -> None:
        end = time.monotonic() + READ_SECONDS
        self._more_to_read = self._read_while(lambda: time.monotonic() < end)

    def _read_while(self, has_time: Callable[[], bool]) -> bool:
        """Reads while there is time, at least one chunk of each file; returns whether more is left."""
        log, own, more, more_of_own = self._log, self._own_log, False, False
        with self._contain_errors("cannot read the log"):
            more = _read_chunks(lambda: log.read(time.time()), self._record, log.note_cost, has_time)
        with self._contain_errors("cannot read the file that the output is redirected to"):
            read_own = partial(own.read, time.monotonic(), time.time())
            more_of_own = _read_chunks(read_own, self._record_own, own.note_cost, has_time)
        return more or more_of_own

    def _check_figures_end(self) -> None:
        """Ignores what is printed after all trainings that got the stop signal have ended."""
        live = self.recorder.live
        if live.stopping is None or not self.stop_sequence.late_starts.have_trainings_ended():
            return
        if live.figures_end is None and not self._script.has_died():
            self._log.figures_end = size_of(self._directory.log)
            self._own_log.end_figures(time.time())
            self.recorder.commit(figures_end=self._log.figures_end)

    def _written_bytes(self) -> int:
        return size_of(self._directory.log) + self._own_log.output.written_bytes

    def read_rest_of_log(self) -> None:
        """Reads a dead script's log to its end, including a last line without a line end.

        If that takes too long, all but its last part is skipped: no end comes late because a log is long.
        """
        with self._contain_errors("cannot read the file that the output is redirected to"):
            self._own_log.fetch_rest(time.time())
        if self._read_while(self._time_for_rest()):
            with self._contain_errors("cannot read the log"):
                self._log.skip(LAST_BYTES)
                self._own_log.skip(LAST_BYTES)
            self._read_while(lambda: True)
        with self._contain_errors("cannot read the log"):
            self._record(self._log.finish(time.time()))
            self._record_own(self._own_log.finish(time.time()))
        # The next attempt, if there is one, continues from here.
        self._record_log_position()
        self.recorder.commit(told_offset=self._log.offset)

    def _time_for_rest(self) -> Callable[[], bool]:
        is_stopped = self.recorder.live.stopping is not None
        end = time.monotonic() + (REST_OF_STOPPED_SECONDS if is_stopped else REST_SECONDS)
        cpu_end = math.inf if is_stopped or self._script.adopted else time.thread_time() + REST_CPU_SECONDS
        return lambda: time.monotonic() < end and time.thread_time() < cpu_end

    def _check_outputs(self, now: float) -> None:
        """Records what the last scan of the output files found; never waits for a disk."""
        with self._contain_errors("cannot scan the output files"):
            self._record_scan(self._outputs.results(now), now)

    def check_outputs_at_end(self, exit_code: int | None) -> None:
        """Scans a dead script's output files a last time: what is incomplete now stays incomplete."""
        with self._contain_errors("cannot scan the output files"):
            self._record_scan(self._outputs.results_at_end(), time.monotonic())
            self._progress.record_from_files(self._log.add_from_files((), time.time(), is_last=True))
        with self._contain_errors("cannot check the resume"):
            self._resume_watch.finish(exit_code)

    @contextmanager
    def _contain_errors(self, problem: str) -> Iterator[None]:
        """Logs any new error: none in reading what a script writes may leave it unguarded, or lose the end of a run."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above
            message = f"{problem}: {error}"
            if message != self._contained:  # at each tick, as long as it lasts
                note_exception(error)
            self._contained = message
            self.recorder.change(problem=message)

    def _record_scan(self, results: Sequence[ScanResult], now: float) -> None:
        self._report_shared_directory()
        for result in results:
            if isinstance(result, DiskUse):
                record_disk_use(self.recorder, result, self.run, now)
            elif isinstance(result, MetricsFound):
                self._resume_watch.observe_files(result.values)
                self._progress.record_from_files(self._log.add_from_files(result.values, time.time()))
                self.write_metrics()
            else:
                self._checkpoints.handle(result)

    def _report_shared_directory(self) -> None:
        """Records which possible checkpoints have no owner, as long as that is so; reports it once."""
        shared = self._outputs.shared_directory
        if shared == self.recorder.live.shared_directory:
            return
        self.recorder.change(shared_directory=shared)
        if shared is not None and not self._is_sharing_reported:
            self._is_sharing_reported = True
            details = {"folder": shared.folder, "runs": shared.runs, "files": shared.files}
            self.recorder.record_event("directory_shared", shared.message, **details)

    def _record(self, values: Sequence[Progress | CheckpointSaved]) -> None:
        """Records values from the log: first in metrics.jsonl, then in the live record."""
        self.write_metrics()
        self._record_skipped(self._log)
        if any(isinstance(value, Progress) and (value.step is not None or value.metrics) for value in values):
            self._own_log.output.log_has_figures = True
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

    def _record_own(self, values: Sequence[Progress | CheckpointSaved]) -> None:
        """As `_record`, for values from a file that the output is redirected to."""
        self.write_metrics()
        if self._own_log.follower is not None:
            self._record_skipped(self._own_log.follower)
        self._own_log.record_position()
        if values:
            self._progress.record(values, self.run.spec.cwd)
            self._resume_watch.observe(values)

    def _record_skipped(self, follower: LogFollower) -> None:
        for skipped in follower.take_skipped():
            self._progress.note_skip()
            for checkpoint in skipped.checkpoints:
                self._checkpoints.announce(checkpoint, self.run.spec.cwd, None)
            self.recorder.record_event("log_skipped", skipped.message, offset=skipped.start, end=skipped.end)

    def _record_log_position(self) -> None:
        """Records where another guardian would continue: not beyond metrics that a full disk kept unwritten."""
        log = self._log
        if log.all_written:
            self.recorder.change(log_offset=log.offset, log_generation=log.generation, log_memory=log.memory())

    def write_metrics(self) -> None:
        """Writes pending lines to metrics.jsonl; on a full disk they stay pending."""
        try:
            self._log.write_metrics()
            self._own_log.write_metrics()
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
        return limit, limit - self._clock(now).running_seconds

    def _clock(self, now: float) -> Clock:
        live = self.recorder.live
        return live.clock.at(now, paused=live.pause is not None)

    def _check_timebox(self, now: float) -> None:
        timebox, live, plan = self._timebox(now), self.recorder.live, self.run.spec.stop
        if timebox is None:
            return
        limit, left = timebox
        if left > 0 and live.postponed is not None and live.postponed.by == TIMEBOX:
            self.recorder.commit(postponed=None)  # the timebox was extended
        if plan.warn_signal is not None and not live.warned and left <= plan.warn_seconds:
            self.recorder.commit(warned=True)
            self.recorder.record_event("warned", f"{plan.warn_signal}: {duration(left)} of the timebox left")
            self.tree.signal_group(signal.Signals[plan.warn_signal])
        if left <= 0:
            reason = f"{TIMEBOX_END} {duration(limit)}"
            self._checkpoint_wait.stop(Status.TIMEBOXED, by=TIMEBOX, reason=reason, now=now)

    def _check_supervisor(self, now: float) -> None:
        if now < self._check_supervisor_at:
            return
        self._check_supervisor_at = now + CHECK_SUPERVISOR_SECONDS
        if self.session_ends:
            return
        try:
            if start_supervisor_if_dead(self._supervisor):
                self.tree.search_everywhere()
        except (BackpropError, OSError) as error:
            self.recorder.change(problem=f"cannot start a supervisor: {error}")

    def _seconds_to_next_tick(self, now: float) -> float:
        """The tick interval, or what is left of the timebox or to the next write of the record if that is shorter."""
        live = self.recorder.live
        tick = tick_seconds(now - self._began, is_awaited=self._is_awaiting())
        seconds = [tick, self.recorder.seconds_to_write(now)]
        timebox = None if live.postponed else self._timebox(now)
        if timebox is not None:
            plan, left = self.run.spec.stop, timebox[1]
            is_warned = plan.warn_signal is None or live.warned
            seconds.append(max(0.001, left if is_warned else left - plan.warn_seconds))
        return min(seconds)

    def _is_awaiting(self) -> bool:
        """Whether something may happen at any moment of which nothing wakes this process."""
        live = self.recorder.live
        is_saving_or_ending = live.stopping or live.postponed or self._checkpoints.pending
        return bool(is_saving_or_ending) or self._is_starting or self._wakeups.files.descriptor is None

    def _wait(self, seconds: float) -> None:
        signals = self._wakeups.wait(seconds)
        self.session_ends |= signal.SIGTERM in signals
        self._is_stopped_by_signal |= signal.SIGUSR1 in signals  # the disk is too full to write a request

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
        self.recorder.change(clock=self._clock(time.monotonic()), pause=None)

    def handle_last_requests(self) -> Run:
        """Applies edits that arrived while the script was dying; other requests have no effect any more."""
        try:
            return self._requests.handle_after_end(self.run)
        except StorageFailed as error:
            self.recorder.change(problem=str(error))
            return self.run
