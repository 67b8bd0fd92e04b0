"""The user's editor, started at a line of a file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

from backprop_tui.domain.word_set import word_set
from backprop_tui.tui.log.places import Place

_PLUS = word_set(
    "vi vim nvim view vim.basic vim.tiny ex nano pico emacs emacsclient micro joe jed kak ne mg mcedit gvim gedit"
)
_GOTO = word_set("code code-insiders codium vscodium cursor windsurf")
_COLON = word_set("hx helix subl zed")


class NoEditor(Exception):
    """No editor is set, or what is set cannot be read."""


def editor_command(environment: Mapping[str, str], place: Place) -> Sequence[str]:
    """Returns the words that open an absolute path at its line; an unknown editor gets only the file.

    Raises:
        NoEditor: with a sentence that says what to do.
    """
    name = next((name for name in ("VISUAL", "EDITOR") if environment.get(name, "").strip()), None)
    try:
        words = ["vi"] if name is None else shlex.split(environment[name])
    except ValueError as error:
        raise NoEditor(f"${name} cannot be read: {error}") from error
    program = os.path.basename(words[0])
    if program in _PLUS:
        return [*words, f"+{place.line}", place.path]
    if program in _GOTO:
        return [*words, "--goto", f"{place.path}:{place.line}"]
    return [*words, f"{place.path}:{place.line}" if program in _COLON else place.path]
