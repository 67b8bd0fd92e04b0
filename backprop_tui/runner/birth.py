"""How a guardian comes to its script: by starting it, or by adopting one whose guardian died."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.invocation import arguments, environment
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.linux import boot_id
from backprop_tui.runner.ladder import StopSequence
from backprop_tui.runner.script import CannotStart, Launch, start_script
from backprop_tui.runner.tree import Tree
from backprop_tui.runner.watched import ScriptProcess
from backprop_tui.store.locks import Lock, is_locked, try_lock
from backprop_tui.store.run_directory import RunDirectory

PID_WRITTEN_WITHIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Gone:
    """The script lived when the supervisor looked and is gone now; nobody saw its exit status."""


@dataclass(frozen=True, slots=True)
class NeverStarted:
    """The child died before it wrote who it is, so nothing was executed: the next pass queues the run again."""


StartResult = ScriptProcess | CannotStart | Gone | NeverStarted


def start(directory: RunDirectory, run: Run) -> StartResult:
    """Starts the newest attempt's script, unless one lives in this directory already: then that one is adopted."""
    lock = try_lock(directory.script_lock)
    if lock is None:
        return adopt(directory, run)
    with lock:
        os.ftruncate(lock.descriptor, 0)
        try:
            started = start_script(_launch(directory, run), lock.descriptor)
        except BrokenRecord as error:
            return CannotStart(what=error.path, problem=error.problem, not_found=True)
        except OSError as error:
            problem = error.strerror or str(error)
            return CannotStart(what=error.filename or directory.log, problem=problem, not_found=False)
    return ScriptProcess.child(started) if isinstance(started, Identity) else started


def _launch(directory: RunDirectory, run: Run) -> Launch:
    """What the child needs, read before the fork.

    Raises:
        BrokenRecord: the captured environment is gone.
    """
    return Launch(
        attempt=run.attempt.number,
        arguments=arguments(run),
        environment=environment(run, directory.path, directory.read_environment()),
        cwd=run.spec.cwd,
        process=run.spec.process,
        log_path=directory.log,
    )


def adopt(directory: RunDirectory, run: Run) -> StartResult:
    """Takes over the script that script.lock names, once it is sure that it is this run's."""
    named = _named_script(directory, run.attempt.number)
    if not isinstance(named, Identity):
        return named
    script = ScriptProcess.adopt(named)
    if script is not None and _belongs(script, directory):
        return script
    return Gone()


def _named_script(directory: RunDirectory, attempt: int) -> Identity | NeverStarted | CannotStart:
    """The lock may be held by a child that has not written its pid yet, or that dies before it can."""
    end = time.monotonic() + PID_WRITTEN_WITHIN_SECONDS
    while True:
        # The lock before the record: a child that writes it meanwhile holds the lock now.
        is_busy = is_locked(directory.script_lock)
        named = recorded_script(directory, attempt)
        if named is not None:
            return named
        if not is_busy:
            return NeverStarted()
        if time.monotonic() > end:
            left = "a process that an earlier attempt left behind holds it"
            return CannotStart(what=directory.script_lock, problem=left, not_found=False)
        time.sleep(0.01)


def recorded_script(directory: RunDirectory, attempt: int) -> Identity | None:
    """Who the script of this attempt is, or was; None where it has not written it."""
    named = directory.script_identity()
    return Identity(named[1], named[2]) if named is not None and named[0] == attempt else None


def _belongs(script: ScriptProcess, directory: RunDirectory) -> bool:
    """Its environment names this directory; before its exec it still is a fork of a guardian, which holds the lock."""
    try:
        with open(f"/proc/{script.identity.pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return True  # a zombie has no environment any more; its start time was compared
    marks = [one for one in variables if one.startswith(b"BACKPROP_RUN_DIR=")]
    return not marks or marks == [b"BACKPROP_RUN_DIR=" + os.fsencode(directory.path)]


def initial_live(run: Run, script: ScriptProcess | None, earlier: Live | None) -> Live:
    """The live record this guardian begins with: the one of the guardian before it, or a new one."""
    now = time.monotonic()
    script_pid = None if script is None else script.identity.pid
    if earlier is not None and earlier.attempt == run.attempt.number and earlier.clock.boot_id == boot_id():
        return _taken_over(earlier, script_pid)
    return Live(
        attempt=run.attempt.number,
        runner_pid=os.getpid(),
        script_pid=script_pid,
        clock=Clock(mark=now, boot_id=boot_id()),
        time=time.time(),
        log_offset=0 if earlier is None else earlier.log_offset,
        log_generation=0 if earlier is None else earlier.log_generation,
        attempt_log_offset=0 if earlier is None else earlier.log_offset,
        log_memory=None if earlier is None else earlier.log_memory,
        told_offset=None if earlier is None else earlier.told_offset,
        requests_offset=run.requests_offset,
        step=run.step,
        metrics=run.metrics,
        checkpoints=run.checkpoints,
        pace=None if earlier is None or earlier.pace is None else earlier.pace.next_attempt(),
        peak=run.peak,
    )


def _taken_over(earlier: Live, script_pid: int | None) -> Live:
    return replace(earlier, runner_pid=os.getpid(), script_pid=script_pid)


def apply_recorded_state(script: ScriptProcess, tree: Tree, ladder: StopSequence, live: Live) -> None:
    """After an adoption: the processes do what the record says. A ladder that was begun goes on by itself."""
    if script.has_died():
        return
    if live.stopping is not None:
        # A signal that was given to a paused script reaches it only now.
        ladder.release_pause(time.monotonic())
        tree.thaw()
    elif live.pause is not None:
        tree.freeze()
    else:
        tree.thaw()


def held(directory: RunDirectory, descriptor: int) -> Lock:
    """The run's lock as it was inherited."""
    return Lock(directory.file("lock"), descriptor)
