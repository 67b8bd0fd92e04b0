"""What a script is started with: arguments, environment, and its own flag for resuming from a checkpoint."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from backprop_tui.domain.checkpoint_names import parse_checkpoint_name
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.run import Run, Spec

# The original tool passed these to every script. A strict argparse script fails on an unknown flag, so a script gets
# only those that its own source mentions.
RESUME_FLAG = "--resume-from"
ORIGINAL_FLAGS = ("--run-id", "--max-minutes", "--framework", "--checkpoint-every-seconds", RESUME_FLAG)


def find_original_flags(source: str) -> tuple[str, ...]:
    """Returns the flags of the original tool that appear as quoted strings in a script's source."""
    return tuple(flag for flag in ORIGINAL_FLAGS if f'"{flag}"' in source or f"'{flag}'" in source)


def script_command_line(run: Run) -> tuple[str, ...]:
    added = [word for flag, value in _original_flags(run) for word in (flag, value)]
    return (*run.spec.command, *added, *_resume_arguments(run))


def added_options(run: Run) -> tuple[str, ...]:
    """The options that this program adds to the command line on its own account, not those of `--resume-arg`."""
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
    # Split first: a path with a space stays one word.
    return [word.replace("{path}", path).replace("{step}", str(step)) for word in shlex.split(template)]


def resume_step(run: Run, path: str | None = None) -> int | None:
    """Returns the step of the checkpoint to resume from; None if it is not known.

    `path` is that checkpoint; without it, the newest attempt's. Raises UsageError if `{step}` in the resume arguments
    needs a step that is not known.
    """
    path = run.attempt.resumed_from if path is None else path
    if path is None:
        return None
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
    options = [word.partition("=")[0] for word in (template or "").split()]
    return None if set(options) & set(spec.refused_options) else template


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
        "BACKPROP_RESUME_FROM": run.attempt.resumed_from,
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


# Flags that take a checkpoint path, the most explicit first: from the examples of Hugging Face and accelerate, from
# Lightning, fairseq, pytorch/examples and timm.
_FLAGS = (
    "--resume_from_checkpoint",
    "--resume-from-checkpoint",
    "--resume_from",
    "--resume-path",
    "--resume_path",
    "--restore-file",
    "--restore_file",
    "--ckpt_path",
    "--ckpt-path",
    "--resume",
)
_CALL = r"(?:add_argument|click\.option)\("
_NAME = r"\s*['\"](-[^'\"\n]{0,80})['\"]\s{0,80}(?:,|$)"
_MAX_DEFINITION_LENGTH = 2_000
_MAX_DEFINITIONS = 1_000
_SWITCH = r"store_true|is_flag\s*=\s*True|BooleanOptionalAction"
_TRUTH = r"type\s*=\s*(?:\w+\.)?\w*bool\w*"
_MAY_BE_BARE = r"nargs\s*=\s*['\"]\?"
_NO_PATH = r"choices\s*=|store_false|type\s*=\s*(?:int|float)\b"


def resume_template(source: str) -> str | None:
    """Returns the arguments to add, with `{path}` for the checkpoint; None if the source defines no known option."""
    # The source alone does not say which subcommand an option belongs to.
    definitions = {} if "add_subparsers(" in source else dict(_option_definitions(source))
    for flag in _FLAGS:
        if flag in definitions and re.search(_NO_PATH, definitions[flag]) is None:
            return _flag_template(flag, definitions[flag])
    return _framework_template(source)


def _flag_template(flag: str, definition: str) -> str:
    """The flag with a path, or alone if it is a switch: then the script finds the checkpoint by itself."""
    if re.search(_SWITCH, definition) is not None:
        return flag
    if re.search(_TRUTH, definition) is not None:
        return flag if re.search(_MAY_BE_BARE, definition) is not None else f"{flag} True"
    return f"{flag} {{path}}"


def _option_definitions(source: str) -> Iterator[tuple[str, str]]:
    """Each option that the source defines and the arguments of its definition; commented-out lines are skipped."""
    for call in islice(re.finditer(_CALL, source), _MAX_DEFINITIONS):
        line = source[source.rfind("\n", 0, call.start()) + 1 : call.start()]
        if line.lstrip().startswith("#"):
            continue
        call_arguments = _call_arguments(source[call.end() : call.end() + _MAX_DEFINITION_LENGTH])
        position = 0
        while (name := re.compile(_NAME).match(call_arguments, position)) is not None:
            position = name.end()
            yield name[1], call_arguments


def _call_arguments(text: str) -> str:
    """The text up to the closing parenthesis of a call whose opening one comes just before `text`."""
    depth = 1
    for parenthesis in re.finditer(r"[()]", text):
        depth += 1 if parenthesis[0] == "(" else -1
        if depth == 0:
            return text[: parenthesis.start()]
    return ""


def _framework_template(source: str) -> str | None:
    """For frameworks that define the option on behalf of the script."""
    if "HfArgumentParser" in source and "TrainingArguments" in source and "resume_from_checkpoint" in source:
        return "--resume_from_checkpoint {path}"
    if re.search(r"\bLightningCLI\(", source) is not None:
        return "--ckpt_path {path}"
    if re.search(r"^init_from\s*=\s*['\"]", source, re.MULTILINE) is not None and "configurator.py" in source:
        return "--init_from=resume"  # nanoGPT finds the checkpoint in its out_dir
    if re.search(r"^(?:from|import) megatron\b", source, re.MULTILINE) is not None and "pretrain(" in source:
        return "--load {path}"
    return None


def program_resume_template(command: Sequence[str]) -> str | None:
    """Returns the resume arguments of a framework's own program; None if the program is not a known one."""
    program = os.path.basename(command[0]) if command else ""
    return "--restore-file {path}" if program in ("fairseq-train", "fairseq-hydra-train") else None


def find_script(command: Sequence[str]) -> str | None:
    """Returns the first Python script of a launcher's command line (torchrun, accelerate); None if there is none."""
    for word in command[1:]:
        if word.endswith(".py") and not word.startswith("-"):
            return word
        if word in ("-c", "&&", ";", "|"):
            return None
    return None
