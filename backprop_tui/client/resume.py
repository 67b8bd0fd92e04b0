"""From an ended run back to the queue: a new attempt, from the newest checkpoint that is intact."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from backprop_tui.checkpoints.choice import NO_CHOICE, RECORD_SECONDS, Choice, choose
from backprop_tui.client.command_line import check_script
from backprop_tui.client.environment import GitQuery, captured_environment
from backprop_tui.client.interpreters import find_interpreter
from backprop_tui.client.run_request import RunOptions
from backprop_tui.client.runs import FileSizes, current_sizes
from backprop_tui.client.session import ClientSession
from backprop_tui.client.slurm_jobs import check_with_slurm, submit_now
from backprop_tui.client.specification import apply_options, asked_python, checkpoint_path, run_directory_path
from backprop_tui.client.training_source import find_training, source_of
from backprop_tui.domain.command_lines import TargetKind, find_target
from backprop_tui.domain.errors import BrokenRecord, StorageFailed, UsageError
from backprop_tui.domain.formatting import duration, from_iso
from backprop_tui.domain.goals import COUNTERS
from backprop_tui.domain.invocation import find_original_flags, resume_step
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import requeue_ended, used_seconds
from backprop_tui.domain.objective import still_best
from backprop_tui.domain.resume_arguments import ResumeMethod, defined_options, resume_advice
from backprop_tui.domain.run import SLURM, Checkpoint, Dependency, Ended, Queued, Run, Spec, restore_variables
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.secrets import reveal_words
from backprop_tui.domain.training_totals import total_from_name
from backprop_tui.presentation.states import status_word
from backprop_tui.store.code_state import code_of
from backprop_tui.store.creation import mark
from backprop_tui.store.home import Home
from backprop_tui.store.index import read_newest
from backprop_tui.store.locks import Lock
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import public_record

LOCK_SECONDS = 10.0  # a guardian is exiting, or a supervisor adds the run to the index
POLL_SECONDS = 0.01


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """An ended run as it was and as it is to be queued, with the environment of its next attempt."""

    before: Run
    run: Run
    environment: dict[str, str]
    advice: str | None = None  # what to do if no known way passes the script its checkpoint
    rejected: tuple[tuple[str, str], ...] = ()  # newer checkpoints that are damaged, and what is wrong with each

    @property
    def lost_variables(self) -> list[str]:
        """Variables that were given before, are secret by their name, and are not in the environment now."""
        return [name for name, value in self.run.spec.env if value is None and name not in self.environment]

    @property
    def checkpoint(self) -> str | None:
        return self.run.state.resume_from if isinstance(self.run.state, Queued) else None


def read_resumable(session: ClientSession, run_id: str) -> Run:
    """A run that `resume` could queue again; the original tool's runs cannot, their options are not known."""
    directory = RunDirectory(session.home.run_folder(run_id))
    if os.path.exists(directory.path):
        return directory.read()
    record = public_record(session.home, run_id)
    last = record["checkpoints"][-1]["path"] if record["checkpoints"] else None
    advice = f"backprop-tui run {record['script'] or 'SCRIPT'}" + (f" -r {last}" if last else "")
    raise UsageError(f"run {run_id} was recorded by the original Backprop, which kept no options", f"instead: {advice}")


def _not_ended(run: Run) -> UsageError:
    problem = f"run {run.id} is {status_word(run.status)}; only ended runs can be resumed"
    return UsageError(problem, f"to end it: backprop-tui stop {run.id}")


def plan_resumption(session: ClientSession, run: Run, options: RunOptions) -> Resumption:
    """The next attempt that `resume` would queue; changes nothing. UsageError if the run has not ended."""
    if not isinstance(run.state, Ended):
        raise _not_ended(run)
    directory = RunDirectory(session.home.run_folder(run.id))
    _check_secrets(run, directory)
    cwd = _directory(run, options)
    git = GitQuery(cwd)
    try:
        given_variables = [*directory.given_secrets(run).items(), *options.env]
        environment = captured_environment(session.environment, restore_variables(run.spec.env, given_variables), cwd)
        spec, source, method = _updated_spec(run.spec, cwd, options, environment)
        spec = apply_options(spec, options, session, environment)
        spec = spec if options.after else replace(spec, after=_unfinished(session.home, spec))
        _check_goals(run, spec)
        given = checkpoint_path(options.resume_from)
        choice = NO_CHOICE if given is not None else _choose(session, run)
        code = code_of(spec.script, (*spec.command, source or ""), cwd)
    finally:
        commit = git.answer()
    changed = replace(
        run,
        spec=spec,
        best=still_best(run.best, run.spec.objective, spec.objective),
        host=session.home.host,
        job=None if run.job is None else replace(run.job, attempt=0),  # it was of an earlier start
        name=options.name or run.name,
        tags=tuple(dict.fromkeys(options.tags)) or run.tags,
        note=options.note or run.note,
        priority=run.priority if options.priority is None else options.priority,
        git=commit,
        code=code,
    )
    start = given or choice.path
    if start is not None:
        resume_step(changed, start)  # fails if --resume-arg needs a step that is not known
    queued = requeue_ended(changed, now=time.time(), resume_from=start)
    advice = resume_advice(queued, method)
    return Resumption(before=run, run=queued, environment=environment, advice=advice, rejected=choice.damaged)


def _check_secrets(run: Run, directory: RunDirectory) -> None:
    unknown = reveal_words(run.spec.command, directory.hidden_words())[1]
    if unknown:
        again = f"give it again: backprop-tui run --like {run.id} -- {unknown[0]} VALUE"
        raise UsageError(f"the value of {unknown[0]} is not in {directory.environment_path} any more", again)


def is_option_of(run: Run, word: str) -> bool:
    """Whether the script of a run defines an option, or was given it."""
    name = word.partition("=")[0]
    given = {argument.partition("=")[0] for argument in run.spec.command}
    return name in given or name in defined_options(script_source(run))


def script_source(run: Run) -> str:
    """The source of its script; empty if it cannot be read."""
    target = find_target(run.spec.command)
    path = run.spec.script or (target.word if target.kind is TargetKind.SCRIPT else "")
    return source_of(os.path.join(run.spec.cwd, path)) if path else ""


def longer_arguments(run: Run) -> list[str]:
    """The option for the number of steps or epochs, with N for its value; empty if it is not known."""
    options = [word.partition("=")[0] for word in run.spec.command if word.startswith("--")]
    for option in (*options, *sorted(defined_options(script_source(run)))):
        if total_from_name(option, "1") is not None:
            return [option, "N"]
    return []


def changed_line(run: Run, changes: Sequence[str]) -> str:
    """The command line of a new run from the newest intact checkpoint of this one, with changed script arguments."""
    path = choose(run.checkpoints, written_until=run.written_until).path
    words = ["backprop-tui", "run", "--like", run.id, *(() if path is None else ("-r", path)), "--", *changes]
    return shlex.join(words)


def _choose(session: ClientSession, run: Run) -> Choice:
    choice = choose(_with_later_owners(session, run), written_until=run.written_until)
    question = choice.question(run.id)
    if question is not None:
        raise UsageError(question)
    return choice


def _with_later_owners(session: ClientSession, run: Run) -> tuple[Checkpoint, ...]:
    """Its checkpoints, with the other runs that have the same path on record as saved then or later.

    A run may write over a checkpoint in the moment in which the guardian of this run has looked for the last time.
    """
    if not any(saved.is_usable for saved in run.checkpoints):
        return run.checkpoints
    others: dict[str, list[tuple[float, str]]] = {}
    for record in read_newest(session.home).values():
        for saved in record.get("checkpoints") or () if record["id"] != run.id else ():
            if saved.get("written") is not False:
                others.setdefault(str(saved["path"]), []).append(
                    (from_iso(saved.get("saved_at")) or 0.0, str(record["id"]))
                )
    return tuple(
        replace(saved, shared_with=tuple(dict.fromkeys([*saved.shared_with, *_later(saved, others)])))
        for saved in run.checkpoints
    )


def _later(saved: Checkpoint, others: Mapping[str, Sequence[tuple[float, str]]]) -> list[str]:
    return sorted(run_id for at, run_id in others.get(saved.path, ()) if at >= saved.saved_at - RECORD_SECONDS)


def _directory(run: Run, options: RunOptions) -> str:
    if options.cwd is not None:
        return run_directory_path(options.cwd)
    if not os.path.isdir(run.spec.cwd):
        raise UsageError(f"the directory of run {run.id} is gone ({run.spec.cwd})", "--cwd DIR names another")
    return run.spec.cwd


def _updated_spec(
    spec: Spec, cwd: str, options: RunOptions, environment: dict[str, str]
) -> tuple[Spec, str | None, ResumeMethod]:
    """The specification for the current source, its file, and how it takes a checkpoint."""
    script = spec.script
    flags: tuple[str, ...] = ()
    if script is not None:
        check_script(script)
        spec = _with_interpreter(spec, script, options, environment)
        flags = find_original_flags(source_of(script))
    elif options.python is not None:
        raise UsageError("--python is for scripts, and this run is a command line", "leave out --python")
    source, method = find_training(find_target(spec.command), cwd, environment)
    spec = replace(spec, understood_flags=flags, found_resume_arg=method.template, resume_channel=method.channel)
    return replace(spec, cwd=cwd), script or source, method


def _with_interpreter(spec: Spec, script: str, options: RunOptions, environment: dict[str, str]) -> Spec:
    """Keeps the interpreter unless another is named or it is gone."""
    if spec.python_origin is None or (options.python is None and os.access(spec.command[0], os.X_OK)):
        return spec
    interpreter = find_interpreter(script, asked_python(options), environment)
    return replace(spec, command=(interpreter.path, *spec.command[1:]), python_origin=interpreter.origin)


def _unfinished(home: Home, spec: Spec) -> tuple[Dependency, ...]:
    """The dependencies still to wait for: a resumed run starts even if a dependency has ended badly."""
    return tuple(dependency for dependency in spec.after if not _has_ended(home, dependency.run))


def _has_ended(home: Home, run_id: str) -> bool:
    try:
        return isinstance(RunDirectory(home.run_folder(run_id)).read().state, Ended)
    except BrokenRecord:  # removed
        return True


def _check_goals(run: Run, spec: Spec) -> None:
    if spec.total_seconds is not None and used_seconds(run) >= spec.total_seconds:
        raise UsageError(
            f"run {run.id} has used its {duration(spec.total_seconds)} in total",
            f"for more: backprop-tui resume {run.id} --total-minutes N",
        )
    for goal in spec.until:
        if goal.name in COUNTERS and goal.reached(step=run.step, epoch=run.epoch, metrics={}):
            raise UsageError(f"run {run.id} has reached {goal}", "--until gives it another goal")


def queue_again(
    session: ClientSession, run_id: str, options: RunOptions, *, at_once: bool = False
) -> tuple[Resumption, FileSizes]:
    """Queues the next attempt; also the sizes of its files before. The caller must call a supervisor next.

    `at_once`: the job of a Slurm run is submitted here, which takes a moment for each.
    """
    session.home.require_own()
    directory = RunDirectory(session.home.run_folder(run_id))
    with _lock_ended(directory):
        resumption = plan_resumption(session, directory.read(), options)
        check_with_slurm(session, resumption.run, resumption.environment)
        sizes = current_sizes(directory)
        # Requests to the earlier attempt that came too late must not be carried out by the next one.
        offset = directory.requests_after(resumption.run.requests_offset)[1]
        run = replace(resumption.run, requests_offset=offset)
        directory.write_environment(resumption.environment)
        mark(session.home, run.id)  # before the record: a queued run without a marker would wait for ever
        directory.write(run, durable=True)
        directory.append_event("queued", _event_message(resumption), time=time.time())
    if at_once and run.spec.launcher == SLURM:
        submit_now(session, run_id)
    return resumption, sizes


def _lock_ended(directory: RunDirectory) -> Lock:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        run = directory.read()
        lock = directory.try_lock()
        if lock is not None:
            return lock
        if not isinstance(run.state, Ended):
            raise _not_ended(run)
        if time.monotonic() > end:
            raise StorageFailed(f"run {run.id} has ended, but its guardian still holds {directory.lock_path}")
        time.sleep(POLL_SECONDS)


def resumption_text(resumption: Resumption) -> str:
    """Where the next attempt begins, and with which limit: ` from step 300, limit 10m`."""
    path, limit = resumption.checkpoint, resumption.run.spec.max_run_seconds
    steps = [each.step for each in resumption.before.checkpoints if each.path == path]
    step = next((step for step in reversed(steps) if step is not None), None)
    name = sanitize(os.path.basename(path or "")) if step is None else f"step {step:,}"
    begins = " from the beginning" if path is None else f" from {name}"
    return f"{begins}, {'no limit' if limit is None else f'limit {duration(limit)}'}"


def _event_message(resumption: Resumption) -> str:
    shared = resumption.before.shared_directory
    beginning = "the beginning: " + ("no intact checkpoint is known" if shared is None else shared.message)
    message = f"resumed from {resumption.checkpoint or beginning}"
    return "; ".join([message, *(f"{path} {reason}" for path, reason in resumption.rejected)])
