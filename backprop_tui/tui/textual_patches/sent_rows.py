"""Sends only the cells that look different from what the terminal shows; upstream knows no issue for this.

Textual sends every row of a widget that may have changed. Opening a dialog takes several layouts, each of which sends
the whole screen again: seconds over a slow line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, groupby, pairwise, repeat
from operator import ne
from typing import Any

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.control import Control
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate  # private to Textual
from textual.strip import Strip

_BRIDGED = 6  # equal cells that are sent again: to move the cursor over them takes as many bytes

Look = tuple[str, str, str]  # the codes of attributes, foreground and background
Cell = tuple[str, Look]  # the second half of a wide character has no text
Piece = tuple[int, int, Strip]  # row, first column, cells
_PLAIN: Look = ("", "", "")
_UNKNOWN: Cell = ("", _PLAIN)


class SentRows:
    """What the terminal shows, as far as it is known."""

    def __init__(self) -> None:
        self._rows: dict[int, Strip | list[Cell]] = {}  # as cells from the first change on: the first paint is urgent
        self._look = _PLAIN  # what the terminal writes in

    def forget(self) -> None:
        """Nothing is known any more: something else may have written to the terminal."""
        self._rows.clear()

    def changes(self, update: RenderableType | None) -> Any:  # noqa: ANN401 - Textual's updates are no renderables
        """Returns an update without what the terminal shows at the moment when it is sent."""
        return Changes(self, update) if isinstance(update, LayoutUpdate | ChopsUpdate) else update

    def send_all(self, pieces: Iterable[Piece], console: Console) -> str:
        """Returns the sequences that show pieces of rows, and notes that they are sent.

        Codes of attributes and colors are most of what is sent, so each piece goes on with those of the one before.
        """
        return "".join(self._send(piece, console) for piece in pieces) + self._change_look(_PLAIN)

    def _send(self, piece: Piece, console: Console) -> str:
        y, x, strip = piece
        row = self._rows.get(y)
        if row is None:
            if x == 0:
                self._rows[y] = strip
            return self._change_look(_PLAIN) + Control.move_to(x, y).segment.text + strip.render(console)
        system = console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001 - as Textual finds it
        if isinstance(row, Strip):
            row = self._rows[y] = _cells(row, system)
        cells = _cells(strip, system)
        row += [_UNKNOWN] * (x + len(cells) - len(row))
        before = row[x : x + len(cells)]
        row[x : x + len(cells)] = cells
        return "".join(
            Control.move_to(x + start, y).segment.text + self._text(cells[start:stop])
            for start, stop in _changed(before, cells)
        )

    def _text(self, cells: Sequence[Cell]) -> str:
        return "".join(
            self._change_look(look) + "".join(text for text, _ in group)
            for look, group in groupby(cells, key=lambda cell: cell[1])
        )

    def _change_look(self, look: Look) -> str:
        """The codes for what differs from the cells before."""
        shown, self._look = self._look, look
        is_reset = shown[0] not in ("", look[0]) or any(old and not new for old, new in zip(shown, look, strict=True))
        known = _PLAIN if is_reset else shown
        codes = ["0"] * is_reset + [new for old, new in zip(known, look, strict=True) if new != old]
        return f"\x1b[{';'.join(codes)}m" if codes else ""


class Changes(CompositorUpdate):
    """What an update changes on the terminal."""

    def __init__(self, sent: SentRows, update: LayoutUpdate | ChopsUpdate) -> None:
        self._sent, self.update = sent, update

    def render_segments(self, console: Console) -> str:
        return self._sent.send_all(_pieces(self.update), console)


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[Piece]:
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, update.region.x, Strip.join(strips)
    else:
        for y, x1, x2 in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is not None and x < x2 and end > x1:
                    start, stop = max(x, x1), min(end, x2)
                    yield y, start, strip.crop(start - x, stop - x)


def _cells(strip: Strip, system: ColorSystem) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, _ in strip:
        look = _PLAIN if style is None else _look(style, system)
        cells += zip(text if text.isascii() else _by_cell(text), repeat(look))
    return cells


@lru_cache(4096)
def _by_cell(text: str) -> Sequence[str]:
    """What is in each cell; marks and joined characters stay together, in the first cell of the text."""
    sizes = list(map(cell_len, text))
    parts = [(text, cell_len(text))] if 0 in sizes else zip(text, sizes, strict=True)
    return [cell for part, size in parts for cell in (part, *[""] * (size - 1))[:size]]


@lru_cache(4096)
def _look(style: Style, system: ColorSystem) -> Look:
    attributes = style.without_color.render("x", color_system=system).partition("x")[0]
    colors = [
        () if color is None else color.downgrade(system).get_ansi_codes(foreground=foreground)
        for color, foreground in ((style.color, True), (style.bgcolor, False))
    ]
    return attributes.removeprefix("\x1b[").removesuffix("m"), ";".join(colors[0]), ";".join(colors[1])


def _changed(before: Sequence[Cell], now: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """The stretches of cells that differ; those with only a few equal ones between them are one."""
    differing = list(compress(range(len(now)), map(ne, before, now)))
    if differing:
        gaps = [(left, right) for left, right in pairwise(differing) if right - left > _BRIDGED]
        begins, ends = [differing[0], *[right for _, right in gaps]], [*[left for left, _ in gaps], differing[-1]]
        for begin, end in zip(begins, ends, strict=True):
            whole = next(index for index in range(begin, -1, -1) if now[index][0])  # not the second half of a character
            yield whole, end + 1
