"""The colours a script chose, made readable on the background of the theme."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.style import Style

from backprop_tui.domain.values import dataclass
from backprop_tui.tui.log.escapes import TRUECOLOR, Sgr

# WCAG 2.2: 4.5 for text. A colour with less is mixed with that of the text.
LEAST_CONTRAST = 4.5
_MIXES = (0.2, 0.4, 0.6, 0.8)
_CUBE = (0, 95, 135, 175, 215, 255)  # levels of xterm's colours 16 to 231

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """`named` are the colours 0 to 15; `is_native` leaves all colours to the terminal, which alone knows them."""

    named: tuple[Color, ...]
    foreground: Color | None
    background: Color | None
    is_native: bool = False
    is_plain: bool = False  # no colours at all


@lru_cache(maxsize=512)
def style_of(sgr: Sgr, palette: Palette) -> Style:
    """The look of a span."""
    fg, bg = _colours(sgr, palette)
    swapped = sgr.reverse and (palette.is_plain or palette.is_native)
    return Style(
        color=fg,
        bgcolor=bg,
        bold=sgr.bold or None,
        dim=(sgr.dim and palette.is_native) or None,
        italic=sgr.italic or None,
        underline=sgr.underline or None,
        strike=sgr.strike or None,
        reverse=swapped or None,
    )


def _colours(sgr: Sgr, palette: Palette) -> tuple[Color | None, Color | None]:
    """Of the text and behind it."""
    if palette.is_plain:
        return None, None
    if palette.is_native:
        fg = None if sgr.fg is None else _native(sgr.fg)
        return fg or palette.foreground, palette.background if sgr.bg is None else _native(sgr.bg)
    fg = palette.foreground if sgr.fg is None else _colour(sgr.fg, palette)
    if sgr.dim and sgr.fg is None:
        fg = palette.named[8]
    bg = palette.background if sgr.bg is None else _colour(sgr.bg, palette)
    if sgr.reverse and bg is not None:
        fg, bg = bg, fg
    return (fg if fg is None or bg is None else _readable(fg, bg)), bg


def _native(number: int) -> Color:
    return Color.from_rgb(*_rgb(number)) if number >= TRUECOLOR else Color.from_ansi(number)


def _colour(number: int, palette: Palette) -> Color:
    return palette.named[number] if number < 16 else Color.from_rgb(*_rgb(number))


def _rgb(number: int) -> Rgb:
    """Of a colour that has no name."""
    if number >= TRUECOLOR:
        return number >> 16 & 255, number >> 8 & 255, number & 255
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    place = number - 16
    return _CUBE[place // 36 % 6], _CUBE[place // 6 % 6], _CUBE[place % 6]


def _readable(fg: Color, bg: Color) -> Color:
    """The colour, or the first mixture with black or white that has contrast enough."""
    under, over = _triplet(bg), _triplet(fg)
    if contrast(over, under) >= LEAST_CONTRAST:
        return fg
    ends: tuple[Rgb, Rgb] = ((0, 0, 0), (255, 255, 255))
    end = max(ends, key=lambda one: contrast(one, under))
    for share in _MIXES:
        mixed = tuple(round(a + (b - a) * share) for a, b in zip(over, end, strict=True))
        if contrast((mixed[0], mixed[1], mixed[2]), under) >= LEAST_CONTRAST:
            return Color.from_rgb(*mixed)
    return Color.from_rgb(*end)


def _triplet(colour: Color) -> Rgb:
    found = colour.get_truecolor()
    return found.red, found.green, found.blue


def contrast(one: Rgb, other: Rgb) -> float:
    """The ratio of two colours' luminances; see WCAG 2.2, contrast ratio."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
