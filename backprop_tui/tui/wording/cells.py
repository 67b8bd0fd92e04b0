"""Text measured in terminal cells: padded, clipped, and sentences that lose whole clauses rather than letters."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from backprop_tui.tui.wording.glyphs import Glyphs


def clip(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, or as much of it as fits with an ellipsis behind it."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + glyphs.clipped


def clip_middle(text: str, width: int, glyphs: Glyphs) -> str:
    """A path keeps its two ends."""
    if cell_len(text) <= width:
        return text
    if width < 5:
        return clip(text, width, glyphs)
    tail = (width - 1) * 2 // 3
    head = width - 1 - tail
    return set_cell_size(text, head) + glyphs.clipped + _last_cells(text, tail)


def clip_with_path(text: str, width: int, glyphs: Glyphs) -> str:
    """As `clip`; of a path at the end of the text the name of the file is what tells, so it loses its middle."""
    words, blank, path = text.rpartition(" ")
    room = width - cell_len(words + blank)
    if "/" not in path or room < 12:
        return clip(text, width, glyphs)
    return words + blank + clip_middle(path, room, glyphs)


def _last_cells(text: str, width: int) -> str:
    end = ""
    for character in reversed(text):
        if cell_len(character + end) > width:
            break
        end = character + end
    return end + " " * (width - cell_len(end))


def shortened(text: str, width: int, glyphs: Glyphs) -> str:
    """A sentence that drops what stands in brackets at its end, then behind its last comma, and only then letters."""
    if cell_len(text) > width and text.endswith(")") and " (" in text:
        text = text.rpartition(" (")[0]
    while cell_len(text) > width and ", " in text:
        text = text.rpartition(", ")[0]
    return clip(text, width, glyphs)


def wrapped(text: str, width: int) -> list[str]:
    """Broken between words, the later rows indented by two; a word that is too long stays whole."""
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
    """Clipped, or filled up with blanks at its right."""
    clipped = clip(text, width, glyphs)
    return clipped + " " * (width - cell_len(clipped))


def right(text: str, width: int, glyphs: Glyphs) -> str:
    """Clipped, or filled up with blanks at its left."""
    clipped = clip(text, width, glyphs)
    return " " * (width - cell_len(clipped)) + clipped


def joined_clauses(clauses: Sequence[str], width: int, glyphs: Glyphs, *, wide: bool = False) -> tuple[str, str]:
    """As many clauses as fit, and what is said of the others: "" or "+2 more".

    The first one is always there, shortened where even it does not fit. `wide` sets the clauses further apart.
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
