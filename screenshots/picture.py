"""Renders a screen as SVG, cell by cell; lines, blocks and braille are drawn as shapes, so that no font shifts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from rich.cells import cell_len
from rich.color import ColorType
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.strip import Strip

CELL_WIDTH, CELL_HEIGHT = 10.0, 20.0
_FONT_ADVANCE = 0.60205  # width of a character of DejaVu Sans Mono, relative to the font size
FONT_SIZE = CELL_WIDTH / _FONT_ADVANCE
_BASELINE = 15.0
_FRAME, _TITLE_ROW = 12.0, 34.0
_THIN, _THICK, _DOT = 1.2, 3.0, 1.35
_HORIZONTAL = {"─": ((0, 1), _THIN), "━": ((0, 1), _THICK), "╸": ((0, 0.5), _THICK), "╴": ((0, 0.5), _THIN)}
_VERTICAL = {"│": (0.5,), "║": (0.35, 0.65)}
# The directions of the lines in corners and crossings: left, right, up, down.
_ARMS = {"╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu", "┤": "lud", "├": "rud"}
_ARMS |= {"┴": "lru", "┬": "lrd", "┼": "lrud"}
# The part of a cell that a block character fills: left, top, width, height.
_BLOCKS = {"█": (0, 0, 1, 1), "▌": (0, 0, 0.5, 1), "▐": (0.5, 0, 0.5, 1), "▀": (0, 0, 1, 0.5), "▄": (0, 0.5, 1, 0.5)}
_BLOCKS |= {chr(0x2588 + eighths): (0, 0, 1 - eighths / 8, 1) for eighths in range(1, 8)}
_BLOCKS |= {"▔": (0, 0, 1, 0.125), "▁": (0, 0.875, 1, 0.125)}
_BRAILLE = 0x2800
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # column and row of each bit


class Picture:
    """Collects the shapes and texts of one screen; the theme provides the colors of text without a color."""

    def __init__(self, theme: TerminalTheme) -> None:
        self._theme = theme
        self._shapes: list[str] = []
        self._texts: list[str] = []

    def svg(self, rows: Sequence[Iterable[Strip]], columns: int, *, title: str) -> str:
        """Returns all rows in the frame of a window."""
        for row, strips in enumerate(rows):
            column = 0
            for text, style, _ in (segment for strip in strips for segment in strip):
                self._text(text, style or Style.null(), column, row)
                column += cell_len(text)
        width = columns * CELL_WIDTH + 2 * _FRAME
        height = len(rows) * CELL_HEIGHT + _TITLE_ROW + _FRAME
        back = self._theme.background_color.hex
        lights = "".join(
            f'<circle cx="{20 + 18 * index}" cy="17" r="6" fill="{colour}"/>'
            for index, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
            f' height="{height:g}" font-family="DejaVu Sans Mono, monospace" font-size="{FONT_SIZE:.3f}">'
            f'<rect width="100%" height="100%" rx="9" fill="#2b2f36"/>{lights}'
            f'<text x="50%" y="22" text-anchor="middle" fill="#8b93a0" font-size="14">{escape(title)}</text>'
            f'<g transform="translate({_FRAME:g} {_TITLE_ROW:g})">'
            f'<rect width="{columns * CELL_WIDTH:g}" height="{len(rows) * CELL_HEIGHT:g}" fill="{back}"/>'
            f'<g shape-rendering="crispEdges">{"".join(self._shapes)}</g>{"".join(self._texts)}</g></svg>\n'
        )

    def _text(self, text: str, style: Style, column: int, row: int) -> None:
        fore, back = self._colours(style)
        if back is not None:
            self._rect(column, row, (0, 0, cell_len(text), 1), back)
        letters, start = "", column
        for character in text:
            is_shape = self._draw_shape(character, column, row, fore)
            if is_shape or not character.isascii():
                self._append_text(letters, start, row, fore, style)
                if not is_shape:
                    self._append_text(character, column, row, fore, style)
                letters, start = "", column + cell_len(character)
            else:
                letters += character
            column += cell_len(character)
        self._append_text(letters, start, row, fore, style)

    def _colours(self, style: Style) -> tuple[str, str | None]:
        theme = self._theme
        fore, back = style.color, style.bgcolor
        front = theme.foreground_color if fore is None else fore.get_truecolor(theme, foreground=True)
        behind = theme.background_color if back is None else back.get_truecolor(theme, foreground=False)
        plain = back is None or back.type is ColorType.DEFAULT
        if style.reverse:
            return behind.hex, front.hex
        if style.dim:
            front = type(front)(*((first + second) // 2 for first, second in zip(front, behind, strict=True)))
        return front.hex, None if plain else behind.hex

    def _append_text(self, text: str, column: int, row: int, colour: str, style: Style) -> None:
        if not text.strip():
            return
        blanks = len(text) - len(text.lstrip(" "))
        x, y = (column + blanks) * CELL_WIDTH, row * CELL_HEIGHT + _BASELINE
        weight = ' font-weight="bold"' if style.bold else ""
        weight += ' font-style="italic"' if style.italic else ""
        weight += ' text-decoration="underline"' if style.underline else ""
        content = escape(text.strip(" "))
        self._texts.append(f'<text x="{x:g}" y="{y:g}" fill="{colour}"{weight} xml:space="preserve">{content}</text>')

    def _draw_shape(self, character: str, column: int, row: int, colour: str) -> bool:
        """Draws a character that is a shape; returns False for letters."""
        if character in _HORIZONTAL:
            (start, end), thick = _HORIZONTAL[character]
            self._rect(column, row, (start, 0.5 - thick / 2 / CELL_HEIGHT, end - start, thick / CELL_HEIGHT), colour)
        elif character in _VERTICAL:
            for middle in _VERTICAL[character]:
                thick = _THIN if character == "│" else 2.0
                self._rect(column, row, (middle - thick / 2 / CELL_WIDTH, 0, thick / CELL_WIDTH, 1), colour)
        elif character in _ARMS:
            for arm in _ARMS[character]:
                self._arm(arm, column, row, colour)
        elif character in _BLOCKS:
            self._rect(column, row, _BLOCKS[character], colour)
        elif 0 < ord(character) - _BRAILLE < 0x100:
            self._braille(ord(character) - _BRAILLE, column, row, colour)
        else:
            return False
        return True

    def _arm(self, arm: str, column: int, row: int, colour: str) -> None:
        wide, high = _THIN / CELL_WIDTH, _THIN / CELL_HEIGHT
        left, top = 0.5 - wide / 2, 0.5 - high / 2
        arms = {"l": (0, top, 0.5 + wide / 2, high), "r": (left, top, 0.5 + wide / 2, high)}
        arms |= {"u": (left, 0, wide, 0.5 + high / 2), "d": (left, top, wide, 0.5 + high / 2)}
        self._rect(column, row, arms[arm], colour)

    def _braille(self, bits: int, column: int, row: int, colour: str) -> None:
        for bit, (across, down) in enumerate(_DOTS):
            if bits >> bit & 1:
                x = (column + 0.25 + 0.5 * across) * CELL_WIDTH
                y = (row + 0.125 + 0.25 * down) * CELL_HEIGHT
                self._texts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{_DOT}" fill="{colour}"/>')

    def _rect(self, column: int, row: int, part: tuple[float, float, float, float], colour: str) -> None:
        left, top, width, height = part
        x, y = (column + left) * CELL_WIDTH, (row + top) * CELL_HEIGHT
        wide, high = width * CELL_WIDTH, height * CELL_HEIGHT
        self._shapes.append(f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" fill="{colour}"/>')
