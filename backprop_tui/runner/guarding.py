"""What a guardian does from the start of its script to the written end of the run."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.formatting import iso, time_or_none
from backprop_tui.domain.lifecycle import Outcome, slice_number, timebox_seconds
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run, Running, Starting
from backprop_tui.domain.status import Status
from backprop_tui.domain.training_totals import MAX_SOURCE_CHARS, totals_of_command
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.hanging_call import call_within
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.regular_files import read_regular
from backprop_tui.processes.requirements import unattainable
from backprop_tui.processes.tree import TICKS_PER_SECOND
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.user_patterns import UserPatterns
from backprop_tui.runner.directory_keeper import DirectoryKeeper
from backprop_tui.runner.failure_context import FailureContext
from backprop_tui.runner.finalize import outcome_of, outcome_of_failed_start, with_refused_option, write_end
from backprop_tui.runner.guardian import Guardian
from backprop_tui.runner.late_starts import boot_seconds
from backprop_tui.runner.log_follower import (
    LogFollower,
    LogPosition,
    MetricWatermarks,
    RegexLimit,
    cut_torn_line,
    recover_offset,
)
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.script import CannotStart, Exit, ScriptProcess
from backprop_tui.runner.start import (
    Gone,
    apply_recorded_state,
    initial_live,
    recorded_script,
)
from backprop_tui.runner.tree import Tree
from backprop_tui.store.code_state import changes_since_queued
from backprop_tui.store.failures import forget_failures
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory, read_lines

if TYPE_CHECKING:
    from backprop_tui.runner.main import Assignment

KILL_GRACE_SECONDS = 5.0
CODE_SECONDS = SOURCE_SECONDS = 1.0


def fill_caches() -> None:
    """Compiles the regular expressions of the log readers, which forks of this process then need not do."""
    LogReader()


def guard_script(
    directory: RunDirectory,
    run: Run,
    started: ScriptProcess | CannotStart | Gone,
    earlier: Live | None,
    checkpoint_change: str | None,
    assignment: Assignment,
    wake: int,
) -> bool:
    """Guards the run until its end is written; returns whether the session or machine is ending.

    `earlier` is the live record of the guardian before, `checkpoint_change` why the run resumes from another checkpoint
    than it was to.
    """
    script = started if isinstance(started, ScriptProcess) else None
    recorder = Recorder(directory, _begin_live(directory, run, script, earlier))
    recorded, run = run, _record_start(directory, run, recorder, script)
    if _is_live_lost(run, script, earlier):
        recorder.record_event("live_lost", "live.json was lost: what it held is read again, as far as it is known")
    if checkpoint_change is not None:
        recorder.record_event("torn_checkpoint", checkpoint_change)
    if not isinstance(started, ScriptProcess):
        _end_without_script(directory, run, recorder, started, assignment.supervisor)
        return False
    home, lock = assignment.supervisor.home, assignment.lock_descriptor
    keeper = DirectoryKeeper(home, directory, lock, recorder, started.identity, recorded)
    log = _follow_log(directory, recorder.live, run, adopting=assignment.adopting)
    guardian = Guardian(keeper, run, started, recorder, log, assignment.supervisor, wake)
    if started.adopted:
        apply_recorded_state(started, guardian.tree, guardian.stop_sequence, recorder.live)
    _finish(directory, guardian, guardian.wait_for_end(), assignment.supervisor)
    return guardian.session_ends


def _begin_live(directory: RunDirectory, run: Run, script: ScriptProcess | None, earlier: Live | None) -> Live:
    """A lost live record does not begin the timebox again; the requests of this attempt are carried out once more."""
    if script is None or not _is_live_lost(run, script, earlier):
        return initial_live(run, script, earlier)
    return initial_live(run, script, earlier, seconds_used(directory, run, script.identity))


def _is_live_lost(run: Run, script: ScriptProcess | None, earlier: Live | None) -> bool:
    """Whether a guardian that took over a script found no live record of its attempt."""
    return script is not None and script.adopted and (earlier is None or earlier.attempt != run.attempt.number)


def seconds_used(directory: RunDirectory, run: Run, script: Identity) -> tuple[float, float]:
    """How long a script has been running and paused, by its start time and the events of this attempt."""
    lasted = max(0.0, boot_seconds() - script.start_time / TICKS_PER_SECOND)
    paused, since = 0.0, None
    for line in read_lines(directory.events_path):
        at, event = time_or_none(line.get("time")), line.get("event")
        if at is None or at < run.attempt.started_at:
            continue
        if event == "paused" and since is None:
            since = at
        elif event == "continued" and since is not None:
            paused, since = paused + max(0.0, at - since), None
    paused = min(lasted, paused + (0.0 if since is None else max(0.0, time.time() - since)))
    return lasted - paused, paused


def _record_start(directory: RunDirectory, run: Run, recorder: Recorder, script: ScriptProcess | None) -> Run:
    if script is not None and isinstance(run.state, Starting):
        run = run.to(Running(since=time.time()))
        if not script.adopted and (run.code is not None or run.git is not None):
            # In a thread: the script is already running, and a disk that does not answer must not leave it unguarded.
            changes = call_within(CODE_SECONDS, partial(changes_since_queued, run))
            run = run.with_attempt(replace(run.attempt, code_changes=changes))
        try:
            directory.write(run, durable=False)
        except StorageFailed as error:
            # The script is running. Its record stays outdated until the end, whose writing waits for free disk space.
            recorder.change(problem=str(error))
    recorder.commit()
    if script is None:
        return run
    pid, attempt = script.identity.pid, run.attempt
    if script.adopted:
        recorder.record_event("adopted", "its guardian died; another one took over", pid=pid)
    else:
        lower = unattainable(run.spec.process.rlimits)
        if lower is not None:
            message = f"{lower}: the supervisor was started in a shell with lower limits"
            recorder.record_event("limits_lower", f"{message}; kill it, then backprop-tui list starts another")
            recorder.change(problem=message)
        recorder.record_event("started", f"attempt {attempt.number}", pid=pid, attempt=attempt.number, **_plan(run))
        if attempt.code_changes is not None:
            recorder.record_event("script_changed", attempt.code_changes, attempt=attempt.number)
    return run


def _plan(run: Run) -> JsonObject:
    """When the attempt ends if nothing pauses it, and which slice it is; None for what it has not."""
    limit, number = timebox_seconds(run), slice_number(run)
    return {
        "ends_at": None if limit is None else iso(time.time() + limit),
        "slice": None if number is None else {"number": number.number, "of": number.of},
    }


def _follow_log(directory: RunDirectory, live: Live, run: Run, *, adopting: bool) -> LogFollower:
    """Reads the log from where the last guardian or attempt stopped, so that nothing is recorded twice."""
    patterns = UserPatterns(run.spec.log_patterns, RegexLimit()) if run.spec.log_patterns else None
    script = _python_script(run)
    source = None if script is None else call_within(SOURCE_SECONDS, partial(_read_source, script))
    totals = totals_of_command(run.spec.command, source or "")
    if not adopting and run.attempt.number == 1:
        return LogFollower(directory, LogPosition(generation=live.log_generation), patterns, totals)
    cut_torn_line(directory.events_path)
    start_position = LogPosition(
        offset=live.log_offset,
        generation=live.log_generation,
        metrics_from=recover_offset(directory, live.log_generation),
        announced_from=live.log_offset if live.told_offset is None else live.told_offset,
        watermarks=_watermarks(directory, run, adopting=adopting),
        memory=live.log_memory if adopting else None,
        previous_state=None if adopting else live.log_memory,
    )
    return LogFollower(directory, start_position, patterns, totals)


def _python_script(run: Run) -> str | None:
    scripts = (word for word in (run.spec.script or "", *run.spec.command) if word.endswith(".py") and " " not in word)
    script = next(scripts, None)
    return None if script is None else os.path.join(run.spec.cwd, script)


def _read_source(path: str) -> str:
    """Empty if it cannot be read."""
    try:
        return read_regular(path, MAX_SOURCE_CHARS, cut=True).decode("utf-8", "replace")
    except OSError:
        return ""


def _watermarks(directory: RunDirectory, run: Run, *, adopting: bool) -> MetricWatermarks:
    """The metrics that other files of the script may repeat: a resumed script may still have its old files."""
    origin = run.attempt.resumed_from
    if adopting:
        return MetricWatermarks.read(directory)
    if origin is None:
        return MetricWatermarks()
    saved = next((checkpoint for checkpoint in reversed(run.checkpoints) if checkpoint.path == origin), None)
    return MetricWatermarks.read(directory, up_to=None if saved is None else saved.step)


def _finish(directory: RunDirectory, guardian: Guardian, exit_: Exit, supervisor: SupervisorProcess) -> None:
    recorder, tree = guardian.recorder, guardian.tree
    guardian.stop_clock()
    memory_kill = guardian.memory_kills.recent_kill(time.monotonic())
    stuck = tree.kill_remaining(grace_seconds=KILL_GRACE_SECONDS)
    while stuck:
        recorder.commit(problem=f"processes stuck in the kernel cannot be killed: pids {', '.join(map(str, stuck))}")
        time.sleep(1.0)
        stuck = tree.kill()
    guardian.read_rest_of_log()
    guardian.check_outputs_at_end(exit_.code)
    run = guardian.handle_last_requests()
    recorder.commit()  # shows whether the disk has room for what the script printed
    context = FailureContext(
        directory=directory,
        run=run,
        live=recorder.live,
        readings_path=supervisor.home.readings,
        memory_kill=memory_kill,
        memory_kills_counted=guardian.memory_kills.has_counter,
        disk_full=recorder.disk_full,
    )
    guardian.report_left()
    guardian.keep_directory()  # again, now that nothing of the run is left that could damage it
    _conclude(directory, run, recorder, _outcome(guardian, exit_, context), supervisor)
    guardian.write_metrics()


def _outcome(guardian: Guardian, exit_: Exit, context: FailureContext) -> Outcome:
    stopping, failure = context.live.stopping, guardian.start_failure
    if failure is not None and stopping is None:
        return outcome_of_failed_start(failure, context.run.spec.cwd)
    ended = None if stopping is not None else guardian.leftovers.note
    notes = "; ".join(filter(None, (ended, guardian.tree.left_note())))
    return with_refused_option(outcome_of(exit_, stopping, context, notes or None), context)


def _end_without_script(
    directory: RunDirectory, run: Run, recorder: Recorder, result: CannotStart | Gone, supervisor: SupervisorProcess
) -> None:
    if isinstance(result, CannotStart):
        outcome = outcome_of_failed_start(result, run.spec.cwd)
    else:
        leader = recorded_script(directory, run.attempt.number)
        Tree(None, directory.path, leader).kill_remaining(grace_seconds=KILL_GRACE_SECONDS)
        readings_path = supervisor.home.readings
        context = FailureContext(directory=directory, run=run, live=recorder.live, readings_path=readings_path)
        outcome = outcome_of(Exit(), recorder.live.stopping, context)
    _conclude(directory, run, recorder, outcome, supervisor)


def _conclude(
    directory: RunDirectory, run: Run, recorder: Recorder, outcome: Outcome, supervisor: SupervisorProcess
) -> None:
    concluded = write_end(directory, run, recorder.live, outcome, recorder)
    if concluded.status is not Status.QUEUED:
        directory.delete_environment(concluded)
    forget_failures(supervisor.home, run.id)
