"""The fields of the New run dialog, and the words of `run` that they stand for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from backprop_tui.domain.limits import MEGABYTE, RunLimits
from backprop_tui.domain.run import Run
from backprop_tui.tui.new_run.command_line import PROGRAM, understood

Draft = Mapping[str, str]  # what stands in each field, by its name

COMMAND, MORE = "command", "more"
# Fields that are one option each, those that are an option for each word, and the letters their words may begin with.
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
FIELDS = (COMMAND, *_SINGLE, *_EACH_WORD, MORE)


def words_of(draft: Draft) -> tuple[str, ...]:
    """What follows `run`.

    Raises:
        ValueError: a quotation that does not end.
    """
    line = understood(draft.get(COMMAND, ""))
    options: list[str] = []
    for field, option in _SINGLE.items():
        value = draft.get(field, "").strip()
        options += [option, value] if value else []
    for field, option in _EACH_WORD.items():
        for word in shlex.split(draft.get(field, "")):
            options += [option, word.removeprefix("#")]
    options += shlex.split(draft.get(MORE, ""))
    return (*options, *line.options, *line.words)


def shell_line(draft: Draft) -> str:
    """The command that does the same; raises as `words_of`."""
    return shlex.join((PROGRAM, "run", *words_of(draft)))


def is_empty(draft: Draft) -> bool:
    """Whether there is anything to start."""
    return not draft.get(COMMAND, "").strip()


def draft_like(run: Run) -> dict[str, str]:
    """The fields that ask for the same again; group and sweep are those of the old run alone."""
    spec = run.spec
    vram = spec.limits.gpu_min_free_vram_bytes
    minutes = "none" if spec.max_run_seconds is None else f"{spec.max_run_seconds / 60:g}"
    return {
        COMMAND: shlex.join(_typed(run)),
        "name": run.name,
        "minutes": minutes,
        "total": "" if spec.total_seconds is None else f"{spec.total_seconds / 60:g}",
        "gpus": "" if spec.gpus is None else str(spec.gpus),
        "vram": "" if vram == RunLimits().gpu_min_free_vram_bytes else f"{vram / MEGABYTE:g}",
        "priority": str(run.priority) if run.priority else "",
        "retries": str(spec.retries) if spec.retries else "",
        "tags": shlex.join(run.tags),
        MORE: shlex.join(_more(run)),
    }


def _typed(run: Run) -> tuple[str, ...]:
    """Script and arguments without the interpreter that was found for it."""
    spec = run.spec
    if spec.script is None or spec.script not in spec.command:
        return spec.command
    return (spec.script, *spec.command[spec.command.index(spec.script) + 1 :])


def _more(run: Run) -> list[str]:
    """What has no field."""
    spec = run.spec
    found = ["--cwd", spec.cwd]
    if spec.script is not None and spec.command[0] != spec.script and spec.python_origin is not None:
        found += ["--python", spec.command[0]]
    if spec.gpu_ids:
        found += ["--gpu-ids", ",".join(spec.gpu_ids)]
    if spec.framework != "auto":
        found += ["--framework", spec.framework]
    if spec.resume_arg is not None:
        found += ["--resume-arg", spec.resume_arg]
    for pattern in spec.checkpoint_globs:
        found += ["--checkpoint-glob", pattern]
    return found
