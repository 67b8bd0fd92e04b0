"""How a script's own command line is told to go on from a checkpoint, as its source says it.

Only what the source defines is used: a strict script dies of a flag that it does not know. `--resume-arg` beats it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

# Flags that take a path to go on from, those that say so most clearly first: of Hugging Face's and accelerate's
# examples, Lightning, fairseq, pytorch/examples and timm.
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
_NAMES = r"(?:['\"]-[^'\"\n]*['\"]\s*(?:,\s*)?)+"
_REST = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))*"
_DEFINED = rf"(?:add_argument|click\.option)\(\s*({_NAMES})({_REST})\)"
_SWITCH = r"store_true|is_flag\s*=\s*True|BooleanOptionalAction|type\s*=\s*(?:bool|str2bool)\b"
_NO_PATH = r"choices\s*=|store_false|type\s*=\s*(?:int|float)\b"


def resume_template(source: str) -> str | None:
    """The arguments to add, `{path}` where the checkpoint goes; None where the source defines none that is known."""
    defined = dict(_defined(source))
    for flag in _FLAGS:
        if flag not in defined or re.search(_NO_PATH, defined[flag]) is not None:
            continue
        # A switch finds the checkpoint by itself.
        return flag if re.search(_SWITCH, defined[flag]) is not None else f"{flag} {{path}}"
    return _by_framework(source)


def _defined(source: str) -> Iterator[tuple[str, str]]:
    """Every option that the source defines, with the rest of its definition."""
    for found in re.finditer(_DEFINED, source):
        for name in re.findall(r"['\"](--[^'\"\n]+)['\"]", found[1]):
            yield name, found[2]


def _by_framework(source: str) -> str | None:
    """Frameworks that define the flag for the script."""
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
    """Of a command line whose program is a framework's own; None where it is none that is known."""
    program = os.path.basename(command[0]) if command else ""
    return "--restore-file {path}" if program in ("fairseq-train", "fairseq-hydra-train") else None


def script_among(command: Sequence[str]) -> str | None:
    """The first Python script of a command line, whose arguments stand at its end: of torchrun, accelerate and such."""
    for word in command[1:]:
        if word.endswith(".py") and not word.startswith("-"):
            return word
        if word in ("-c", "&&", ";", "|"):
            return None
    return None
