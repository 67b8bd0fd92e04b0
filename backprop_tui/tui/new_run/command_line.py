"""A command line as people paste it: with a prompt, variables, an interpreter, a dropped path; made into words."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from urllib.parse import unquote

from backprop_tui.domain.values import dataclass

_PROMPT = re.compile(r"^\s*[$>%#]\s+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_INTERPRETER = re.compile(r"(.*/)?python3?(\.\d+)?")
_SCRIPTS = (".py", ".sh")
_FILE_URL = "file://"
PROGRAM = "backprop-tui"


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """Options that the line itself holds, the script (None: the arguments are a whole command), its arguments."""

    options: tuple[str, ...] = ()
    script: str | None = None
    arguments: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What follows the options of `run`."""
        if self.script is None:
            return ("--", *self.arguments) if self.arguments else ()
        return (self.script, *(("--", *self.arguments) if self.arguments else ()))


def joined(pasted: str) -> str:
    """Several lines as one, where a backslash ends them or not; a prompt before it goes."""
    lines = [line.strip().removesuffix("\\").strip() for line in pasted.splitlines()]
    return _PROMPT.sub("", " ".join(line for line in lines if line))


def understood(text: str) -> Understood:
    """What the line asks for.

    Raises:
        ValueError: a quotation that does not end.
    """
    words = [_path(word) for word in shlex.split(joined(text))]
    options: list[str] = []
    while words and _VARIABLE.match(words[0]):
        options += ["--env", words.pop(0)]
    if words[:2] == [PROGRAM, "run"]:
        return Understood(options=(*options, *words[2:]))
    return _program(tuple(options), words)


def _program(options: tuple[str, ...], words: Sequence[str]) -> Understood:
    if len(words) > 1 and _INTERPRETER.fullmatch(words[0]) and words[1].endswith(".py"):
        options = (*options, "--python", words[0]) if os.sep in words[0] else options
        words = words[1:]
    if not words:
        return Understood(options=options)
    if words[0].endswith(_SCRIPTS) or os.sep in words[0]:
        arguments = words[2:] if words[1:2] == ["--"] else words[1:]
        return Understood(options=options, script=words[0], arguments=tuple(arguments))
    return Understood(options=options, arguments=tuple(words))


def _path(word: str) -> str:
    """A dropped file is a URL in some terminals; `~` is what the shell would make of it."""
    if word.startswith(_FILE_URL):
        return unquote(word.removeprefix(_FILE_URL))
    return os.path.expanduser(word) if word.startswith("~") else word
