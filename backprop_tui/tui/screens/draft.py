"""The fields of the New run dialog and the words of `run` that they stand for; command lines as people paste them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MEGABYTE, RunLimits
from backprop_tui.domain.objective import ObjectiveSource
from backprop_tui.domain.run import Run

_PROMPT = re.compile(r"^\s*[$>%#]\s+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_INTERPRETER = re.compile(r"(.*/)?python3?(\.\d+)?")
_SCRIPT_SUFFIXES = (".py", ".sh")
_FILE_URL = "file://"
PROGRAM = "backprop-tui"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCommand:
    """Options of `run` in the line itself, the script, and its arguments.

    Without a script the arguments are a whole command.
    """

    options: tuple[str, ...] = ()
    script: str | None = None
    arguments: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What follows the options of `run`."""
        if self.script is None:
            return ("--", *self.arguments) if self.arguments else ()
        return (self.script, *(("--", *self.arguments) if self.arguments else ()))


def join_lines(pasted: str) -> str:
    """Join lines, with or without a backslash at their ends, and drop a prompt."""
    lines = [line.strip().removesuffix("\\").strip() for line in pasted.splitlines()]
    return _PROMPT.sub("", " ".join(line for line in lines if line))


def parse_command(text: str) -> ParsedCommand:
    """Parses a command line.

    Raises:
        ValueError: a quotation is not closed.
    """
    words = [_path(word) for word in shlex.split(join_lines(text))]
    options: list[str] = []
    while words and _VARIABLE.match(words[0]):
        options += ["--env", words.pop(0)]
    if words[:2] == [PROGRAM, "run"]:
        return ParsedCommand(options=(*options, *words[2:]))
    return _parse_program(tuple(options), words)


def _parse_program(options: tuple[str, ...], words: Sequence[str]) -> ParsedCommand:
    if len(words) > 1 and _INTERPRETER.fullmatch(words[0]) and words[1].endswith(".py"):
        options = (*options, "--python", words[0]) if os.sep in words[0] else options
        words = words[1:]
    if not words:
        return ParsedCommand(options=options)
    if words[0].endswith(_SCRIPT_SUFFIXES) or os.sep in words[0]:
        arguments = words[2:] if words[1:2] == ["--"] else words[1:]
        return ParsedCommand(options=options, script=words[0], arguments=tuple(arguments))
    return ParsedCommand(options=options, arguments=tuple(words))


def _path(word: str) -> str:
    """Some terminals drop a file as a URL; a `~` is expanded as the shell would."""
    if word.startswith(_FILE_URL):
        return unquote(word.removeprefix(_FILE_URL))
    return os.path.expanduser(word) if word.startswith("~") else word


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
    """Returns the words that follow `run`.

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
    """Returns the command line that does the same; raises as `words_of` does."""
    return shlex.join((PROGRAM, "run", *words_of(draft)))


def is_empty(draft: Draft) -> bool:
    return not draft.get(COMMAND, "").strip()


def draft_like(run: Run) -> dict[str, str]:
    """Returns the fields that start the same again; group and sweep belong to the old run alone."""
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
    """Returns drafts of the most recent runs, newest first, each command once."""
    drafts: dict[str, Draft] = {}
    for run in sorted(runs, key=lambda run: run.created_at, reverse=True)[: _MAX_RECENT * 2]:
        draft = draft_like(run)
        drafts.setdefault(draft[COMMAND], draft)
    return list(drafts.values())[:_MAX_RECENT]


def _without_interpreter(run: Run) -> tuple[str, ...]:
    """Returns script and arguments without the interpreter that was chosen for it."""
    spec = run.spec
    if spec.script is None or spec.script not in spec.command:
        return spec.command
    return (spec.script, *spec.command[spec.command.index(spec.script) + 1 :])


def _other_options(run: Run) -> list[str]:
    spec = run.spec
    options = ["--cwd", spec.cwd]
    if spec.script is not None and spec.command[0] != spec.script and spec.python_origin is not None:
        options += ["--python", spec.command[0]]
    if spec.objective is not None and spec.objective.source is ObjectiveSource.OPTION:
        options += ["--objective", str(spec.objective)]
    if spec.gpu_ids:
        options += ["--gpu-ids", ",".join(spec.gpu_ids)]
    if spec.framework != "auto":
        options += ["--framework", spec.framework]
    if spec.resume_arg is not None:
        options += ["--resume-arg", spec.resume_arg]
    for pattern in spec.checkpoint_globs:
        options += ["--checkpoint-glob", pattern]
    return options
