"""The characters that the dashboard draws with, in Unicode and in ASCII, each one cell wide; and bars made of them."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass


class Curves(StrEnum):
    """How curves are drawn: with eight dots a cell, with quarter blocks, or with letters and words."""

    BRAILLE = "braille"
    BLOCKS = "blocks"
    ASCII = "ascii"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One set of characters. `states` has the glyph of each state of a run and of the governor."""

    states: dict[str, str]
    bar_full: str
    bar_half: str
    bar_track: str
    rule: str
    rule_focused: str
    start: str
    start_spent: str
    group_open: str
    group_shut: str
    cursor: str
    mark: str
    checkpoint: str
    best: str
    clipped: str
    between: str
    divider: str
    following: str
    times: str
    unicode: bool
    curves: Curves

    def state(self, word: str) -> str:
        """The glyph of a state, a blank for an unknown one."""
        return self.states.get(word, " ")


UNICODE = Glyphs(
    states={
        "running": "►",
        "starting": "▹",
        "paused": "║",
        "stopping": "▫",
        "queued": "◌",
        "completed": "✓",
        "timeboxed": "◔",
        "stopped": "▪",
        "failed": "✗",
        "lost": "?",
        "open": "✓",
        "waiting": "◌",
        "held": "║",
        "conservative": "!",
    },
    bar_full="━",
    bar_half="╸",
    bar_track="─",
    rule="─",
    rule_focused="━",
    start="▪",
    start_spent="▫",
    group_open="▾",
    group_shut="▸",
    cursor="▌",
    mark="✱",
    checkpoint="◆",
    best="★",
    clipped="…",
    between="·",
    divider="│",
    following="▾",
    times="×",
    unicode=True,
    curves=Curves.BRAILLE,
)

ASCII = Glyphs(
    states={
        "running": ">",
        "starting": "}",
        "paused": "=",
        "stopping": "s",
        "queued": "o",
        "completed": "+",
        "timeboxed": "@",
        "stopped": "#",
        "failed": "X",
        "lost": "?",
        "open": "+",
        "waiting": "o",
        "held": "=",
        "conservative": "!",
    },
    bar_full="#",
    bar_half="#",
    bar_track=".",
    rule="-",
    rule_focused="=",
    start="#",
    start_spent=".",
    group_open="v",
    group_shut=">",
    cursor="|",
    mark="*",
    checkpoint="o",
    best="*",
    clipped="~",
    between="-",
    divider="|",
    following="v",
    times="x",
    unicode=False,
    curves=Curves.ASCII,
)


def bar(fraction: float | None, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """The filled part and the empty track of a bar, together `width` cells, in steps of half a cell.

    None is an empty bar. A value above 0 fills at least half a cell, one below 1 leaves at least half a cell empty.
    """
    if fraction is None or width <= 0:
        return "", glyphs.bar_track * max(0, width)
    halves = round(max(0.0, min(1.0, fraction)) * width * 2)
    if fraction > 0:
        halves = max(1, halves)
    if fraction < 1:
        halves = min(width * 2 - 1, halves)
    full, half = divmod(halves, 2)
    filled = glyphs.bar_full * full + (glyphs.bar_half if half else "")
    return filled, glyphs.bar_track * (width - len(filled))


def start_tokens(free: float, burst: int, glyphs: Glyphs) -> tuple[str, str]:
    """The glyphs of the start tokens that are left, and of those that are spent, eight in all at most."""
    drawn = min(burst, 8)
    left = max(0, min(drawn, int(free + 1e-9)))
    return glyphs.start * left, glyphs.start_spent * (drawn - left)
