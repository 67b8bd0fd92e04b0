"""The heading of the pane of a run or a group: the name, the tabs, and facts at the right end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events, on
from textual.message import Message

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip, clip_name, heading, pane_title, width_of
from backprop_tui.tui.widgets.line_widget import LineWidget


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class PaneHeading:
    """The name of the selected run or group, the titles of its tabs, and facts for the right end.

    `eta` is always shown, empty if it is unknown.
    """

    name: str
    facts: str
    tabs: Sequence[str]
    eta: Piece = Piece("")


def draw_selected_heading(view: PaneHeading | None, tab: int, width: int, glyphs: Glyphs, *, focused: bool) -> Line:
    """The name, the tabs, the ETA and, if there is room, id, attempt and slice; `tab` counts from 0."""
    if view is None:
        return heading([(2, [Piece("No run selected", Token.MUTED)])], width, glyphs, focused=focused)
    name = pane_title(_clipped_name(view, width, glyphs), focused=focused)
    tabs_at, titles = _tab_titles(view, tab, width, glyphs)
    tabs = _tabs(titles, tab)
    parts = [(2, name), (tabs_at, tabs)]
    eta = [view.eta] if view.eta.text else []
    facts = [Piece(clip(view.facts, 48, glyphs) + " · " * len(eta), Token.MUTED), *eta]
    end = next((end for end in (facts, eta) if width - width_of(end) - 2 > tabs_at + width_of(tabs) + 2), eta)
    if end:
        parts.append((width - width_of(end) - 2, end))
    return heading(parts, width, glyphs, focused=focused)


def _clipped_name(view: PaneHeading, width: int, glyphs: Glyphs) -> str:
    return clip_name(view.name, max(8, width // 3), glyphs)


def _tab_titles(view: PaneHeading, chosen: int, width: int, glyphs: Glyphs) -> tuple[int, list[str]]:
    """Where the tabs begin, and their titles; there is room for the first ones, the chosen one always has its title."""
    at = 2 + cell_len(_clipped_name(view, width, glyphs)) + 2
    room = width - at - 1 - sum(map(_tab_cells, [""] * len(view.tabs)))
    room -= cell_len(view.eta.text) + 3 if view.eta.text else 0
    titles = [""] * len(view.tabs)
    for index in sorted(range(len(titles)), key=lambda index: index != chosen):
        room -= len(view.tabs[index]) + 1
        if room >= 0 or index == chosen:
            titles[index] = view.tabs[index]
    return at, titles


def _tab_cells(title: str) -> int:
    return len(title) + 4 if title else 3


def _tabs(titles: Sequence[str], chosen: int) -> list[Piece]:
    pieces: list[Piece] = []
    for index, title in enumerate(titles):
        if index == chosen:
            pieces.append(Piece(f" {index + 1} {title} ", Token.FG, bold=True, chosen=True))
        else:
            pieces += [Piece(f" {index + 1} ", Token.ACCENT), *([Piece(f"{title} ", Token.MUTED)] if title else [])]
    return pieces


def tab_at(view: PaneHeading | None, tab: int, column: int, width: int, glyphs: Glyphs) -> int | None:
    if view is None:
        return None
    at, titles = _tab_titles(view, tab, width, glyphs)
    for index, size in enumerate(map(_tab_cells, titles)):
        if at <= column < at + size:
            return index
        at += size
    return None


class SelectedHeading(LineWidget):
    """The heading; a click on a tab chooses it."""

    ALLOW_SELECT = False  # a drag moves the rule

    class TabClicked(Message):
        """A tab was clicked, counted from 0."""

        def __init__(self, tab: int) -> None:
            super().__init__()
            self.tab = tab

    view: PaneHeading | None = None
    tab = 0

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        tab = tab_at(self.view, self.tab, event.x, self.size.width, self.glyphs)
        if tab is not None:
            self.post_message(self.TabClicked(tab))
