"""Finds, in a script's source, the command line option with which it resumes from a checkpoint.

Only options that the source defines are used, because a strict script fails on an unknown flag. `--resume-arg` takes
precedence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice

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


def template_of_program(command: Sequence[str]) -> str | None:
    """Returns the resume arguments of a framework's own program; None if the program is not a known one."""
    program = os.path.basename(command[0]) if command else ""
    return "--restore-file {path}" if program in ("fairseq-train", "fairseq-hydra-train") else None


def script_among(command: Sequence[str]) -> str | None:
    """Returns the first Python script of a launcher's command line (torchrun, accelerate); None if there is none."""
    for word in command[1:]:
        if word.endswith(".py") and not word.startswith("-"):
            return word
        if word in ("-c", "&&", ";", "|"):
            return None
    return None
