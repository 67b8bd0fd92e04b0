"""What a script is started with: arguments, environment, and its own flag for resuming from a checkpoint."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.run import ResumeChannel, Run, Spec

# The original tool passed these to every script. A strict argparse script fails on an unknown flag, so a script gets
# only those that its own source mentions.
RESUME_FLAG = "--resume-from"
RESUME_VARIABLE = "BACKPROP_RESUME_FROM"
ORIGINAL_FLAGS = ("--run-id", "--max-minutes", "--framework", "--checkpoint-every-seconds", RESUME_FLAG)


def find_original_flags(source: str) -> tuple[str, ...]:
    """Returns the flags of the original tool that appear as quoted strings in a script's source."""
    return tuple(flag for flag in ORIGINAL_FLAGS if f'"{flag}"' in source or f"'{flag}'" in source)


def script_command_line(run: Run) -> tuple[str, ...]:
    added = [word for flag, value in _original_flags(run) for word in (flag, value)]
    return (*run.spec.command, *added, *_resume_arguments(run))


def added_options(run: Run) -> tuple[str, ...]:
    """The options that this program adds by itself, without those of `--resume-arg`."""
    resuming = () if run.spec.resume_arg is not None else _resume_arguments(run)
    words = (*(flag for flag, _ in _original_flags(run)), *resuming)
    options = (word for word in words if word.startswith("-") or ("=" in word and not word.startswith("/")))
    return tuple(word.partition("=")[0] for word in options)


def _has_flag(command: tuple[str, ...], flag: str) -> bool:
    return any(word == flag or word.startswith(flag + "=") for word in command)


def _original_flags(run: Run) -> Iterator[tuple[str, str]]:
    values = {
        "--run-id": run.id,
        "--max-minutes": _minutes(timebox_seconds(run)),
        "--framework": run.spec.framework,
        "--checkpoint-every-seconds": _number(run.spec.checkpoint_every_seconds),
        # Added even if the command line has one: that is where the first attempt started, and the last one counts.
        RESUME_FLAG: run.attempt.resumed_from if run.spec.resume_arg is None else None,
    }
    for flag in run.spec.understood_flags:
        value = values[flag]
        is_given = flag != RESUME_FLAG and _has_flag(run.spec.command, flag)
        if value is not None and not is_given and flag not in run.spec.refused_options:
            yield flag, value


def _resume_arguments(run: Run) -> list[str]:
    path, template = run.attempt.resumed_from, resume_arg(run.spec)
    if path is None or template is None:
        return []
    step = resume_step(run)
    # Split first: a path with a space stays one word. Quotes that are left are the script's, as Hydra reads them.
    words = (word.replace("'{path}'", "'{}'".format(path.replace("'", "\\'"))) for word in shlex.split(template))
    return [word.replace("{path}", path).replace("{step}", str(step)) for word in words]


def resume_step(run: Run, path: str | None = None) -> int | None:
    """Returns the step of the checkpoint to resume from; None if it is not known.

    `path` is that checkpoint; without it, the newest attempt's. Raises UsageError if `{step}` in the resume arguments
    needs a step that is not known.
    """
    path = run.attempt.resumed_from if path is None else path
    if path is None:
        return None
    from backprop_tui.domain.checkpoint_names import parse_checkpoint_name  # its many patterns are slow to compile

    known = (saved.step for saved in reversed(run.checkpoints) if saved.path == path and saved.step is not None)
    step = next(known, parse_checkpoint_name(path.rstrip("/")).number)
    if step is None and "{step}" in (resume_arg(run.spec) or ""):
        raise UsageError(
            f"--resume-arg {run.spec.resume_arg!r}: the step of {path} is not known;"
            " use {path}, or --resume-from with a checkpoint whose name has its step"
        )
    return step


def resume_arg(spec: Spec) -> str | None:
    """Returns the arguments to add on a resume: the user's, else those found in the script's source.

    None if there are none, if the script did not accept them, or if it understands the original tool's flag, which is
    added anyway.
    """
    is_original = RESUME_FLAG in spec.understood_flags and RESUME_FLAG not in spec.refused_options
    if spec.resume_arg is not None or is_original:
        return spec.resume_arg
    template = spec.found_resume_arg
    options = [word.partition("=")[0] for word in shlex.split(template or "")]
    return None if set(options) & set(spec.refused_options) else template


def resumes_by(spec: Spec) -> str | None:
    """Returns how the script gets its checkpoint: added arguments, BACKPROP_RESUME_FROM, or `itself`.

    None if no way is known: then only the variable is set, and the script may ignore it.
    """
    template = resume_arg(spec)
    if template is not None:
        return template
    if RESUME_FLAG in spec.understood_flags and RESUME_FLAG not in spec.refused_options:
        return f"{RESUME_FLAG} {{path}}"
    return RESUME_VARIABLE if spec.resume_channel == ResumeChannel.ENVIRONMENT else spec.resume_channel


def script_environment(run: Run, run_directory: str, captured: Mapping[str, str]) -> dict[str, str]:
    """Returns the captured environment with the variables for the script added.

    `BACKPROP_DEADLINE` is the wall time (seconds since the epoch) at which the timebox ends if nothing pauses the run.
    """
    limit = timebox_seconds(run)
    variables: dict[str, str | None] = {
        "BACKPROP_RUN_ID": run.id,
        "BACKPROP_RUN_NAME": run.name,
        "BACKPROP_RUN_DIR": run_directory,
        "BACKPROP_ATTEMPT": str(run.attempt.number),
        "BACKPROP_FRAMEWORK": run.spec.framework,
        "BACKPROP_MAX_MINUTES": _minutes(limit),
        "BACKPROP_DEADLINE": None,
        RESUME_VARIABLE: run.attempt.resumed_from,
        "BACKPROP_CHECKPOINT_EVERY_SECONDS": _number(run.spec.checkpoint_every_seconds),
        "PYTHONUNBUFFERED": captured.get("PYTHONUNBUFFERED", "1"),  # empty: the script's output is buffered
    }
    inherited = {name: value for name, value in captured.items() if name not in variables}
    added = {name: value for name, value in variables.items() if value is not None}
    return {**inherited, **added, **start_variables(run)}


def start_variables(run: Run) -> dict[str, str]:
    """Those of the variables for the script that are known only when it is started."""
    limit = timebox_seconds(run)
    deadline = {} if limit is None else {"BACKPROP_DEADLINE": f"{run.attempt.started_at + limit:.3f}"}
    return {**deadline, **run.attempt.variables}


def _minutes(seconds: float | None) -> str | None:
    return None if seconds is None else _number(seconds / 60)


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"
