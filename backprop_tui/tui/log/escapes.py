r"""Parses a log line into spans of styled text: SGR sequences set the style, all other escapes are removed.

Sequences are those of ECMA-48. `\b` moves the cursor back, tab stops are at every eighth column, and of the states
that `\r` separates only the last one is shown. Every line starts without attributes, even if the previous line did not
reset them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from rich.cells import cell_len

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import indices_after_backspaces, sanitize

TAB_COLUMNS = 8
TRUECOLOR = 1 << 24  # added to 0xRRGGBB; below are the 256 numbered colors

# SGR, then any other CSI; the string sequences (OSC, DCS, SOS, PM, APC) up to their terminator or the end of the line;
# the short ones. Each may start with its one-byte introducer of the C1 set instead. A sequence that is cut off at the
# end of the line is removed as well.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)(?P<sgr>[0-9;:]*)m"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_PLAIN = re.compile(r"[\x20-\x7e]*")
_OVERWRITTEN = re.compile(rb"^[^\n]*\r(?=[^\r\n])", re.MULTILINE)
_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
_FLAGS_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Sgr:
    """Attributes of text; a color is 0 to 255, or `TRUECOLOR` + 0xRRGGBB; None is the terminal's default."""

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
    """Text of one style; `is_match` highlights it as the match of a search."""

    text: str
    sgr: Sgr = PLAIN
    is_match: bool = False


def decode_line(content: bytes, *, whole: bool) -> str:
    """Decodes UTF-8 with replacement; unless the line is `whole`, an incomplete character at its end is left out."""
    if whole:
        return content.decode("utf-8", "replace")
    for cut in range(1, min(4, len(content) + 1)):
        lead = content[-cut]
        if lead >= 0xC0:
            length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return content[: -cut if cut < length else None].decode("utf-8", "replace")
        if lead < 0x80:
            break
    return content.decode("utf-8", "replace")


def parse_spans(text: str) -> tuple[Span, ...]:
    r"""Parses a line without its terminator and without `\r`."""
    if _PLAIN.fullmatch(text):
        return (Span(text),) if text else ()
    parts = _split_by_style(text)
    if "\b" in text:
        parts = _visible_letters(parts)
    spans: list[Span] = []
    column = 0
    for raw, sgr in parts:
        part = _expand_tabs(raw, column)
        column += cell_len(part)
        if not part:
            continue
        if spans and spans[-1].sgr == sgr:
            spans[-1] = Span(spans[-1].text + part, sgr)
        else:
            spans.append(Span(part, sgr))
    return tuple(spans)


def plain_text(spans: tuple[Span, ...]) -> str:
    return "".join(span.text for span in spans)


def copied_text(content: bytes) -> str:
    """A line as it was printed, without anything that a terminal would interpret; tabs remain."""
    text = _ESCAPES.sub("", content.decode("utf-8", "replace"))
    return "\t".join(plain_text(parse_spans(part)) for part in text.split("\t"))


def plain_lines(content: bytes) -> str:
    r"""The text of many lines at once, as it is shown except for tabs and `\b`; each `\n` remains."""
    if b"\r" in content:
        content = _OVERWRITTEN.sub(b"", content).replace(b"\r", b"")
    text = content.decode("utf-8", "replace")
    return text if text.isascii() and "\x1b" not in text else _ESCAPES.sub("", text)


def _split_by_style(text: str) -> list[tuple[str, Sgr]]:
    parts: list[tuple[str, Sgr]] = []
    sgr, position = PLAIN, 0
    for match in _ESCAPES.finditer(text):
        if match.start() > position:
            parts.append((text[position : match.start()], sgr))
        position = match.end()
        if match["sgr"] is not None:
            sgr = _apply_sgr(sgr, match["sgr"])
    parts.append((text[position:], sgr))
    return parts


def _expand_tabs(text: str, column: int) -> str:
    if "\t" not in text:
        return sanitize(text)
    expanded = ""
    for index, part in enumerate(text.split("\t")):
        if index:
            expanded += " " * (TAB_COLUMNS - (column + cell_len(expanded)) % TAB_COLUMNS)
        expanded += sanitize(part)
    return expanded


def _visible_letters(parts: list[tuple[str, Sgr]]) -> list[tuple[str, Sgr]]:
    letters = [(letter, sgr) for text, sgr in parts for letter in text]
    return [letters[index] for index in indices_after_backspaces("".join(text for text, _ in parts))]


def _apply_sgr(sgr: Sgr, parameters: str) -> Sgr:
    """The attributes after one SGR sequence; unknown parameters are ignored."""
    groups = [[int(number or 0) for number in part[:64].split(":")] for part in parameters[:512].split(";")]
    index = 0
    while index < len(groups):
        code, *rest = groups[index]
        index += 1
        if code in (38, 48):
            if not rest:
                rest = [group[0] for group in groups[index : index + 4]]
                index += {5: 2, 2: 4}.get(rest[0] if rest else 0, 0)
                colour = _extended_colour(rest)
            else:
                colour = _extended_colour([rest[0], *rest[-3:]] if rest[0] == 2 else rest)
            if colour is not None:
                sgr = replace(sgr, fg=colour) if code == 38 else replace(sgr, bg=colour)
        else:
            sgr = _apply_code(sgr, code)
    return sgr


def _apply_code(sgr: Sgr, code: int) -> Sgr:
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


def _extended_colour(parameters: list[int]) -> int | None:
    """The color given after 38 or 48: 5 and its number, or 2 and red, green, blue."""
    match parameters:
        case [5, number, *_] if number < 256:
            return number
        case [2, red, green, blue, *_] if max(red, green, blue) < 256:
            return TRUECOLOR + (red << 16) + (green << 8) + blue
        case _:
            return None
