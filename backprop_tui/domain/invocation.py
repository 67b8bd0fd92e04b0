"""What a script is started with: arguments, environment, and its own flag for resuming from a checkpoint."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

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
    command = run.spec.command
    added = [
        word
        for flag, value in _original_flags(run)
        if flag == RESUME_FLAG or not _has_flag(command, flag)
        for word in (flag, value)
    ]
    return (*command, *added, *_resume_arguments(run))


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
        if value is not None:
            yield flag, value


def _resume_arguments(run: Run) -> list[str]:
    path, template = run.attempt.resumed_from, resume_arg(run.spec)
    if path is None or template is None:
        return []
    # Split first: a path with a space stays one word. Quotes that are left are the script's, as Hydra reads them.
    words = (word.replace("'{path}'", "'{}'".format(path.replace("'", "\\'"))) for word in shlex.split(template))
    return [word.replace("{path}", path) for word in words]


def resume_arg(spec: Spec) -> str | None:
    """Returns the arguments to add on a resume: the user's, else those found in the script's source.

    None if there are none, or if the script understands the original tool's flag, which is added anyway.
    """
    if spec.resume_arg is not None or RESUME_FLAG in spec.understood_flags:
        return spec.resume_arg
    return spec.found_resume_arg


def resumes_by(spec: Spec) -> str | None:
    """Returns how the script learns of its checkpoint: the arguments, BACKPROP_RESUME_FROM that it reads, or `itself`.

    None if nothing is known of it: then it gets the variable alone, and may never look at it.
    """
    template = resume_arg(spec) or (f"{RESUME_FLAG} {{path}}" if RESUME_FLAG in spec.understood_flags else None)
    if template is not None:
        return template
    return RESUME_VARIABLE if spec.resume_channel == ResumeChannel.ENVIRONMENT else spec.resume_channel


def script_environment(run: Run, run_directory: str, captured: Mapping[str, str]) -> dict[str, str]:
    """Returns the captured environment with the variables for the script added.

    `BACKPROP_DEADLINE` is the wall time (seconds since the epoch) at which the timebox ends if nothing pauses the run.
    """
    limit = timebox_seconds(run)
    variables = {
        "BACKPROP_RUN_ID": run.id,
        "BACKPROP_RUN_NAME": run.name,
        "BACKPROP_RUN_DIR": run_directory,
        "BACKPROP_ATTEMPT": str(run.attempt.number),
        "BACKPROP_FRAMEWORK": run.spec.framework,
        "BACKPROP_MAX_MINUTES": _minutes(limit),
        "BACKPROP_DEADLINE": None if limit is None else f"{run.attempt.started_at + limit:.3f}",
        RESUME_VARIABLE: run.attempt.resumed_from,
        "BACKPROP_CHECKPOINT_EVERY_SECONDS": _number(run.spec.checkpoint_every_seconds),
        "PYTHONUNBUFFERED": "1",
    }
    inherited = {name: value for name, value in captured.items() if name not in variables}
    added = {name: value for name, value in variables.items() if value is not None}
    return {**inherited, **added, **run.attempt.variables}


def _minutes(seconds: float | None) -> str | None:
    return None if seconds is None else _number(seconds / 60)


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"
