"""The fields of the New run dialog, and the words of `run` that they stand for."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from backprop_tui.domain.limits import MEGABYTE, RunLimits
from backprop_tui.domain.run import Run
from backprop_tui.tui.new_run.command_line import PROGRAM, parse_command

Draft = Mapping[str, str]  # the text of each field, by its name

COMMAND, MORE = "command", "more"
_MAX_RECENT = 20
# Fields that are one option, and fields that are an option for each of their words.
_SINGLE = {
    "name": "--name",
    "minutes": "-m",
    "total": "--total-minutes",
    "gpus": "--gpus",
    "vram": "--gpu-min-vram",
    "priority": "--priority",
    "retries": "--retries",
    "group": "--group",
    "resume": "--resume-from",
}
_EACH_WORD = {"after": "--after", "sweep": "--sweep", "tags": "--tag"}


def words_of(draft: Draft) -> tuple[str, ...]:
    """Return the words that follow `run`.

    Raises:
        ValueError: a quotation is not closed.
    """
    command = parse_command(draft.get(COMMAND, ""))
    options: list[str] = []
    for field, option in _SINGLE.items():
        value = draft.get(field, "").strip()
        options += [option, value] if value else []
    for field, option in _EACH_WORD.items():
        for word in shlex.split(draft.get(field, "")):
            options += [option, word.removeprefix("#")]
    options += shlex.split(draft.get(MORE, ""))
    return (*options, *command.options, *command.words)


def shell_line(draft: Draft) -> str:
    """Return the command line that does the same; raises as `words_of` does."""
    return shlex.join((PROGRAM, "run", *words_of(draft)))


def is_empty(draft: Draft) -> bool:
    """Whether there is no command to start."""
    return not draft.get(COMMAND, "").strip()


def draft_like(run: Run) -> dict[str, str]:
    """Return the fields that start the same again; group and sweep belong to the old run alone."""
    spec = run.spec
    vram = spec.limits.gpu_min_free_vram_bytes
    minutes = "none" if spec.max_run_seconds is None else f"{spec.max_run_seconds / 60:g}"
    return {
        COMMAND: shlex.join(_without_interpreter(run)),
        "name": run.name,
        "minutes": minutes,
        "total": "" if spec.total_seconds is None else f"{spec.total_seconds / 60:g}",
        "gpus": "" if spec.gpus is None else str(spec.gpus),
        "vram": "" if vram == RunLimits().gpu_min_free_vram_bytes else f"{vram / MEGABYTE:g}",
        "priority": str(run.priority) if run.priority else "",
        "retries": str(spec.retries) if spec.retries else "",
        "tags": shlex.join(run.tags),
        MORE: shlex.join(_other_options(run)),
    }


def recent_drafts(runs: Iterable[Run]) -> list[Draft]:
    """Return drafts of the most recent runs, newest first, each command once."""
    drafts: dict[str, Draft] = {}
    for run in sorted(runs, key=lambda run: run.created_at, reverse=True)[: _MAX_RECENT * 2]:
        draft = draft_like(run)
        drafts.setdefault(draft[COMMAND], draft)
    return list(drafts.values())[:_MAX_RECENT]


def _without_interpreter(run: Run) -> tuple[str, ...]:
    """Return script and arguments without the interpreter that was chosen for it."""
    spec = run.spec
    if spec.script is None or spec.script not in spec.command:
        return spec.command
    return (spec.script, *spec.command[spec.command.index(spec.script) + 1 :])


def _other_options(run: Run) -> list[str]:
    """Return the options that have no field of their own."""
    spec = run.spec
    options = ["--cwd", spec.cwd]
    if spec.script is not None and spec.command[0] != spec.script and spec.python_origin is not None:
        options += ["--python", spec.command[0]]
    if spec.gpu_ids:
        options += ["--gpu-ids", ",".join(spec.gpu_ids)]
    if spec.framework != "auto":
        options += ["--framework", spec.framework]
    if spec.resume_arg is not None:
        options += ["--resume-arg", spec.resume_arg]
    for pattern in spec.checkpoint_globs:
        options += ["--checkpoint-glob", pattern]
    return options
