"""The life of one guardian process, from the fork to the written end."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

from backprop_tui.domain.errors import BackpropError, StorageFailed
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run, Running, Starting
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass
from backprop_tui.launchers.sampler_process import READINGS
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.linux import become_subreaper, rename_process
from backprop_tui.readers.user_patterns import UserPatterns
from backprop_tui.runner.allowance import RegexLimit
from backprop_tui.runner.aside import Aside
from backprop_tui.runner.birth import (
    Gone,
    NeverStarted,
    adopt,
    initial_live,
    held,
    apply_recorded_state,
    recorded_script,
    start,
)
from backprop_tui.runner.ending import outcome_of, outcome_of_failed_start, write_end
from backprop_tui.runner.evidence import FailureContext
from backprop_tui.runner.guardian import GuardedScript, Guardian
from backprop_tui.runner.log_follower import LogPosition, LogFollower, cut_torn_line, recover_offset
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.resume_point import verify_resume_checkpoint
from backprop_tui.runner.script import CannotStart
from backprop_tui.runner.summons import start_supervisor_if_dead
from backprop_tui.runner.told_metrics import MetricWatermarks
from backprop_tui.runner.tree import Tree
from backprop_tui.runner.watched import Exit, ScriptProcess
from backprop_tui.store.code_state import changes_since_queued
from backprop_tui.store.run_directory import RunDirectory

SWEEP_GRACE_SECONDS = 5.0
CODE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Which run, with the inherited lock that gives the right to write its record; `adopting` a script that lives."""

    folder: str
    lock_descriptor: int
    adopting: bool
    supervisor: SupervisorProcess


def guard(assignment: Assignment) -> None:
    """The whole life; the run's lock dies with this process, not before the end is written."""
    wake = _become_guardian()
    directory = RunDirectory(assignment.folder)
    lock = held(directory, assignment.lock_descriptor)
    try:
        _guard(directory, assignment, wake)
    except BackpropError as error:
        _leave_word(directory, str(error))
        raise
    finally:
        lock.close()
        _summon(assignment.supervisor)


def _summon(supervisor: SupervisorProcess) -> None:
    """Somebody must index this end and start the next run: where no supervisor lives, the last act starts one."""
    try:
        start_supervisor_if_dead(supervisor)
    except (BackpropError, OSError) as error:
        note_exception(error)


def _become_guardian() -> int:
    """Own session, own signals, foster parent of every orphan of the run; returns the descriptor signals wake."""
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    # Ignored SIGCHLD would survive every exec and lose the script's exit status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    become_subreaper()
    rename_process("backprop-run")
    return reading


def _guard(directory: RunDirectory, assignment: Assignment, wake: int) -> None:
    run = directory.read()
    earlier = directory.read_live()
    another_start = None
    if not assignment.adopting:
        run, another_start = verify_resume_checkpoint(directory, run)
    began = (adopt if assignment.adopting else start)(directory, run)
    if isinstance(began, NeverStarted):
        return
    script = began if isinstance(began, ScriptProcess) else None
    recorder = Recorder(directory, initial_live(run, script, earlier))
    run = _tell_start(directory, run, recorder, script)
    if another_start is not None:
        recorder.tell("torn_checkpoint", another_start)
    if not isinstance(began, ScriptProcess):
        _end_without_script(directory, run, recorder, began, assignment.supervisor)
        return
    charge = GuardedScript(
        directory=directory,
        script=began,
        tree=Tree(began, directory.path),
        recorder=recorder,
        log=_follow_log(directory, recorder.live, run, adopting=assignment.adopting),
        supervisor=assignment.supervisor,
    )
    guardian = Guardian(charge, run, wake)
    if began.adopted:
        apply_recorded_state(began, charge.tree, guardian.ladder, recorder.live)
    _finish(guardian, charge, guardian.wait_for_death())


def _tell_start(directory: RunDirectory, run: Run, recorder: Recorder, script: ScriptProcess | None) -> Run:
    if script is not None and isinstance(run.state, Starting):
        run = run.to(Running(since=time.time()))
        if not script.adopted:
            run = run.with_attempt(replace(run.attempt, code_changes=_code_changes(run)))
        try:
            directory.write(run, durable=False)
        except StorageFailed as error:
            # The script runs; its record stays behind until the end, which waits for room on the disk.
            recorder.change(problem=str(error))
    recorder.commit()
    if script is not None and not script.adopted:
        recorder.tell("started", f"attempt {run.attempt.number}", pid=script.identity.pid, attempt=run.attempt.number)
        if run.attempt.code_changes is not None:
            recorder.tell("script_changed", run.attempt.code_changes, attempt=run.attempt.number)
    elif script is not None:
        recorder.tell("adopted", "its guardian died; another one took over", pid=script.identity.pid)
    return run


def _code_changes(run: Run) -> str | None:
    """Looked for in a thread: the script runs already, and a disk that does not answer must not leave it unguarded."""
    found = Aside(lambda _now: changes_since_queued(run)).last(CODE_SECONDS)
    return found[0] if found else None


def _follow_log(directory: RunDirectory, live: Live, run: Run, *, adopting: bool) -> LogFollower:
    """After another guardian: from where the live record says, each file gets only what lies beyond its own end."""
    patterns = UserPatterns(run.spec.log_patterns, RegexLimit()) if run.spec.log_patterns else None
    if not adopting and run.attempt.number == 1:
        return LogFollower(directory, LogPosition(generation=live.log_generation), patterns)
    cut_torn_line(directory.file("events.jsonl"))
    begin = LogPosition(
        offset=live.log_offset,
        generation=live.log_generation,
        metrics_from=recover_offset(directory, live.log_generation),
        told_from=live.log_offset if live.told_offset is None else live.told_offset,
        told=_told(directory, run, adopting=adopting),
        memory=live.log_memory if adopting else None,
        habits=None if adopting else live.log_memory,
    )
    return LogFollower(directory, begin, patterns)


def _told(directory: RunDirectory, run: Run, *, adopting: bool) -> MetricWatermarks:
    """What a file of the script need not say again: a resumed one may still have all that was before."""
    origin = run.attempt.resumed_from
    if adopting:
        return MetricWatermarks.of(directory)
    if origin is None:
        return MetricWatermarks()
    saved = next((checkpoint for checkpoint in reversed(run.checkpoints) if checkpoint.path == origin), None)
    return MetricWatermarks.of(directory, up_to=None if saved is None else saved.step)


def _finish(guardian: Guardian, charge: GuardedScript, exit_: Exit) -> None:
    guardian.clock_stopped()
    memory_kill = guardian.memory_kills.before_end(time.monotonic())
    stuck = charge.tree.sweep(grace_seconds=SWEEP_GRACE_SECONDS)
    while stuck:
        charge.recorder.commit(problem=f"cannot be killed (in the kernel): pids {', '.join(map(str, stuck))}")
        time.sleep(1.0)
        stuck = charge.tree.kill()
    guardian.read_rest_of_log()
    guardian.look_out_last()
    run = guardian.last_requests()
    live = charge.recorder.live
    scene = FailureContext(
        directory=charge.directory,
        run=run,
        live=live,
        readings_path=charge.supervisor.home.host_file(READINGS),
        memory_kill=memory_kill,
        memory_kills_counted=guardian.memory_kills.counts,
    )
    outcome = outcome_of(exit_, live.stopping, scene)
    concluded = write_end(charge.directory, run, live, outcome, charge.recorder)
    guardian.write_metrics()
    _forget_environment(charge.directory, concluded)


def _end_without_script(
    directory: RunDirectory,
    run: Run,
    recorder: Recorder,
    began: CannotStart | Gone,
    supervisor: SupervisorProcess,
) -> None:
    if isinstance(began, CannotStart):
        outcome = outcome_of_failed_start(began)
    else:
        leader = recorded_script(directory, run.attempt.number)
        Tree(None, directory.path, leader).sweep(grace_seconds=SWEEP_GRACE_SECONDS)
        readings_path = supervisor.home.host_file(READINGS)
        scene = FailureContext(directory=directory, run=run, live=recorder.live, readings_path=readings_path)
        outcome = outcome_of(Exit(), recorder.live.stopping, scene)
    concluded = write_end(directory, run, recorder.live, outcome, recorder)
    _forget_environment(directory, concluded)


def _forget_environment(directory: RunDirectory, run: Run) -> None:
    if run.status is not Status.QUEUED:
        directory.forget_environment()


def _leave_word(directory: RunDirectory, message: str) -> None:
    """A guardian that cannot go on says so where people look; its script, if it lives, is adopted by the next."""
    try:
        directory.append_event("guardian_failed", message, time=time.time())
    except BackpropError as error:
        note_exception(error)
