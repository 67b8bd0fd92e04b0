"""How a guardian gets its script: starts it, or adopts one whose guardian died."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from backprop_tui.domain.errors import BrokenRecord, StorageFailed, UsageError
from backprop_tui.domain.invocation import script_command_line, script_environment
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import begin_attempt
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.run import Run
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.linux import boot_id, pid_namespace
from backprop_tui.runner.script import CannotStart, Exit, ScriptProcess, Started, start_script, watch_start
from backprop_tui.runner.script_child import Launch, SpareChild
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.locks import Lock, is_locked, try_lock
from backprop_tui.store.records import encode_run
from backprop_tui.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from backprop_tui.runner.stop_sequence import StopSequence
    from backprop_tui.runner.tree import Tree

CHECK_SECONDS = 2.0  # if the file system does not answer, the checkpoint is used: the script has to wait for it anyway
PID_WRITTEN_WITHIN_SECONDS = 5.0


def verify_resume_checkpoint(directory: RunDirectory, run: Run) -> tuple[Run, str | None]:
    """The run, changed to resume from an older checkpoint if its own is damaged, and a message about that change.

    A path that is not in the record was given by a person, and is used as it is.
    """
    path = run.attempt.resumed_from
    paths = [checkpoint.path for checkpoint in run.checkpoints]
    if path is None or path not in paths:
        return run, None
    from backprop_tui.checkpoints.choice import choose  # most runs resume from nothing
    from backprop_tui.processes.hanging_call import call_within

    candidates = run.checkpoints[: paths.index(path) + 1]
    written_until = None if run.attempt.by_request else run.written_until  # a person may have chosen it all the same
    choice = call_within(CHECK_SECONDS, lambda: choose(candidates, written_until=written_until))
    if choice is None or not choice.damaged:
        return run, None
    run = replace(
        run.with_attempt(replace(run.attempt, resumed_from=choice.path)),
        checkpoints=(*choice.judged, *run.checkpoints[len(candidates) :]),
    )
    message = choice.message().removeprefix(": ")
    try:
        directory.write(run, durable=False)  # before the fork, so that the record matches what the script is given
    except StorageFailed as error:
        message = f"{message} ({error})"
    return run, message


@lazy_dataclass(frozen=True, slots=True)
class Gone:
    """The script was started and is gone; no process saw its exit status."""


@lazy_dataclass(frozen=True, slots=True)
class NeverStarted:
    """The child died before it wrote its pid, so nothing was executed: the next pass queues the run again."""


StartResult = ScriptProcess | CannotStart | Gone | NeverStarted


def start(directory: RunDirectory, run: Run, child: SpareChild | None, announce: Callable[[int], None]) -> StartResult:
    """Starts the script of the newest attempt; adopts it instead if one is alive in this directory already.

    `child` was forked in advance to become the script, or has its orders already. `announce` is called with its pidfd.
    """
    if child is not None and child.has_orders:  # it got the go-ahead before this process got the run
        if not child.has_died() or recorded_script(directory, run.attempt.number) is not None:
            announce(child.pidfd)
            return _result(watch_start(child))
        child.dismiss()
        child = None
    lock = try_lock(directory.script_lock)
    if lock is None:
        return adopt(directory, run, child)
    with lock:
        # The child of a guardian that was killed may have got the go-ahead, and have ended by now.
        if recorded_script(directory, run.attempt.number) is None:
            os.ftruncate(lock.descriptor, 0)
            return _result(_start(directory, run, lock, child, announce))
    return adopt(directory, run, child)


def _start(
    directory: RunDirectory, run: Run, lock: Lock, child: SpareChild | None, announce: Callable[[int], None]
) -> Started | CannotStart:
    try:
        return start_script(_prepare_launch(directory, run), lock.descriptor, child, announce)
    except BrokenRecord as error:
        return CannotStart(path=error.path, problem=error.problem, not_found=True)
    except UsageError as error:
        return CannotStart(path=run.spec.command[0], problem=str(error), not_found=False)
    except OSError as error:
        problem = error.strerror or str(error)
        return CannotStart(path=error.filename or directory.log, problem=problem, not_found=False)


def _result(started: Started | CannotStart) -> ScriptProcess | CannotStart:
    return ScriptProcess.child(started) if isinstance(started, Started) else started


def load_expected(directory: RunDirectory, child: SpareChild, go_ahead: int) -> None:
    """Tells the child what to execute once it gets the go-ahead, as if the queued run of this directory started now.

    Nothing of the run is changed. What is only known at the start comes with the go-ahead.
    """
    with suppress(Exception):  # such as that the run was removed meanwhile, or cannot be started: the start will say so
        starting = begin_attempt(directory.read(), now=0.0, boot_id=boot_id(), pid_namespace=pid_namespace())
        child.expect(_prepare_launch(directory, starting), go_ahead)


def rehearse(directory: RunDirectory) -> None:
    """Prepares a start of this run, and its records, without doing anything: a later start is faster then."""
    with suppress(Exception):  # such as that the run was removed meanwhile
        run = directory.read()
        _prepare_launch(directory, run)
        encode_run(run, directory.path)
        live = initial_live(run, None, None)
        replace(decode(Live, encode(live)), time=0.0)


def _prepare_launch(directory: RunDirectory, run: Run) -> Launch:
    """Reads what the child needs.

    Raises:
        BrokenRecord: the captured environment is gone, or a secret of the command.
        UsageError: the resume arguments need a step that is not known.
    """
    return Launch(
        attempt=run.attempt.number,
        arguments=directory.true_command(script_command_line(run)),
        environment=script_environment(run, directory.path, directory.read_environment()),
        cwd=run.spec.cwd,
        log=directory.log,
        process=run.spec.process,
    )


def adopt(directory: RunDirectory, run: Run, child: SpareChild | None) -> StartResult:
    """Takes over the script named in script.lock, after checking that it belongs to this run."""
    if child is not None:
        child.dismiss()
    identity = _await_script_identity(directory, run.attempt.number)
    if not isinstance(identity, Identity):
        return identity
    live = directory.read_live()
    end = None if live is None or live.attempt != run.attempt.number else live.script_end
    if end is not None:
        return ScriptProcess.ended(identity, Exit(code=end.exit_code, signal=end.signal))
    script = ScriptProcess.adopt(identity)
    if script is not None and _belongs_to_run(script, directory):
        return script
    return Gone()


def _await_script_identity(directory: RunDirectory, attempt: int) -> Identity | NeverStarted | CannotStart:
    """Reads script.lock, which may be held by a child that has not written its pid yet, or dies before it can."""
    end = time.monotonic() + PID_WRITTEN_WITHIN_SECONDS
    while True:
        # The lock is tested before the record is read: a child that writes it in between holds the lock now.
        is_held = is_locked(directory.script_lock)
        identity = recorded_script(directory, attempt)
        if identity is not None:
            return identity
        if not is_held:
            return NeverStarted()
        if time.monotonic() > end:
            problem = "locked by a process that an earlier attempt left behind"
            return CannotStart(path=directory.script_lock, problem=problem, not_found=False)
        time.sleep(0.01)


def recorded_script(directory: RunDirectory, attempt: int) -> Identity | None:
    """The identity of this attempt's script, alive or not; None if it was never written."""
    recorded = directory.script_identity()
    return Identity(recorded[1], recorded[2]) if recorded is not None and recorded[0] == attempt else None


def _belongs_to_run(script: ScriptProcess, directory: RunDirectory) -> bool:
    """Whether its environment names this directory; before its exec it is a guardian's fork without the variable."""
    try:
        with open(f"/proc/{script.identity.pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return True  # a zombie has no environment any more, but its start time was compared
    markers = [variable for variable in variables if variable.startswith(b"BACKPROP_RUN_DIR=")]
    return not markers or markers == [b"BACKPROP_RUN_DIR=" + os.fsencode(directory.path)]


def initial_live(
    run: Run, script: ScriptProcess | None, earlier: Live | None, used: tuple[float, float] = (0.0, 0.0)
) -> Live:
    """The live record that this guardian starts with: that of the previous guardian, or a new one.

    A new one says that the attempt has been running and paused for the `used` seconds.
    """
    now = time.monotonic()
    script_pid = None if script is None else script.identity.pid
    if earlier is not None and earlier.attempt == run.attempt.number and earlier.clock.boot_id == boot_id():
        return replace(earlier, runner_pid=os.getpid(), script_pid=script_pid, problem=None)
    return Live(
        attempt=run.attempt.number,
        runner_pid=os.getpid(),
        script_pid=script_pid,
        clock=Clock(running_seconds=used[0], paused_seconds=used[1], mark=now, boot_id=boot_id()),
        time=time.time(),
        log_offset=0 if earlier is None else earlier.log_offset,
        log_generation=0 if earlier is None else earlier.log_generation,
        attempt_log_offset=0 if earlier is None else earlier.log_offset,
        log_memory=None if earlier is None else earlier.log_memory,
        told_offset=None if earlier is None else earlier.told_offset,
        own_log=None if earlier is None else earlier.own_log,
        requests_offset=run.requests_offset,
        step=run.step,
        is_step_printed=earlier is not None and earlier.is_step_printed,
        metrics=run.metrics,
        checkpoints=run.checkpoints,
        pace=None if earlier is None or earlier.pace is None else earlier.pace.next_attempt(),
        peak=run.peak,
    )


def apply_recorded_state(script: ScriptProcess, tree: Tree, stop_sequence: StopSequence, live: Live) -> None:
    """Pauses or continues an adopted script's processes as recorded. A recorded stop sequence continues anyway."""
    if script.has_died() and live.script_end is None:
        return
    if live.stopping is not None:
        # A paused script receives its stop signal only when it is continued.
        stop_sequence.release_pause(time.monotonic())
        tree.thaw()
    elif live.pause is not None:
        tree.freeze()
    else:
        tree.thaw()
