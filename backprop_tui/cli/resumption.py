"""From an ended run back to the queue: a new attempt, from the newest checkpoint that is sound."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace

from backprop_tui.cli.captured import GitQuestion, captured_environment
from backprop_tui.cli.programs import AskedPython, check_script, interpreter_for, resume_arg_of_command, source_of
from backprop_tui.cli.session import Session, here
from backprop_tui.cli.specification import checkpoint_path, overlaid, working_directory
from backprop_tui.cli.tails import From, known_so_far
from backprop_tui.domain.errors import BrokenRecord, StorageFailed, UsageError
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.invocation import mentioned_flags
from backprop_tui.domain.lifecycle import resume, used_seconds
from backprop_tui.domain.resume_flags import resume_template
from backprop_tui.domain.run import Dependency, Ended, Run, Spec
from backprop_tui.domain.until import COUNTS
from backprop_tui.domain.values import dataclass
from backprop_tui.domain.variables import restored
from backprop_tui.store.checkpoint_choice import choose
from backprop_tui.store.code_state import code_of
from backprop_tui.store.creation import mark
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock
from backprop_tui.store.run_directory import RunDirectory

LOCK_SECONDS = 10.0  # its guardian leaves, or a supervisor indexes it
LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """An ended run as it was and as it is to be queued, with the environment of this shell."""

    before: Run
    run: Run
    environment: dict[str, str]
    passed_over: tuple[tuple[str, str], ...] = ()  # newer checkpoints that are not sound, and what is wrong with each

    @property
    def variables_not_kept(self) -> list[str]:
        """Those that were given before, are secret by their name, and are not in the environment now."""
        return [name for name, value in self.run.spec.env if value is None and name not in self.environment]

    @property
    def from_checkpoint(self) -> str | None:
        """The checkpoint it goes on from; None: it starts from the beginning."""
        return getattr(self.run.state, "resume_from", None)


def resumption(session: Session, run: Run, options: argparse.Namespace) -> Resumption:
    """What `resume` would queue; nothing is changed.

    Raises:
        UsageError: the run has not ended, or an option is wrong.
        NotFound: its script is gone.
    """
    if not isinstance(run.state, Ended):
        raise UsageError(f"run {run.id} is {run.status}: it goes on by itself; what has not ended cannot be resumed")
    cwd = _directory(run, options)
    git = GitQuestion(cwd)
    try:
        environment = captured_environment(restored(run.spec.env, options.env), cwd)
        spec = overlaid(_renewed(run.spec, cwd, options, environment), options, session, environment)
        if not options.after:
            spec = replace(spec, after=_unfinished(session.home, spec))
        _check_goal(run, spec)
        given = checkpoint_path(options.resume_from)
        choice = None if given is not None else choose(run.checkpoints)
        code = code_of(spec.script, spec.command, cwd)
    finally:
        commit = git.answer()
    changed = replace(
        run,
        spec=spec,
        host=session.home.host,
        name=options.name or run.name,
        tags=tuple(dict.fromkeys(options.tag)) or run.tags,
        note=options.note or run.note,
        priority=run.priority if options.priority is None else options.priority,
        git=commit,
        code=code,
    )
    checkpoint = None if choice is None else choice.checkpoint
    start = given if checkpoint is None else checkpoint.path
    return Resumption(
        before=run,
        run=resume(changed, now=time.time(), resume_from=start),
        environment=environment,
        passed_over=() if choice is None else choice.torn,
    )


def _directory(run: Run, options: argparse.Namespace) -> str:
    if options.cwd is not None:
        return working_directory(options.cwd, here())
    if not os.path.isdir(run.spec.cwd):
        raise UsageError(f"the directory of run {run.id} is gone ({run.spec.cwd}); --cwd DIR names another")
    return run.spec.cwd


def _renewed(spec: Spec, cwd: str, options: argparse.Namespace, environment: dict[str, str]) -> Spec:
    """The spec as its script stands today; the interpreter stays, unless another is named or it is gone."""
    spec = replace(spec, cwd=cwd)
    script = spec.script
    if script is None:
        if options.python is not None:
            raise UsageError("--python is for scripts; this run is a command line, which names its program itself")
        return replace(spec, found_resume_arg=resume_arg_of_command(spec.command, cwd))
    check_script(script)
    source = source_of(script)
    spec = replace(spec, understood_flags=mentioned_flags(source), found_resume_arg=resume_template(source))
    if spec.python_origin is None or (options.python is None and os.access(spec.command[0], os.X_OK)):
        return spec
    asked = None if options.python is None else AskedPython(path=options.python, origin=f"--python {options.python}")
    interpreter = interpreter_for(script, asked, environment)
    return replace(spec, command=(interpreter.path, *spec.command[1:]), python_origin=interpreter.origin)


def _unfinished(home: Home, spec: Spec) -> tuple[Dependency, ...]:
    """What it still waits for: who resumes a run whose dependency ended badly wants it to go on all the same."""
    return tuple(one for one in spec.after if not _has_ended(home, one.run))


def _has_ended(home: Home, run_id: str) -> bool:
    try:
        return isinstance(RunDirectory(home.run_folder(run_id)).read().state, Ended)
    except BrokenRecord:  # removed
        return True


def _check_goal(run: Run, spec: Spec) -> None:
    used = used_seconds(run)
    if spec.total_seconds is not None and used >= spec.total_seconds:
        raise UsageError(
            f"run {run.id} has used its {minutes(spec.total_seconds)} minutes in all; --total-minutes gives it more"
        )
    for until in spec.until:
        if until.name in COUNTS and until.reached(step=run.step, epoch=run.epoch, metrics={}):
            raise UsageError(f"run {run.id} has reached {until}; --until gives it another goal")


def queue_again(session: Session, run_id: str, options: argparse.Namespace) -> tuple[Resumption, From]:
    """Queues the next attempt; also from where on its files tell of it. A supervisor is to be called next.

    Raises:
        UsageError, NotFound: as `resumption`.
        StorageFailed: it could not be queued.
    """
    directory = RunDirectory(session.home.run_folder(run_id))
    with _lock_of_ended(directory):
        found = resumption(session, directory.read(), options)
        start = known_so_far(directory)
        # What was asked of the earlier attempt and came too late must not be obeyed by the next.
        run = replace(found.run, requests_offset=directory.requests_after(found.run.requests_offset)[1])
        directory.write_environment(found.environment)
        mark(session.home, run.id)  # before the record: a queued run without a marker would wait for ever
        directory.write(run, durable=True)
        directory.append_event("queued", _words(found), time=time.time())
    return found, start


def _lock_of_ended(directory: RunDirectory) -> Lock:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        run = directory.read()
        lock = directory.try_lock()
        if lock is not None:
            return lock
        if not isinstance(run.state, Ended):
            raise UsageError(f"run {run.id} is {run.status}; what has not ended cannot be resumed")
        if time.monotonic() > end:
            raise StorageFailed(f"run {run.id} has ended, and its guardian still holds {directory.file('lock')}")
        time.sleep(LOOK_SECONDS)


def _words(found: Resumption) -> str:
    words = f"resumed from {found.from_checkpoint or 'the beginning: no sound checkpoint is known'}"
    return "; ".join([words, *(f"{path} {reason}" for path, reason in found.passed_over)])
