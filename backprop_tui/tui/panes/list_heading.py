"""The heading of the list of runs: its title with counts, filter and order, and the names of the columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip, heading, pane_title, width_of
from backprop_tui.tui.panes.run_list import RunListView

_TIMES = ("since:", "until:", "ended:")
_LEAST_FILTER = 4  # cells of it in the title
_BESIDE_TITLE = 3  # cells: two before it, and a blank after it
COLUMNS = "columns"  # the key of that number in the heading


class Head(NamedTuple):
    """The name of a column in the heading: the key that it sorts by, the text, and its first cell."""

    key: str
    text: str
    at: int

    def marked(self, mark: str) -> Head:
        return self._replace(text=self.text + mark)


def sort_mark(sort: RunSort | None, key: str, glyphs: Glyphs) -> str:
    """Which way the runs are sorted by a column; nothing for another column."""
    if sort is None or sort.key != key:
        return ""
    return glyphs.descending if sort.largest_first else glyphs.ascending


class Heading(NamedTuple):
    """The title of a list, and the names of the columns beside it."""

    title: Sequence[Piece]
    heads: Sequence[Head]

    def draw(self, view: RunListView, width: int, glyphs: Glyphs, *, focused: bool) -> Line:
        parts: list[tuple[int, Sequence[Piece]]] = [(2, self.title)]
        for key, text, at in self.heads:
            is_sorted = view.sort is not None and view.sort.key == key
            parts.append((at, [Piece(text, Token.ACCENT if is_sorted else Token.MUTED, bold=is_sorted)]))
        return heading(parts, width, glyphs, focused=focused)

    def key_at(self, x: int) -> str | None:
        return next((key for key, text, at in self.heads if at <= x < at + cell_len(text)), None)


def list_title(view: RunListView, heads: Sequence[Head], width: int, glyphs: Glyphs, *, focused: bool) -> list[Piece]:
    """`Runs 41 of 500  ▴ 3 ▾ 28  /nano`, the order if it is by a column that is not shown, and what is alike in all.

    It leaves the columns their headings. A long filter takes the place of what is scrolled out, then of the total.
    """
    title, order = pane_title("Runs", focused=focused), _order(view, heads, glyphs)
    first = min((head.at for head in heads if head.key != "name"), default=width)
    room = first - _BESIDE_TITLE - width_of(title) - width_of(order)
    scrolled_out = ((glyphs.ascending, view.above), (glyphs.descending, view.below))
    arrows = " ".join(f"{arrow} {rows}" for arrow, rows in scrolled_out if rows)
    count = f" {view.shown if view.filter else view.total}"
    with_total = f"{count} of {view.total}" if view.filter else count
    words, counts, arrows = view.filter.split(), (with_total, count), f"  {arrows}" if arrows else ""
    if words and cell_len(f"{with_total}{arrows}  /{' '.join(words)}") > room:
        words = sorted(words, key=lambda word: word.startswith(_TIMES))  # times go first where there is no room
        count, arrows = max(counts, key=lambda text: len(_fitting(words, room - cell_len(f"{text} /")))), ""
    else:
        count = with_total
    if view.total:
        title += [Piece(count, Token.MUTED), Piece(arrows, Token.ACCENT)]
        room -= cell_len(f"{count}{arrows}")
    if words:
        gap = "  " if cell_len(f"  /{' '.join(words)}") <= room else " "
        text = f"{gap}/{_words_in(words, max(_LEAST_FILTER, room - cell_len(gap) - 1), glyphs)}"
        title.append(Piece(text, Token.WARN))
        room -= cell_len(text)
    alike = [sanitize(word) for word in view.same if word not in words]
    if alike and cell_len(f"  all {alike[0]} {glyphs.clipped}") <= room:
        title.append(Piece(f"  all {_words_in(alike, room - 6, glyphs)}", Token.MUTED))
    return [*title, *order]


def title_cells(view: RunListView) -> int:
    """Where the first heading could be beside a title with the whole filter and all that is alike; 0 without both."""
    words = view.filter.split()
    alike = [sanitize(word) for word in view.same if word not in words]
    if not words and not alike:
        return 0
    filtered = f"  /{' '.join(words)}" if words else ""
    same = f"  all {' '.join(alike)}" if alike else ""
    return cell_len(f"Runs {view.shown} of {view.total}{filtered}{same}") + _BESIDE_TITLE


def _order(view: RunListView, heads: Sequence[Head], glyphs: Glyphs) -> list[Piece]:
    """What the list is sorted by, if no heading says so."""
    if view.sort is None or any(head.key == view.sort.key for head in heads):
        return []
    field = view.column(view.sort.key)
    word = view.sort.key if field is None else field.words
    return [Piece(f"  by {word}{sort_mark(view.sort, view.sort.key, glyphs)}", Token.ACCENT)]


def _words_in(words: Sequence[str], cells: int, glyphs: Glyphs) -> str:
    """The first of these words that fit, with a mark if there are more: `nano since:7d …`."""
    fitting = _fitting(words, cells)
    if len(fitting) == len(words):
        return " ".join(words)
    return " ".join([*fitting, glyphs.clipped]) if fitting else clip(" ".join(words), cells, glyphs)


def _fitting(words: Sequence[str], cells: int) -> Sequence[str]:
    """The first of these words that fit beside a mark for the others, if there are any."""
    if cell_len(" ".join(words)) <= cells:
        return words
    return next((words[:end] for end in range(len(words), 0, -1) if cell_len(" ".join(words[:end])) + 2 <= cells), ())


def place_heads(title: Sequence[Piece], heads: Sequence[Head], left_out: int, width: int) -> Heading:
    """The heads that the title leaves room for: that of the names moves behind a long title.

    Behind it stands how many columns have no room.
    """
    end = 2 + width_of(title)
    others = [head for head in heads if head.key != "name" and head.at > end]
    limit = min((head.at for head in others), default=width)
    placed: list[Head] = []
    counts = (f"+{counted(left_out, 'column')}", f"+{left_out}") if left_out else ()
    for head in [*(head for head in heads if head.key == "name"), *(Head(COLUMNS, text, 0) for text in counts)]:
        at = head.at if head.at > end else end + 2
        if at + cell_len(head.text) < limit and not any(other.key == head.key for other in placed):
            placed.append(head._replace(at=at))
            end = at + cell_len(head.text)
    return Heading(title, [*placed, *others])
