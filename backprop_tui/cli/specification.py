"""What is asked of a run: what the settings say, and over that what the options say."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import Any

from backprop_tui.cli.captured import captured_process, visible_gpus
from backprop_tui.cli.programs import AskedPython, Program
from backprop_tui.cli.session import Session
from backprop_tui.cli.values import NoLimit
from backprop_tui.config.kinds import parse_signal, parse_warning
from backprop_tui.config.load import Settings, run_limits
from backprop_tui.domain.errors import UnknownRun, UsageError
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.run import Dependency, Spec, StopPlan
from backprop_tui.domain.variables import merged

_ANY_END = ":any"


def settled(settings: Settings, program: Program, cwd: str) -> Spec:
    """What a new run is asked where no option says otherwise."""
    minutes = settings.optional_number("max_run_minutes")
    every = settings.optional_number("checkpoint_every_minutes")
    return Spec(
        command=(*program.words, *program.arguments),
        script=program.script,
        cwd=cwd,
        framework=settings.text("framework"),
        launcher=settings.text("run.launcher"),
        max_run_seconds=None if minutes is None else minutes * 60,
        checkpoint_every_seconds=None if every is None else every * 60,
        checkpoint_globs=settings.texts("run.checkpoint_globs"),
        log_patterns=settings.texts("readers.patterns"),
        understood_flags=program.understood_flags,
        found_resume_arg=program.resume_arg,
        retries=int(settings.number("run.retries")),
        gpu_probe=settings.text("gpu.probe"),
        python_origin=None if program.interpreter is None else program.interpreter.origin,
        stop=_stop_plan(settings),
        limits=run_limits(settings),
    )


def _stop_plan(settings: Settings) -> StopPlan:
    warning = settings.optional_text("run.warn_signal")
    name, seconds = (None, 0.0) if warning is None else parse_warning(warning)
    return StopPlan(
        stop_signal=parse_signal(settings.text("run.stop_signal")),
        grace_seconds=settings.number("run.grace_seconds"),
        warn_signal=name,
        warn_seconds=seconds,
    )


def asked_python(options: argparse.Namespace, settings: Settings) -> AskedPython | None:
    """The interpreter that an option or a file names; None where it is to be found."""
    if options.python is not None:
        return AskedPython(path=options.python, origin=f"--python {options.python}")
    path = settings.optional_text("run.python")
    return None if path is None else AskedPython(path=path, origin=f"run.python ({settings.origin('run.python')})")


def overlaid(spec: Spec, options: argparse.Namespace, session: Session, environment: dict[str, str]) -> Spec:
    """The spec with every option that was given, in the circumstances of this shell.

    Raises:
        UsageError: options that contradict each other, or that nothing here obeys.
    """
    spec = replace(
        spec,
        **_given(
            total_seconds=options.total_minutes,
            until=tuple(dict.fromkeys(options.until)) or None,
            framework=options.framework,
            launcher=options.launcher,
            checkpoint_every_seconds=options.checkpoint_every_minutes,
            resume_arg=options.resume_arg,
            checkpoint_globs=tuple(options.checkpoint_glob) or None,
            retries=options.retries,
            gpus=options.gpus,
            gpu_ids=options.gpu_ids,
            gpu_probe=options.gpu_probe,
            after=_dependencies(session, options.after) or None,
        ),
        **_given_or_none(max_run_seconds=options.max_run_minutes),
        env=merged(spec.env, options.env),
        stop=_stop(spec.stop, options),
        limits=_limits(spec.limits, options),
        process=captured_process(),
        visible_gpus=visible_gpus(environment),
    )
    _check(spec)
    return spec


def _given(**options: Any) -> dict[str, Any]:  # noqa: ANN401 - the fields of Spec, checked by its constructor
    return {name: value for name, value in options.items() if value is not None}


def _given_or_none(**options: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """As `_given`, where `none` is a value too."""
    return {name: None if isinstance(value, NoLimit) else value for name, value in _given(**options).items()}


def _stop(plan: StopPlan, options: argparse.Namespace) -> StopPlan:
    plan = replace(plan, **_given(stop_signal=options.stop_signal, grace_seconds=options.grace_seconds))
    warning = options.warn_signal
    if warning is None:
        return plan
    if isinstance(warning, NoLimit):
        return replace(plan, warn_signal=None, warn_seconds=0.0)
    return replace(plan, warn_signal=warning.name, warn_seconds=warning.seconds)


def _limits(limits: RunLimits, options: argparse.Namespace) -> RunLimits:
    return replace(
        limits,
        **_given(
            max_parallel=options.max_parallel,
            gpu_max_temp_celsius=options.gpu_max_temp,
            gpu_memory_limit=options.gpu_memory_limit,
            min_free_ram_bytes=None if options.min_free_ram is None else round(options.min_free_ram),
            gpu_min_free_vram_bytes=None if options.gpu_min_vram is None else round(options.gpu_min_vram),
        ),
    )


def _dependencies(session: Session, handles: list[str]) -> tuple[Dependency, ...]:
    """The runs of every --after.

    Raises:
        UnknownRun: one that answers to none.
    """
    if not handles:
        return ()
    from backprop_tui.cli.handles import resolve

    found: dict[str, Dependency] = {}
    for handle in handles:
        any_end = handle.endswith(_ANY_END)
        try:
            run_ids = resolve(session, handle.removesuffix(_ANY_END))
        except UnknownRun as error:
            raise UnknownRun(f"--after {handle}: {error}") from error
        found |= {run_id: Dependency(run=run_id, any_end=any_end) for run_id in run_ids}
    return tuple(found.values())


def _check(spec: Spec) -> None:
    if spec.launcher != "local":
        raise UsageError(f"--launcher {spec.launcher}: not in this version; use --launcher local")
    if spec.gpu_ids and spec.gpus is not None and spec.gpus > len(spec.gpu_ids):
        raise UsageError(f"--gpus {spec.gpus}: more than --gpu-ids names ({','.join(spec.gpu_ids)})")
    if spec.gpu_ids and spec.gpus == 0:
        raise UsageError("--gpus 0 hides all GPUs, and --gpu-ids names some: give one of the two")


def working_directory(cwd: str | None, here: str) -> str:
    """The directory a run works in, absolute.

    Raises:
        UsageError: it is none, or we may not enter it.
    """
    if cwd is None:
        return here
    path = os.path.abspath(os.path.join(here, os.path.expanduser(cwd)))
    if not os.path.isdir(path):
        raise UsageError(f"--cwd {cwd}: {'not a directory' if os.path.exists(path) else 'there is no such directory'}")
    if not os.access(path, os.X_OK):
        raise UsageError(f"--cwd {cwd}: you may not enter it")
    return path


def checkpoint_path(path: str | None) -> str | None:
    """The checkpoint to start from, absolute; None where none was given.

    Raises:
        UsageError: there is none.
    """
    if path is None:
        return None
    found = os.path.abspath(os.path.expanduser(path))
    if not os.path.exists(found):
        from backprop_tui.cli.programs import nearest_file

        near = nearest_file(found)
        raise UsageError(f"--resume-from {path}: not found" + (f"; did you mean {near}?" if near else ""))
    return found
