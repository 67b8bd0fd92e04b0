"""Text from outside made harmless: no escape sequence, control character or direction mark of it reaches a terminal."""

from __future__ import annotations

import re
import unicodedata

# ECMA-48: CSI, then the string sequences (OSC, DCS, SOS, PM, APC) up to their terminator or the end, then the others;
# each also by its one-byte introducer of the C1 set.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)?"
    r"|\x1b[ -/]*[0-~]?"
)
_PLAIN = re.compile(r"[\x20-\x7e]*")
_SPACES = {"\t": " ", "\n": " ", "\r": " ", "\x0b": " ", "\x0c": " ", "\x85": " ", "\u2028": " ", "\u2029": " "}
# Cc controls, Cf formats (direction marks, zero widths), Co private use, Cs lone surrogates, Cn unassigned.
_HARMFUL = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_STRANGE = "\ufffd"


def neutral(text: str) -> str:
    """One line of text that a terminal only shows."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_harmless, _ESCAPES.sub("", text)))


def _harmless(character: str) -> str:
    if character in _SPACES:
        return _SPACES[character]
    category = unicodedata.category(character)
    if category not in _HARMFUL:
        return character
    return "" if category == "Cf" else _STRANGE


def neutral_or_none(text: object) -> str | None:
    """As `neutral`, of a field that may be missing."""
    return None if text is None else neutral(str(text))
