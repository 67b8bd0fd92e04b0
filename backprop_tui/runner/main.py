"""The guardian process, from its fork to the written end of the run."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from functools import partial

from backprop_tui.domain.errors import BackpropError, StorageFailed
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import Outcome, slice_number, timebox_seconds
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run, Running, Starting
from backprop_tui.domain.status import Status
from backprop_tui.domain.training_totals import MAX_SOURCE_CHARS, totals_of_command
from backprop_tui.launchers.supervisor_process import SupervisorProcess, start_supervisor_if_dead
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.hanging_call import call_within
from backprop_tui.processes.linux import become_subreaper, rename_process
from backprop_tui.processes.regular_files import read_regular
from backprop_tui.readers.user_patterns import UserPatterns
from backprop_tui.runner.directory_keeper import DirectoryKeeper
from backprop_tui.runner.failure_context import FailureContext
from backprop_tui.runner.finalize import outcome_of, outcome_of_failed_start, with_refused_option, write_end
from backprop_tui.runner.guardian import Guardian
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
    NeverStarted,
    adopt,
    apply_recorded_state,
    initial_live,
    recorded_script,
    start,
    verify_resume_checkpoint,
)
from backprop_tui.runner.tree import Tree
from backprop_tui.store.code_state import changes_since_queued
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.locks import Lock
from backprop_tui.store.run_directory import RunDirectory

KILL_GRACE_SECONDS = 5.0
CODE_SECONDS = SOURCE_SECONDS = 1.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The run to guard, with its inherited lock; `adopting`: the script was started by an earlier guardian."""

    folder: str
    lock_descriptor: int
    adopting: bool
    supervisor: SupervisorProcess


def run_guardian(assignment: Assignment) -> None:
    """Guards the run until its end is written; only then the run's lock is released."""
    wake = _become_guardian()
    directory = RunDirectory(assignment.folder)
    lock = Lock(directory.file("lock"), assignment.lock_descriptor)
    session_ends = False
    try:
        session_ends = _guard(directory, assignment, lock, wake)
    except BackpropError as error:
        _record_failure(directory, str(error))
        raise
    finally:
        lock.close()
        if not session_ends:  # a supervisor would start the next run only to have it killed
            _ensure_supervisor(assignment.supervisor)


def _ensure_supervisor(supervisor: SupervisorProcess) -> None:
    """Makes sure that a supervisor will index this end and start the next run."""
    try:
        start_supervisor_if_dead(supervisor)
    except (BackpropError, OSError) as error:
        note_exception(error)


def _become_guardian() -> int:
    """Sets up session, signals and subreaper; returns the descriptor that becomes readable when a signal arrives."""
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    # An ignored SIGCHLD would survive every exec, and lose the script's exit status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for waking in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(waking, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    become_subreaper()
    rename_process("backprop-run")
    return reading


def _guard(directory: RunDirectory, assignment: Assignment, lock: Lock, wake: int) -> bool:
    """Guards the run until its end is written; returns whether the session or machine is ending."""
    run = directory.read()
    earlier = directory.read_live()
    checkpoint_change = None
    if not assignment.adopting:
        run, checkpoint_change = verify_resume_checkpoint(directory, run)
    result = (adopt if assignment.adopting else start)(directory, run)
    if isinstance(result, NeverStarted):
        return False
    script = result if isinstance(result, ScriptProcess) else None
    recorder = Recorder(directory, initial_live(run, script, earlier))
    run = _record_start(directory, run, recorder, script)
    if checkpoint_change is not None:
        recorder.record_event("torn_checkpoint", checkpoint_change)
    if not isinstance(result, ScriptProcess):
        _end_without_script(directory, run, recorder, result, assignment.supervisor)
        return False
    log = _follow_log(directory, recorder.live, run, adopting=assignment.adopting)
    keeper = DirectoryKeeper(assignment.supervisor.home, directory, lock, recorder, result.identity)
    guardian = Guardian(keeper, run, result, recorder, log, assignment.supervisor, wake)
    if result.adopted:
        apply_recorded_state(result, guardian.tree, guardian.stop_sequence, recorder.live)
    _finish(directory, guardian, guardian.wait_for_end(), assignment.supervisor)
    return guardian.session_ends


def _record_start(directory: RunDirectory, run: Run, recorder: Recorder, script: ScriptProcess | None) -> Run:
    if script is not None and isinstance(run.state, Starting):
        run = run.to(Running(since=time.time()))
        if not script.adopted:
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
    totals = totals_of_command(run.spec.command, call_within(SOURCE_SECONDS, partial(_source, run)) or "")
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


def _source(run: Run) -> str:
    """The source of the run's script; empty if it cannot be read."""
    scripts = (word for word in (run.spec.script or "", *run.spec.command) if word.endswith(".py") and " " not in word)
    script = next(scripts, None)
    if script is None:
        return ""
    try:
        path = os.path.join(run.spec.cwd, script)
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
    outcome = outcome_of(exit_, recorder.live.stopping, context, guardian.leftovers.note)
    guardian.keep_directory()  # again, now that nothing of the run is left that could damage it
    _conclude(directory, run, recorder, with_refused_option(outcome, context))
    guardian.write_metrics()


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
    _conclude(directory, run, recorder, outcome)


def _conclude(directory: RunDirectory, run: Run, recorder: Recorder, outcome: Outcome) -> None:
    concluded = write_end(directory, run, recorder.live, outcome, recorder)
    if concluded.status is not Status.QUEUED:
        directory.delete_environment()


def _record_failure(directory: RunDirectory, message: str) -> None:
    """Records why this guardian cannot continue; the next one adopts its script if that is still alive."""
    try:
        directory.append_event("guardian_failed", message, time=time.time())
    except BackpropError as error:
        note_exception(error)
