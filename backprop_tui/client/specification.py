"""The specification of a run: what the settings say, overridden by the options of a request."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backprop_tui.client.command_line import Program, nearest_file
from backprop_tui.client.environment import captured_process, visible_gpus
from backprop_tui.client.feasibility import check_feasible
from backprop_tui.client.interpreters import Interpreter
from backprop_tui.client.run_request import NO_LIMIT, RunOptions, slurm_options_of, thresholds_of
from backprop_tui.client.session import ClientSession, current_directory
from backprop_tui.config.kinds import parse_signal, parse_warning
from backprop_tui.config.load import Settings, run_limits
from backprop_tui.domain.errors import UnknownRun, UsageError
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.objective import ObjectiveSource, parse_objective
from backprop_tui.domain.run import LOCAL, Dependency, Spec, StopPlan, merge_variables
from backprop_tui.domain.slurm import SlurmOptions, as_options, given_options
from backprop_tui.domain.thresholds import with_thresholds

_ANY_END = ":any"


def spec_from_settings(settings: Settings, program: Program, cwd: str) -> Spec:
    minutes = settings.optional_number("max_run_minutes")
    checkpoint_minutes = settings.optional_number("checkpoint_every_minutes")
    warning = settings.optional_text("run.warn_signal")
    objective = settings.optional_text("run.objective")
    warn_signal, warn_seconds = (None, 0.0) if warning is None else parse_warning(warning)
    return Spec(
        command=(*program.words, *program.arguments),
        script=program.script,
        cwd=cwd,
        framework=settings.text("framework"),
        launcher=settings.text("run.launcher"),
        slurm=_slurm_settings(settings),
        max_run_seconds=None if minutes is None else minutes * 60,
        objective=None if objective is None else parse_objective(objective, ObjectiveSource.SETTING),
        checkpoint_every_seconds=None if checkpoint_minutes is None else checkpoint_minutes * 60,
        checkpoint_globs=settings.texts("run.checkpoint_globs"),
        log_patterns=settings.texts("readers.patterns"),
        understood_flags=program.understood_flags,
        found_resume_arg=program.resume.template,
        resume_channel=program.resume.channel,
        retries=int(settings.number("run.retries")),
        gpu_probe=settings.text("gpu.probe"),
        python_origin=None if program.interpreter is None else program.interpreter.origin,
        stop=StopPlan(
            stop_signal=parse_signal(settings.text("run.stop_signal")),
            grace_seconds=settings.number("run.grace_seconds"),
            warn_signal=warn_signal,
            warn_seconds=warn_seconds,
        ),
        leftovers=settings.text("run.leftovers"),
        limits=run_limits(settings),
    )


def _slurm_settings(settings: Settings) -> SlurmOptions:
    cpus = settings.optional_number("slurm.cpus")
    return SlurmOptions(
        partition=settings.optional_text("slurm.partition"),
        account=settings.optional_text("slurm.account"),
        qos=settings.optional_text("slurm.qos"),
        constraint=settings.optional_text("slurm.constraint"),
        gres=settings.optional_text("slurm.gres"),
        cpus=None if cpus is None else int(cpus),
        memory_gb=settings.optional_number("slurm.memory_gb"),
        extra=settings.texts("slurm.extra"),
    )


def asked_python(options: RunOptions, settings: Settings | None = None) -> Interpreter | None:
    if options.python is not None:
        return Interpreter(path=options.python, origin=f"--python {options.python}")
    path = None if settings is None else settings.optional_text("run.python")
    if settings is None or path is None:
        return None
    return Interpreter(path=path, origin=f"run.python ({settings.origin('run.python')})")


def apply_options(spec: Spec, options: RunOptions, session: ClientSession, environment: dict[str, str]) -> Spec:
    """The specification with every option that was given, and with what the run inherits from this process."""
    limit = options.max_run_seconds
    spec = replace(
        spec,
        **_given(
            total_seconds=options.total_seconds,
            objective=options.objective,
            until=tuple(dict.fromkeys(options.until)) or None,
            framework=options.framework,
            launcher=options.launcher,
            checkpoint_every_seconds=options.checkpoint_every_seconds,
            resume_arg=options.resume_arg,
            checkpoint_globs=options.checkpoint_globs or None,
            retries=options.retries,
            leftovers=options.leftovers,
            gpus=options.gpus,
            gpu_ids=options.gpu_ids,
            gpu_probe=options.gpu_probe,
            after=_dependencies(session, options.after) or None,
        ),
        max_run_seconds=spec.max_run_seconds if limit is None else None if limit == NO_LIMIT else limit,
        slurm=replace(spec.slurm, **given_options(slurm_options_of(options))),
        env=merge_variables(spec.env, options.env),
        stop=_stop_plan(spec.stop, options),
        limits=_limits(spec.limits, options),
        process=captured_process(),
        visible_gpus=visible_gpus(environment),
    )
    _check(spec)
    if spec.launcher == LOCAL:
        _check_no_job(slurm_options_of(options))
        check_feasible(session, spec, options)
    return spec


def _given(**options: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a dataclass, checked by its constructor
    return {name: value for name, value in options.items() if value is not None}


def _stop_plan(plan: StopPlan, options: RunOptions) -> StopPlan:
    plan = replace(plan, **_given(stop_signal=options.stop_signal, grace_seconds=options.grace_seconds))
    warning = options.warn_signal
    return plan if warning is None else replace(plan, warn_signal=warning.name, warn_seconds=warning.seconds)


def _limits(limits: RunLimits, options: RunOptions) -> RunLimits:
    limits = replace(limits, **_given(gpu_memory_limit=options.gpu_memory_limit))
    return with_thresholds(limits, thresholds_of(options))


def _dependencies(session: ClientSession, handles: Sequence[str]) -> tuple[Dependency, ...]:
    if not handles:
        return ()
    from backprop_tui.client.handles import resolve

    dependencies: dict[str, Dependency] = {}
    for handle in handles:
        any_end = handle.endswith(_ANY_END)
        try:
            run_ids = resolve(session, handle.removesuffix(_ANY_END))
        except UnknownRun as error:
            raise UnknownRun(f"--after {handle}: {error.message}", error.hint) from error
        dependencies |= {run_id: Dependency(run=run_id, any_end=any_end) for run_id in run_ids}
    return tuple(dependencies.values())


def _check(spec: Spec) -> None:
    if spec.gpu_ids and spec.gpus is not None and spec.gpus > len(spec.gpu_ids):
        raise UsageError(
            f"--gpus {spec.gpus}: more than --gpu-ids names ({','.join(spec.gpu_ids)})", "leave out --gpus"
        )
    if spec.gpu_ids and spec.gpus == 0:
        raise UsageError("--gpus 0 hides all GPUs, and --gpu-ids names some", "give only one of the two")


def _check_no_job(options: SlurmOptions) -> None:
    given = as_options(options)
    if given:
        raise UsageError(f"{given}: needs the Slurm launcher", "give --launcher slurm, too, or leave it out")


def run_directory_path(cwd: str | None) -> str:
    """The directory that a run works in, absolute; None is the current directory."""
    if cwd is None:
        return current_directory()
    path = os.path.abspath(os.path.join(current_directory(), os.path.expanduser(cwd)))
    if not os.path.isdir(path):
        problem = "not a directory" if os.path.exists(path) else "there is no such directory"
        raise UsageError(f"--cwd {cwd}: {problem}", "name a directory that exists")
    if not os.access(path, os.X_OK):
        raise UsageError(
            f"--cwd {cwd}: you may not enter it", f"name another directory, or: chmod u+x {shlex.quote(path)}"
        )
    return path


def checkpoint_path(path: str | None) -> str | None:
    """The checkpoint to start from, absolute; None if none was given."""
    if path is None:
        return None
    absolute = os.path.abspath(os.path.expanduser(path))
    if not os.path.exists(absolute):
        near = nearest_file(absolute)
        known = "the newest checkpoint of a run: backprop-tui resume RUN; all of them: backprop-tui status RUN"
        raise UsageError(f"--resume-from {path}: not found", f"did you mean {near}?" if near else known)
    return absolute
