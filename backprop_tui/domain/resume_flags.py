"""How a script's own command line is told to go on from a checkpoint, as its source says it.

Only what the source defines is used: a strict script dies of a flag that it does not know. `--resume-arg` beats it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice

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
_CALL = r"(?:add_argument|click\.option)\("
_NAME = r"\s*['\"](-[^'\"\n]{0,80})['\"]\s{0,80}(?:,|$)"
_LONGEST = 2_000  # characters of a definition
_MOST = 1_000  # definitions that are looked at
_SWITCH = r"store_true|is_flag\s*=\s*True|BooleanOptionalAction"
_TRUTH = r"type\s*=\s*(?:\w+\.)?\w*bool\w*"
_MAY_BE_BARE = r"nargs\s*=\s*['\"]\?"
_NO_PATH = r"choices\s*=|store_false|type\s*=\s*(?:int|float)\b"


def resume_template(source: str) -> str | None:
    """The arguments to add, `{path}` where the checkpoint goes; None where the source defines none that is known."""
    # Which of several commands a flag belongs to is not told by its source alone.
    defined = {} if "add_subparsers(" in source else dict(_defined(source))
    for flag in _FLAGS:
        if flag in defined and re.search(_NO_PATH, defined[flag]) is None:
            return _used(flag, defined[flag])
    return _by_framework(source)


def _used(flag: str, definition: str) -> str:
    """The flag with a path, or alone where it is a switch: then the script finds the checkpoint by itself."""
    if re.search(_SWITCH, definition) is not None:
        return flag
    if re.search(_TRUTH, definition) is not None:
        return flag if re.search(_MAY_BE_BARE, definition) is not None else f"{flag} True"
    return f"{flag} {{path}}"


def _defined(source: str) -> Iterator[tuple[str, str]]:
    """Every option that the source defines, with the rest of its definition; what is commented out defines none."""
    for found in islice(re.finditer(_CALL, source), _MOST):
        line = source[source.rfind("\n", 0, found.start()) + 1 : found.start()]
        if line.lstrip().startswith("#"):
            continue
        inside = _inside(source[found.end() : found.end() + _LONGEST])
        place = 0
        while (name := re.compile(_NAME).match(inside, place)) is not None:
            place = name.end()
            yield name[1], inside


def _inside(text: str) -> str:
    """Up to the parenthesis that closes what was open before."""
    depth = 1
    for found in re.finditer(r"[()]", text):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return text[: found.start()]
    return ""


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
