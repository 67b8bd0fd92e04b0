"""Guards one running script: its timebox, its log, what is asked of it, until it is dead."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from functools import partial

from backprop_tui.domain.disk_use import DiskUse
from backprop_tui.domain.errors import BackpropError, StorageFailed
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass
from backprop_tui.launchers.sampler_process import READINGS
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.readers.values import CheckpointSaved, Progress
from backprop_tui.runner.checkpoint_book import CheckpointBook
from backprop_tui.runner.disk_watch import DiskWatch
from backprop_tui.runner.figures import Figures
from backprop_tui.runner.found_figures import FiguresFound
from backprop_tui.runner.gpu_share import share_of
from backprop_tui.runner.ladder import Ladder
from backprop_tui.runner.listeners import LISTENERS, anyone_listens
from backprop_tui.runner.log_follower import LogFollower
from backprop_tui.runner.lookout import Lookout, Seen
from backprop_tui.runner.memory_kills import MemoryKills
from backprop_tui.runner.obedience import Obedience
from backprop_tui.runner.postponement import UNTIL, Postponement
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.resources import ResourceMeter
from backprop_tui.runner.resume_watch import ResumeWatch
from backprop_tui.runner.summons import summon
from backprop_tui.runner.tree import Tree
from backprop_tui.runner.watched import REAPED_WITHIN_SECONDS, Exit, WatchedScript
from backprop_tui.store.run_directory import RunDirectory

TICK_SECONDS = 0.2
CALL_SUPERVISOR_SECONDS = 2.0
TIMEBOX = "timebox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one guardian guards, put together before it begins to wait."""

    directory: RunDirectory
    script: WatchedScript
    tree: Tree
    recorder: Recorder
    log: LogFollower
    supervisor: SupervisorProcess


class Guardian:
    """One loop of named steps, five times a second; the script's death wakes it at once."""

    def __init__(self, charge: Charge, run: Run, wake: int) -> None:
        self._charge = charge
        self._recorder = charge.recorder
        self.run = run
        listens = partial(anyone_listens, charge.directory.file(LISTENERS))
        self.ladder = Ladder(run.spec.stop, charge.tree, charge.recorder, listens)
        self._lookout = Lookout(run, charge.supervisor.home, charge.recorder, charge.script.identity.pid)
        self._book = CheckpointBook(charge.recorder, self._lookout.expect)
        self._disk = DiskWatch(charge.recorder)
        self.figures = Figures(charge.recorder, self.ladder, run.spec, self._book)
        self._postponement = Postponement(
            charge.recorder,
            self.ladder,
            grace_seconds=run.spec.stop.grace_seconds,
            is_saving=lambda: bool(self._book.pending),
            listens=listens,
        )
        self._obedience = Obedience(charge.directory, charge.tree, charge.recorder, self.ladder, self._postponement)
        readings_path = charge.supervisor.home.host_file(READINGS)
        self._meter = ResourceMeter(
            charge.tree, charge.recorder, lambda: share_of(run.id, run.attempt.gpus, readings_path)
        )
        self._resume_watch = ResumeWatch(charge.directory, run, charge.recorder)
        self.memory_kills = MemoryKills(charge.script.identity.pid)
        self._wake = wake
        self._poll = select.poll()
        self._poll.register(charge.script.pidfd, select.POLLIN)
        self._poll.register(wake, select.POLLIN)
        self._call_supervisor_at = time.monotonic() + CALL_SUPERVISOR_SECONDS
        self._session_ends = False

    def wait_for_death(self) -> Exit:
        """Guards until the script's process is dead; how it ended, all None where nobody saw it."""
        script = self._charge.script
        while not script.has_died():
            now = time.monotonic()
            busy = self._tick(now)
            if script.has_died():
                break
            self._wait(0.0 if busy else self._seconds_to_next_tick(now))
        return self._collect()

    def _tick(self, now: float) -> bool:
        """One round; whether more of the log is waiting to be read."""
        self._charge.tree.reap()
        if self._session_ends:
            self.ladder.begin(Status.STOPPED, by="session", reason="the session or machine is ending", now=now)
        self._obey(now)
        busy = self.read_log()
        self._look_out(now)
        self._keep_goal(now)
        self._keep_timebox(now)
        self._postponement.keep(now)
        self.ladder.climb(now)
        self._meter.sample(now)
        self.memory_kills.look(now)
        self._call_supervisor(now)
        self._recorder.flush(now)
        return busy

    def _obey(self, now: float) -> None:
        try:
            self.run = self._obedience.obey(self.run, now)
        except StorageFailed as error:
            self._recorder.change(problem=str(error))

    def read_log(self) -> bool:
        """Reads the next chunk of the log; whether more is waiting."""
        try:
            values, more = self._charge.log.read(time.time())
            self._take_in(values)
        except Exception as error:  # noqa: BLE001 - boundary: no fault in a log's reading may leave a script unguarded
            self._cannot_read(error)
            return False
        return more

    def read_rest_of_log(self) -> None:
        """The script is dead: its log to the end, a last line without an end too."""
        try:
            self._take_in(self._charge.log.finish(time.time()))
            self._resume_watch.finish()
        except Exception as error:  # noqa: BLE001 - boundary: no fault in a log's reading may lose an end
            self._cannot_read(error)
        # Its next attempt, if there is one, goes on from here.
        self._note_place()
        self._recorder.commit(told_offset=self._charge.log.offset)

    def _look_out(self, now: float) -> None:
        """What the run wrote beside its log; seeing never waits for a disk."""
        try:
            self._take_in_seen(self._lookout.seen(now), now)
        except Exception as error:  # noqa: BLE001 - boundary: no fault in a look may leave a script unguarded
            self._cannot_see(error)

    def look_out_last(self) -> None:
        """The script is dead, and what it left half-written stays so."""
        try:
            self._take_in_seen(self._lookout.seen_last(), time.monotonic())
        except Exception as error:  # noqa: BLE001 - boundary: no fault in a look may lose an end
            self._cannot_see(error)

    def _cannot_see(self, error: Exception) -> None:
        note_exception(error)
        self._recorder.change(problem=f"the files it writes cannot be looked at: {error}")

    def _take_in_seen(self, seen: Sequence[Seen], now: float) -> None:
        for one in seen:
            if isinstance(one, DiskUse):
                self._disk.seen(one, self.run, now)
            elif isinstance(one, FiguresFound):
                self.figures.take_in_beside(self._charge.log.take_beside(one.values, time.time()))
                self.write_metrics()
            else:
                self._book.seen(one)

    def _cannot_read(self, error: Exception) -> None:
        note_exception(error)
        self._recorder.change(problem=f"its log cannot be read: {error}")

    def _take_in(self, values: Sequence[Progress | CheckpointSaved]) -> None:
        """What the log said: first into metrics.jsonl, then into the live record."""
        self.write_metrics()
        generation = self._charge.log.generation
        if self._recorder.live.log_generation != generation:
            # Somebody emptied the log: offsets begin anew.
            self._recorder.change(log_offset=0, told_offset=0, log_memory=None, log_generation=generation)
        for pattern in self._charge.log.take_switched_off():
            self._recorder.tell("slow_pattern", f"readers.patterns: {pattern!r} takes too long: switched off")
        if values:
            self.figures.take_in(values, self.run.spec.cwd)
            self._resume_watch.take(values)
            self._note_place()

    def _note_place(self) -> None:
        """Where another guardian would go on: not behind metrics that a full disk kept from being written."""
        log = self._charge.log
        if log.all_written:
            self._recorder.change(log_offset=log.offset, log_generation=log.generation, log_memory=log.memory())

    def write_metrics(self) -> None:
        """What waits to be written into metrics.jsonl; a full disk makes it wait on."""
        try:
            self._charge.log.write_metrics()
        except StorageFailed as error:
            self._recorder.change(problem=str(error))

    def _keep_goal(self, now: float) -> None:
        """The log told that what it was started for is reached."""
        reached = self._recorder.live.reached
        if reached is not None and self._recorder.live.stopping is None:
            self._postponement.end(Status.TIMEBOXED, by=UNTIL, reason=reached, now=now)

    def _keep_timebox(self, now: float) -> None:
        limit = timebox_seconds(self.run)
        live = self._recorder.live
        if limit is None or live.stopping is not None or live.pause is not None:
            return
        left = limit - live.clock.at(now, paused=False).running_seconds
        if left > 0 and live.postponed is not None and live.postponed.by == TIMEBOX:
            self._recorder.commit(postponed=None)  # it was extended meanwhile
        plan = self.run.spec.stop
        if plan.warn_signal is not None and not live.warned and left <= plan.warn_seconds:
            self._recorder.commit(warned=True)
            self._recorder.tell("warned", f"{plan.warn_signal}: {max(0.0, left):.0f} s of the timebox left")
            self._charge.tree.signal_group(signal.Signals[plan.warn_signal])
        if left <= 0:
            reason = f"at its limit of {minutes(limit)} min"
            self._postponement.end(Status.TIMEBOXED, by=TIMEBOX, reason=reason, now=now)

    def _call_supervisor(self, now: float) -> None:
        """A supervisor that died is started again by whoever notices: the queue never stops."""
        if now >= self._call_supervisor_at:
            self._call_supervisor_at = now + CALL_SUPERVISOR_SECONDS
            try:
                if summon(self._charge.supervisor):
                    self._charge.tree.search_everywhere()
            except (BackpropError, OSError) as error:
                self._recorder.change(problem=f"no supervisor could be started: {error}")

    def _seconds_to_next_tick(self, now: float) -> float:
        """Up to a fifth of a second; less where the timebox ends before."""
        limit, live = timebox_seconds(self.run), self._recorder.live
        if limit is None or live.stopping or live.postponed or live.pause is not None:
            return TICK_SECONDS
        left = limit - live.clock.at(now, paused=False).running_seconds
        return min(TICK_SECONDS, max(0.001, left))

    def _wait(self, seconds: float) -> None:
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._wake and signal.SIGTERM in os.read(self._wake, 512):
                # SIGTERM: the session or the machine is ending, or the disk is too full for a request.
                self._session_ends = True

    def _collect(self) -> Exit:
        """An adopted script's status may only be readable once its foster parent reaps it."""
        script = self._charge.script
        end = time.monotonic() + REAPED_WITHIN_SECONDS
        while (found := script.collect()) is None:
            if time.monotonic() > end:
                return script.give_up()
            time.sleep(0.01)
        return found

    def clock_stopped(self) -> None:
        """Counts the time up to the script's death."""
        live = self._recorder.live
        self._recorder.change(clock=live.clock.at(time.monotonic(), paused=live.pause is not None), pause=None)

    def last_requests(self) -> Run:
        """Edits that came while the script was dying; what asks for more than that is moot."""
        try:
            return self._obedience.obey_the_dead(self.run)
        except StorageFailed as error:
            self._recorder.change(problem=str(error))
            return self.run
