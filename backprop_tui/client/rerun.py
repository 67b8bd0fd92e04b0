"""A run as the request that queues it again: for `--like`, for the dashboard's forms, and to change a waiting run."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from backprop_tui.client.command_line import Program
from backprop_tui.client.handles import resolve_one
from backprop_tui.client.resume import LOCK_SECONDS, POLL_SECONDS, read_resumable, script_source
from backprop_tui.client.run_request import NO_LIMIT, SWEEP_OF_WAITING, RunRequest, WarningSignal
from backprop_tui.client.runs import created, host_hint, whereabouts
from backprop_tui.client.session import ClientSession
from backprop_tui.client.slurm_jobs import check_with_slurm
from backprop_tui.client.specification import spec_from_settings
from backprop_tui.config.load import Settings
from backprop_tui.domain.arguments import (
    OptionSyntax,
    change_arguments,
    compare_arguments,
    parse_arguments,
    with_placeholder,
)
from backprop_tui.domain.causes.cause import batch_option, defined_batch_option, halved
from backprop_tui.domain.command_lines import argument_start, find_target, name_of_path
from backprop_tui.domain.errors import BackpropError, StorageFailed, UsageError
from backprop_tui.domain.resume_arguments import (
    defined_options,
    kept_outputs,
    option_default,
    option_syntax,
    outdated_output,
)
from backprop_tui.domain.run import LOCAL, SLURM, Queued, Run, Spec, merge_variables
from backprop_tui.domain.run_names import split_point
from backprop_tui.domain.secrets import hidden_words, mask_words, reveal_words
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.thresholds import MACHINES_LIMIT, THRESHOLDS
from backprop_tui.store.hosts import belongs_here
from backprop_tui.store.locks import Lock
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import recent_records, unfinished_views

_SLURM_NAMES = [field.name for field in fields(SlurmOptions)]


def request_of(run: Run, settings: Settings) -> RunRequest:
    """The request that queues the same run again; what these settings say anyway is left out.

    Secrets are missing; see `with_secrets_of`.
    """
    spec = replace(run.spec, command=mask_words(run.spec.command))
    usual = spec_from_settings(settings, Program(words=(), arguments=(), name=""), spec.cwd)
    same_limit = spec.max_run_seconds == usual.max_run_seconds
    is_script = spec.script is not None and spec.script in spec.command
    start = spec.command.index(spec.script) + 1 if is_script and spec.script is not None else 0
    same = ("total_seconds", "gpus", "gpu_probe", "retries", "launcher", "framework", "leftovers", "resume_arg")
    options: dict[str, Any] = {name: _unusual(spec, usual, name) for name in (*same, "checkpoint_every_seconds")}
    return RunRequest(
        **options,
        **_slurm(spec, usual),
        **_limits(spec, usual),
        **_stopping(spec, usual),
        script=spec.script if is_script else None,
        arguments=spec.command[start:] if is_script else (),
        command=None if is_script else spec.command,
        name=run.name,
        tags=run.tags,
        note=run.note,
        priority=run.priority or None,
        group=run.group,
        objective=spec.objective if spec.objective is not None and spec.objective.is_option else None,
        max_run_seconds=None if same_limit else NO_LIMIT if spec.max_run_seconds is None else spec.max_run_seconds,
        until=spec.until,
        gpu_ids=spec.gpu_ids or None,
        after=tuple(f"{after.run}:any" if after.any_end else after.run for after in spec.after),
        python=_interpreter(spec) if is_script else None,
        cwd=spec.cwd,
        env=tuple((name, value) for name, value in spec.env if value is not None),
        resume_from=_initial_checkpoint(run),
        checkpoint_globs=spec.checkpoint_globs if spec.checkpoint_globs != usual.checkpoint_globs else (),
    )


def request_like(run: Run, settings: Settings) -> RunRequest:
    """The request for a new run like that one.

    What is about the other run alone is left out: its note, group, priority and dependencies, and a name that it got
    from its script or from the values of a sweep.
    """
    request = request_of(run, settings)
    name = run.name if run.group is None else split_point(run.name)[0]
    usual = name_of_path(run.spec.script) if run.spec.script is not None else find_target(run.spec.command).name
    return replace(request, name=None if name == usual else name, note=None, group=None, priority=None, after=())


def newest_requests(session: ClientSession, count: int) -> list[RunRequest]:
    """Requests like the newest runs, newest first, without values of variables; unreadable runs are left out."""
    settings = session.settings()
    requests: list[RunRequest] = []
    records = {view.run.id: view.record for view in unfinished_views(session.home)} | recent_records(session.home)
    for record in sorted(records.values(), key=created, reverse=True)[:count]:
        with suppress(BackpropError):
            run = RunDirectory(session.home.run_folder(str(record["id"]))).read()
            requests.append(replace(request_like(run, settings), env=()))
    return requests


def _unusual(spec: Spec | SlurmOptions, usual: Spec | SlurmOptions, name: str) -> object:
    value = getattr(spec, name)
    return None if value == getattr(usual, name) else value


def _limits(spec: Spec, usual: Spec) -> dict[str, Any]:
    limits: dict[str, Any] = {
        name: MACHINES_LIMIT if getattr(spec.limits, name) is None else getattr(spec.limits, name)
        for name in THRESHOLDS
        if getattr(spec.limits, name) != getattr(usual.limits, name)
    }
    if spec.limits.gpu_memory_limit != usual.limits.gpu_memory_limit:
        limits["gpu_memory_limit"] = spec.limits.gpu_memory_limit
    return limits


def _stopping(spec: Spec, usual: Spec) -> dict[str, Any]:
    stop = spec.stop
    warning = WarningSignal(name=stop.warn_signal, seconds=stop.warn_seconds)
    return {
        "stop_signal": stop.stop_signal if stop.stop_signal != usual.stop.stop_signal else None,
        "grace_seconds": stop.grace_seconds if stop.grace_seconds != usual.stop.grace_seconds else None,
        "warn_signal": warning if stop.warn_signal != usual.stop.warn_signal else None,
    }


def _slurm(spec: Spec, usual: Spec) -> dict[str, Any]:
    if spec.launcher != SLURM:
        return {}
    options = {f"slurm_{name}": _unusual(spec.slurm, usual.slurm, name) for name in _SLURM_NAMES}
    return options | {"slurm_extra": options["slurm_extra"] or ()}


def _interpreter(spec: Spec) -> str | None:
    """The interpreter of a script, unless it is gone: then another one is looked for."""
    return spec.command[0] if spec.python_origin is not None and os.access(spec.command[0], os.X_OK) else None


def _initial_checkpoint(run: Run) -> str | None:
    """The checkpoint that the first attempt was given."""
    if run.attempts:
        return run.attempts[0].resumed_from
    return run.state.resume_from if isinstance(run.state, Queued) else None


def with_secrets_of(session: ClientSession, run_id: str, request: RunRequest) -> RunRequest:
    """The request with the secrets of a run: its variables, and the words where the request has ***."""
    directory = RunDirectory(session.home.run_folder(run_id))
    run = directory.read()
    hidden = {**hidden_words(run.spec.command), **directory.hidden_words()}
    return replace(
        request,
        arguments=reveal_words(request.arguments, hidden)[0],
        command=None if request.command is None else reveal_words(request.command, hidden)[0],
        env=tuple((directory.given_secrets(run) | dict(request.env)).items()),
    )


def lost_variables(session: ClientSession, run: Run, *, where: str = "") -> str | None:
    """What to say about variables that were given, are secret, and are not known any more; `where` they are given."""
    known = {*session.environment, *RunDirectory(session.home.run_folder(run.id)).given_secrets(run)}
    names = [name for name, value in run.spec.env if value is None and name not in known]
    if not names:
        return None
    return f"--env {' '.join(names)} was given before but its value is not kept; give it again{where} if it is needed"


def syntax_of(run: Run) -> OptionSyntax:
    """What the source of its script says about its options."""
    return option_syntax(script_source(run))


def advised_change(run: Run) -> tuple[tuple[str, str, str] | None, str | None]:
    """The option that the cause of its failure advises to change, with its value then and the one to try; else advice.

    A command without a batch size has the default of its script.
    """
    cause = run.last_cause
    if cause is None or cause.kind != "cuda_oom" or cause.retryable or batch_option(run.spec.command):
        return None if cause is None else cause.advised, None
    source = script_source(run)
    option = defined_batch_option(defined_options(source))
    default = None if option is None else option_default(source, option)
    advised = None if option is None or default is None else halved(option, default)
    if advised is not None:
        return advised, None
    return None, f"advice: use a smaller batch; this command gives none{'' if option is None else f': add {option} N'}"


def expand_like(session: ClientSession, request: RunRequest) -> RunRequest:
    """The request without `like`: that of the run it names, with the options and arguments that were given.

    Raises: UnknownRun. UsageError, if the arguments do not fit.
    """
    if request.like is None:
        return request
    run = read_resumable(session, resolve_one(session, request.like))
    lost = lost_variables(session, run)
    if lost is not None:
        session.warn(lost)
    source = with_secrets_of(session, run.id, request_like(run, session.settings()))
    given = {field.name: getattr(request, field.name) for field in fields(RunRequest)}
    options = {name: value for name, value in given.items() if value not in (None, ())}
    if request.launcher == LOCAL:  # there is no job that could ask for what that of the other run did
        none: dict[str, Any] = {f"slurm_{name}": () if name == "extra" else None for name in _SLURM_NAMES}
        source = replace(source, **none)
    options |= {"like": None, "command": source.command}
    options["env"] = tuple((dict(source.env) | dict(request.env)).items())
    like = _with_arguments(replace(source, **options), run, request.command or ())
    problem = "" if request.sweep else _output_problem(run, source, like)
    if problem:
        session.warn_once(problem)
    return like


def _output_problem(run: Run, source: RunRequest, like: RunRequest) -> str:
    """What is wrong with an output that a new run takes over from the run that it is like; empty if nothing is."""
    script, syntax = script_source(run), syntax_of(run)
    before, now = (parse_arguments(_script_arguments(request), syntax) for request in (source, like))
    changes = compare_arguments(before, now)
    outdated = outdated_output(changes)
    kept = next((output for output in kept_outputs(changes) if output.values and "log" not in output.name), None)
    if outdated or kept is None or "BACKPROP_RUN_" in script:
        return outdated
    name = f"{kept.name} {kept.text}"
    return f"{name} is also that of run {run.id}, whose files may be overwritten; for another: -- {kept.name} NEW"


def _script_arguments(request: RunRequest) -> tuple[str, ...]:
    """The arguments of the script; none if they are inside of a shell command."""
    if request.command is None:
        return request.arguments
    start = argument_start(request.command)
    return () if start is None else request.command[start:]


def _with_arguments(request: RunRequest, run: Run, words: tuple[str, ...]) -> RunRequest:
    """The request with other arguments of its script; a sweep takes the place of a value."""
    if not words and not request.sweep:
        return request
    command = request.command or ()
    start = argument_start(command) if command else 0
    if start is None:
        if not words:
            return request
        raise UsageError(
            f"the arguments of run {run.id} are inside of its shell command",
            f"give the whole command: backprop-tui run -- {shlex.join(command)}",
        )
    syntax = syntax_of(run)
    arguments = change_arguments(command[start:] if command else request.arguments, words, syntax)
    for axis in request.sweep:
        arguments = with_placeholder(arguments, axis.key, syntax)
    if command:
        return replace(request, command=(*command[:start], *arguments))
    return replace(request, arguments=tuple(arguments))


def change_queued(session: ClientSession, run_id: str, request: RunRequest) -> Run:
    """Gives a run that waits for its first start what a request says; id, place, key and environment stay.

    Raises: UsageError, if it does not wait any more, or the request makes several runs.
    """
    from backprop_tui.client.submit import check_secrets, plan

    session.home.require_own()
    planned = plan(session, with_secrets_of(session, run_id, request)).runs
    check_secrets(planned[0])
    if len(planned) > 1:
        raise UsageError(SWEEP_OF_WAITING, "N opens it as a new run, which can")
    directory = RunDirectory(session.home.run_folder(run_id))
    with _lock_waiting(directory):
        before = directory.read()
        if not belongs_here(session.home, before):
            raise UsageError(f"run {run_id} waits {whereabouts(session.home, before)}", host_hint(before))
        secret = tuple((name, value) for name, value in before.spec.env if value is None)
        kept = {name: getattr(before.spec, name) for name in ("key", "process", "visible_gpus")}
        spec = replace(planned[0].spec, **kept, env=merge_variables(secret, request.env))
        edited = ("name", "group", "tags", "note", "priority", "git", "code")
        taken = {name: getattr(planned[0], name) for name in edited}
        state = replace(_waiting_state(before), resume_from=_waiting_state(planned[0]).resume_from)
        run = replace(before, **taken, spec=spec, state=state)
        if run.spec.env != before.spec.env:
            gone = dict(before.spec.env).keys() - dict(run.spec.env).keys()
            environment = {name: value for name, value in directory.read_environment().items() if name not in gone}
            directory.write_environment(environment | dict(request.env))
        check_with_slurm(session, run, directory.read_environment())
        directory.write(run, durable=True)
        same = mask_words(run.spec.command) == mask_words(before.spec.command)
        change = "options" if same else f"command {shlex.join(mask_words(run.spec.command))}"
        directory.append_event("edited", change, time=time.time())
    session.wake_supervisor()
    return run


def _waiting_state(run: Run) -> Queued:
    if run.submitted_job is not None:
        problem = f"run {run.id} is submitted: its Slurm job cannot be given another command or other options"
        raise UsageError(problem, f"to queue it anew: backprop-tui stop {run.id}, then N opens it as a new run")
    if isinstance(run.state, Queued) and not run.attempts:
        return run.state
    problem = f"run {run.id} has started: only a run that waits for its first start can be changed"
    raise UsageError(problem, "N opens it as a new run")


def _lock_waiting(directory: RunDirectory) -> Lock:
    """The lock of a run that waits; a supervisor holds it for a moment when it looks at the run."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        _waiting_state(directory.read())
        lock = directory.try_lock()
        if lock is not None:
            return lock
        if time.monotonic() > end:
            raise StorageFailed(f"another process holds {directory.lock_path}; try again")
        time.sleep(POLL_SECONDS)
