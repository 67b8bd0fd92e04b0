r"""A line of a log as spans of text with colours: of all escape sequences only SGR has an effect, none survives.

Sequences are those of ECMA-48; `\b` moves the cursor back, tabs stand at each eighth column, and of the states that
`\r` separates the last one is shown. Every line begins without attributes, whatever the line before left on.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from rich.cells import cell_len

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.values import dataclass

TAB_COLUMNS = 8
TRUECOLOR = 1 << 24  # added to 0xRRGGBB; below are the 256 numbered colours

# SGR first, then any CSI; the string sequences (OSC, DCS, SOS, PM, APC) up to their terminator or the end of the line;
# the short ones. Each also by its one-byte introducer of the C1 set. What is cut off at the end is dropped as well.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)(?P<sgr>[0-9;:]*)m"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_PLAIN = re.compile(r"[\x20-\x7e]*")
_OVERWRITTEN = re.compile(rb"^[^\n]*\r(?=[^\r\n])", re.MULTILINE)
_BACKSPACES = re.compile("(\x08+)")
_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
_FLAGS_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sgr:
    """Attributes of text; a colour is 0 to 255, or `TRUECOLOR` + 0xRRGGBB, None is that of the terminal."""

    fg: int | None = None
    bg: int | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False


PLAIN = Sgr()


class Span(NamedTuple):
    """Text of one look; `found` where a search is to show it."""

    text: str
    sgr: Sgr = PLAIN
    found: bool = False


def decoded(content: bytes, *, whole: bool) -> str:
    """UTF-8 with replacement; where the line still grows, a character that is cut off at the end waits."""
    if whole:
        return content.decode("utf-8", "replace")
    for cut in range(1, min(4, len(content) + 1)):
        lead = content[-cut]
        if lead >= 0xC0:
            wanted = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return content[: -cut if cut < wanted else None].decode("utf-8", "replace")
        if lead < 0x80:
            break
    return content.decode("utf-8", "replace")


def spans_of(text: str) -> tuple[Span, ...]:
    r"""A line without terminator, and without `\r`."""
    if _PLAIN.fullmatch(text):
        return (Span(text),) if text else ()
    parts = list(_attributed(text))
    if "\b" in text:
        parts = _overwritten(parts)
    spans: list[Span] = []
    column = 0
    for raw, sgr in parts:
        part = _harmless(raw, column)
        column += cell_len(part)
        if not part:
            continue
        if spans and spans[-1].sgr == sgr:
            spans[-1] = Span(spans[-1].text + part, sgr)
        else:
            spans.append(Span(part, sgr))
    return tuple(spans)


def text_of(spans: tuple[Span, ...]) -> str:
    """The letters alone."""
    return "".join(span.text for span in spans)


def plain_lines(content: bytes) -> str:
    r"""Many lines at once as they are shown, but for tabs and `\b`: each `\n` stays what it is."""
    if b"\r" in content:
        content = _OVERWRITTEN.sub(b"", content).replace(b"\r", b"")
    text = content.decode("utf-8", "replace")
    return text if text.isascii() and "\x1b" not in text else _ESCAPES.sub("", text)


def _attributed(text: str) -> list[tuple[str, Sgr]]:
    parts: list[tuple[str, Sgr]] = []
    sgr, at = PLAIN, 0
    for found in _ESCAPES.finditer(text):
        if found.start() > at:
            parts.append((text[at : found.start()], sgr))
        at = found.end()
        if found["sgr"] is not None:
            sgr = _after(sgr, found["sgr"])
    parts.append((text[at:], sgr))
    return parts


def _harmless(text: str, column: int) -> str:
    """Tabs widened from a column on, everything else that is no visible character neutralised."""
    if "\t" not in text:
        return sanitize(text)
    widened = ""
    for place, part in enumerate(text.split("\t")):
        if place:
            widened += " " * (TAB_COLUMNS - (column + cell_len(widened)) % TAB_COLUMNS)
        widened += sanitize(part)
    return widened


def _overwritten(parts: list[tuple[str, Sgr]]) -> list[tuple[str, Sgr]]:
    r"""A `\b` erases nothing: what is not written over stays."""
    written: list[tuple[str, Sgr]] = []
    cursor = 0
    for text, sgr in parts:
        for part in _BACKSPACES.split(text):
            if part.startswith("\b"):
                cursor = max(0, cursor - len(part))
            else:
                written[cursor : cursor + len(part)] = [(letter, sgr) for letter in part]
                cursor += len(part)
    return written


def _after(sgr: Sgr, parameters: str) -> Sgr:
    """The attributes after one SGR sequence; parameters that mean nothing here are passed over."""
    numbers = [[int(one or 0) for one in part[:64].split(":")] for part in parameters[:512].split(";")]
    place = 0
    while place < len(numbers):
        code, *rest = numbers[place]
        place += 1
        if code in (38, 48):
            if not rest:
                rest = [group[0] for group in numbers[place : place + 4]]
                place += {5: 2, 2: 4}.get(rest[0] if rest else 0, 0)
                colour = _colour(rest)
            else:
                colour = _colour([rest[0], *rest[-3:]] if rest[0] == 2 else rest)
            if colour is not None:
                sgr = replace(sgr, fg=colour) if code == 38 else replace(sgr, bg=colour)
        else:
            sgr = _simple(sgr, code)
    return sgr


def _simple(sgr: Sgr, code: int) -> Sgr:
    if code == 0:
        return PLAIN
    if code in _FLAGS:
        return replace(sgr, **{_FLAGS[code]: True})
    if code in _FLAGS_OFF:
        return replace(sgr, **dict.fromkeys(_FLAGS_OFF[code], False))
    if 30 <= code <= 37 or 90 <= code <= 97:
        return replace(sgr, fg=code - 30 if code < 90 else code - 82)
    if 40 <= code <= 47 or 100 <= code <= 107:
        return replace(sgr, bg=code - 40 if code < 100 else code - 92)
    if code == 39:
        return replace(sgr, fg=None)
    return replace(sgr, bg=None) if code == 49 else sgr


def _colour(parameters: list[int]) -> int | None:
    """The colour behind 38 or 48: 5 and its number, or 2 and red, green, blue."""
    match parameters:
        case [5, number, *_] if number < 256:
            return number
        case [2, red, green, blue, *_] if max(red, green, blue) < 256:
            return TRUECOLOR + (red << 16) + (green << 8) + blue
        case _:
            return None
