"""Removes escape sequences, control characters and direction marks from foreign text before a terminal shows it."""

from __future__ import annotations

import codecs
import re
from functools import cache

_SPACES = {"\t": " ", "\n": " ", "\r": " ", "\x0b": " ", "\x0c": " ", "\x85": " ", "\u2028": " ", "\u2029": " "}
# Cc controls, Cf formats (direction marks, zero widths), Co private use, Cs lone surrogates, Cn unassigned.
_HARMFUL = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_REPLACEMENT = "\ufffd"
_KEPT = ("\n", "\r", "\t")  # of a script's output
_MAX_SEQUENCE = 4096  # characters of an escape sequence that are held back


def sanitize(text: str) -> str:
    """One line of text without anything that a terminal would interpret."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_sanitized_character, _escape_pattern().sub("", text)))


def sanitize_lines(text: str, *, keep_bytes: bool = False) -> str:
    """The same for a text of several lines; `keep_bytes`: bytes that are no UTF-8 stay, too."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    parts = re.split("(\n|[\udc80-\udcff]+)" if keep_bytes else "(\n)", text)
    return "".join(part if index % 2 else sanitize(part) for index, part in enumerate(parts))


class OutputFilter:
    """What a script printed as a terminal may get it: text, line ends and colors, nothing else.

    It takes pieces that may end anywhere, also inside a character or an escape sequence.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""  # an escape sequence that may go on with the next piece

    def pass_on(self, piece: bytes, *, final: bool = False) -> bytes:
        is_whole = not self._held and not self._decoder.getstate()[0]
        if is_whole and piece.isascii() and re.fullmatch(rb"[\n\r\t -~]*", piece):
            return piece
        text = self._held + self._decoder.decode(piece, final)
        end = len(text)
        last_line = max(text.rfind("\n"), text.rfind("\r")) + 1
        for match in _escape_pattern().finditer(text, max(last_line, end - _MAX_SEQUENCE)):
            end = match.start() if match.end() == len(text) and not final else len(text)
        self._held = text[end:]
        return "".join(map(_line_part, re.split("([\n\r\t])", text[:end]))).encode()


def _line_part(part: str) -> str:
    """A part of a line, or the end of one, with its colors."""
    if part in _KEPT:
        return part
    pieces = _escape_pattern().split(part)  # what is between the sequences
    colors = [text if re.fullmatch(r"\x1b\[[0-9;:]*m", text) else "" for text in _escape_pattern().findall(part)]
    return "".join(sanitize(piece) + color for piece, color in zip(pieces, [*colors, ""], strict=True))


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
    import unicodedata  # only if a text needs it

    category = unicodedata.category(character)
    if category not in _HARMFUL:
        return character
    return "" if category == "Cf" else _REPLACEMENT
