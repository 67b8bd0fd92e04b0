"""Parse a command line as people paste it: with a prompt, variables, an interpreter, or a dropped file."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from urllib.parse import unquote

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

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
    """Parse a command line.

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
