"""What a script is started with and told: arguments and environment of one attempt."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.run import Run, Spec

# The original tool passed these to every script. A strict argparse script dies of an unknown flag, so a script gets
# only those that its own source mentions.
RESUME = "--resume-from"
ORIGINAL_FLAGS = ("--run-id", "--max-minutes", "--framework", "--checkpoint-every-seconds", RESUME)


def mentioned_flags(source: str) -> tuple[str, ...]:
    """Those of the original's flags that stand as quoted words in a script's source."""
    return tuple(flag for flag in ORIGINAL_FLAGS if f'"{flag}"' in source or f"'{flag}'" in source)


def arguments(run: Run) -> tuple[str, ...]:
    """The command line of the newest attempt."""
    command = run.spec.command
    told = [
        word for flag, value in _flags(run) if flag == RESUME or not _given(flag, command) for word in (flag, value)
    ]
    return (*command, *told, *_resume_words(run))


def _given(flag: str, command: tuple[str, ...]) -> bool:
    return any(word == flag or word.startswith(flag + "=") for word in command)


def _flags(run: Run) -> Iterator[tuple[str, str]]:
    values = {
        "--run-id": run.id,
        "--max-minutes": _minutes(timebox_seconds(run)),
        "--framework": run.spec.framework,
        "--checkpoint-every-seconds": _number(run.spec.checkpoint_every_seconds),
        # Though it may be given already: that is where the first attempt began, and the last one given counts.
        RESUME: run.attempt.resumed_from if run.spec.resume_arg is None else None,
    }
    for flag in run.spec.understood_flags:
        value = values[flag]
        if value is not None:
            yield flag, value


def _resume_words(run: Run) -> list[str]:
    path, template = run.attempt.resumed_from, resume_arg(run.spec)
    if path is None or template is None:
        return []
    # Split first: a path with a space stays one word.
    return [word.replace("{path}", path) for word in shlex.split(template)]


def resume_arg(spec: Spec) -> str | None:
    """What is added for a resume: as asked, else as found where the original's flag is not understood."""
    if spec.resume_arg is not None or RESUME in spec.understood_flags:
        return spec.resume_arg
    return spec.found_resume_arg


def environment(run: Run, run_directory: str, captured: Mapping[str, str]) -> dict[str, str]:
    """The captured environment with what the script is told.

    `BACKPROP_DEADLINE` is the wall time (seconds since the epoch) at which the timebox ends if nothing pauses the run.
    """
    limit = timebox_seconds(run)
    told = {
        "BACKPROP_RUN_ID": run.id,
        "BACKPROP_RUN_NAME": run.name,
        "BACKPROP_RUN_DIR": run_directory,
        "BACKPROP_ATTEMPT": str(run.attempt.number),
        "BACKPROP_FRAMEWORK": run.spec.framework,
        "BACKPROP_MAX_MINUTES": _minutes(limit),
        "BACKPROP_DEADLINE": None if limit is None else f"{run.attempt.started_at + limit:.3f}",
        "BACKPROP_RESUME_FROM": run.attempt.resumed_from,
        "BACKPROP_CHECKPOINT_EVERY_SECONDS": _number(run.spec.checkpoint_every_seconds),
        "PYTHONUNBUFFERED": "1",
    }
    kept = {name: value for name, value in captured.items() if name not in told}
    return {**kept, **{name: value for name, value in told.items() if value is not None}, **run.attempt.variables}


def _minutes(seconds: float | None) -> str | None:
    return None if seconds is None else _number(seconds / 60)


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"
