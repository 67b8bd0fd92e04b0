"""Removes escape sequences, control characters and direction marks from foreign text before a terminal shows it."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_SPACES = {"\t": " ", "\n": " ", "\r": " ", "\x0b": " ", "\x0c": " ", "\x85": " ", "\u2028": " ", "\u2029": " "}
# Cc controls, Cf formats (direction marks, zero widths), Co private use, Cs lone surrogates, Cn unassigned.
_HARMFUL = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_REPLACEMENT = "\ufffd"


def sanitize(text: str) -> str:
    """One line of text without anything that a terminal would interpret."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_sanitized_character, _escape_pattern().sub("", text)))


def indices_after_backspaces(text: str) -> list[int]:
    """The indices of the characters that a terminal shows.

    A backspace moves the cursor without erasing: characters that are not overwritten stay.
    """
    cells: list[int] = []
    cursor = 0
    for match in _backspace_pattern().finditer(text):
        if match["backspaces"]:
            cursor = max(0, cursor - len(match[0]))
        else:
            cells[cursor : cursor + len(match[0])] = range(*match.span())
            cursor += len(match[0])
    return cells


@cache
def _backspace_pattern() -> re.Pattern[str]:
    return re.compile("(?P<backspaces>\x08+)|[^\x08]+")


@cache  # compiled when first needed: a short command seldom needs it
def _escape_pattern() -> re.Pattern[str]:
    # ECMA-48: CSI, the string sequences (OSC, DCS, SOS, PM, APC) up to their terminator or the end, then the others;
    # each may also start with its one-byte introducer from the C1 set.
    return re.compile(
        r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
        r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)?"
        r"|\x1b[ -/]*[0-~]?"
    )


def _sanitized_character(character: str) -> str:
    if character in _SPACES:
        return _SPACES[character]
    category = unicodedata.category(character)
    if category not in _HARMFUL:
        return character
    return "" if category == "Cf" else _REPLACEMENT
