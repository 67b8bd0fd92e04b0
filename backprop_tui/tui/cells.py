"""Fits text into terminal cells: clips, pads and wraps it, and drops whole clauses of sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from backprop_tui.tui.glyphs import Glyphs


def clip(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, cut with an ellipsis at its end if it is too wide."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + glyphs.clipped


def clip_middle(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, cut in its middle if it is too wide: a path keeps both ends."""
    if cell_len(text) <= width:
        return text
    if width < 5:
        return clip(text, width, glyphs)
    tail = (width - 1) * 2 // 3
    head = width - 1 - tail
    return set_cell_size(text, head) + glyphs.clipped + _last_cells(text, tail)


def clip_with_path(text: str, width: int, glyphs: Glyphs) -> str:
    """As `clip`, but a path at the end of the text is cut in its middle, so that its file name stays."""
    before, blank, path = text.rpartition(" ")
    room = width - cell_len(before + blank)
    if "/" not in path or room < 12:
        return clip(text, width, glyphs)
    return before + blank + clip_middle(path, room, glyphs)


def _last_cells(text: str, width: int) -> str:
    end = ""
    for character in reversed(text):
        if cell_len(character + end) > width:
            break
        end = character + end
    return end + " " * (width - cell_len(end))


def shortened(text: str, width: int, glyphs: Glyphs) -> str:
    """A sentence that loses its final brackets, then the parts after commas, and only then letters."""
    if cell_len(text) > width and text.endswith(")") and " (" in text:
        text = text.rpartition(" (")[0]
    while cell_len(text) > width and ", " in text:
        text = text.rpartition(", ")[0]
    return clip(text, width, glyphs)


def wrapped(text: str, width: int) -> list[str]:
    """The text wrapped between words, later rows indented by two; a word that is too long is not broken."""
    rows: list[str] = []
    row = ""
    for word in text.split(" "):
        longer = f"{row} {word}" if row.strip() else row + word
        if row.strip() and cell_len(longer) > width:
            rows.append(row)
            row = f"  {word}"
        else:
            row = longer
    return [*rows, row]


def left(text: str, width: int, glyphs: Glyphs) -> str:
    """Clipped, or padded on its right."""
    clipped = clip(text, width, glyphs)
    return clipped + " " * (width - cell_len(clipped))


def right(text: str, width: int, glyphs: Glyphs) -> str:
    """Clipped, or padded on its left."""
    clipped = clip(text, width, glyphs)
    return " " * (width - cell_len(clipped)) + clipped


def joined_clauses(clauses: Sequence[str], width: int, glyphs: Glyphs, *, wide: bool = False) -> tuple[str, str]:
    """The leading clauses that fit, and "+2 more" for the others, else "".

    The first one is always there, shortened if it does not fit. `wide` puts more space between clauses.
    """
    between = f"  {glyphs.between}  " if wide else f" {glyphs.between} "
    for count in range(len(clauses), 0, -1):
        left_out = len(clauses) - count
        more = f"+{left_out} more" if left_out else ""
        text = between.join(clauses[:count])
        needed = cell_len(text) + (cell_len(more) + 2 if more else 0)
        if needed <= width:
            return text, more
    return (shortened(clauses[0], width, glyphs), "") if clauses else ("", "")
