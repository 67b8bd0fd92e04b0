"""The user's editor: $VISUAL, else $EDITOR, else vi."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

from backprop_tui.domain.word_set import word_set

# How editors take a line number.
_PLUS = word_set(
    "vi vim nvim view vim.basic vim.tiny ex nano pico emacs emacsclient micro joe jed kak ne mg mcedit gvim gedit"
)
_GOTO = word_set("code code-insiders codium vscodium cursor windsurf")
_COLON = word_set("hx helix subl zed")


class NoEditor(ValueError):
    """The variable of the editor cannot be read; the message says why."""


def editor_words(environment: Mapping[str, str]) -> Sequence[str]:
    """Returns the editor with its options.

    Raises:
        NoEditor: a quotation in the variable is not closed.
    """
    name = next((name for name in ("VISUAL", "EDITOR") if environment.get(name, "").strip()), None)
    try:
        return ["vi"] if name is None else shlex.split(environment[name])
    except ValueError as error:
        raise NoEditor(f"${name} cannot be read: {error}") from error


def editor_command(environment: Mapping[str, str], path: str, line: int) -> Sequence[str]:
    """Returns the words that open an absolute path at its line; an unknown editor gets only the file.

    Raises:
        NoEditor: as `editor_words`.
    """
    words = editor_words(environment)
    program = os.path.basename(words[0])
    if program in _PLUS:
        return [*words, f"+{line}", path]
    if program in _GOTO:
        return [*words, "--goto", f"{path}:{line}"]
    return [*words, f"{path}:{line}" if program in _COLON else path]
