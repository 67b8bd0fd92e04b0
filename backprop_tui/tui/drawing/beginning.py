"""The first minute: what stands where no run does yet."""

from __future__ import annotations

from backprop_tui.tui.view.beginning import BeginningView
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import joined_clauses, wrapped
from backprop_tui.tui.wording.glyphs import Glyphs

_KEY = 8
_SHELL = "backprop-tui run train.py -m 60 -- --lr 3e-4"
_NO_CHANGE = "Your script needs no change: steps, losses and checkpoints are read from what it prints."


def draw_beginning(view: BeginningView, width: int, glyphs: Glyphs) -> list[Line]:
    """Ways, the shell line, what was checked."""
    indent = " " * max(1, min(18, width // 16))
    room = width - len(indent) - 1
    lines: list[Line] = [(), (Piece(f"{indent}Nothing here yet. Three ways to begin:", bold=True),), ()]
    for key, words in view.ways:
        for place, row in enumerate(wrapped(words, room - _KEY)):
            lines.append(
                (Piece(indent + f"{'' if place else key:<{_KEY}}", Token.ACCENT, bold=True), Piece(row.strip()))
            )
    lines.append(())
    if room < len(_SHELL) + 14:
        lines += [(Piece(f"{indent}From a shell:", Token.MUTED),), (Piece(f"{indent}{_SHELL}"),)]
    else:
        lines.append((Piece(f"{indent}From a shell:  ", Token.MUTED), Piece(_SHELL)))
    lines += [(Piece(indent + row.strip(), Token.MUTED),) for row in wrapped(_NO_CHANGE, room)]
    if view.checked:
        words, _ = joined_clauses([*view.checked, "backprop-tui doctor checks more"], room - 9, glyphs)
        lines += [(), (Piece(f"{indent}Checked: {words}", Token.MUTED),)]
    return lines


def draw_no_match(wanted: str, width: int) -> list[Line]:
    """The filter leaves nothing."""
    indent = " " * max(1, min(18, width // 16))
    said = Piece(f"{indent}Nothing matches /{wanted}. ", Token.MUTED)
    return [(), (said, Piece("esc", Token.ACCENT, bold=True), Piece(" clears.", Token.MUTED))]
