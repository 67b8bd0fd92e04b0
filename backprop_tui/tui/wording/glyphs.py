"""The characters the dashboard draws with, in Unicode and in ASCII: each one cell wide in every terminal."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.values import dataclass


class Curves(StrEnum):
    """What curves are drawn with: eight dots a cell, four quarters of one, or letters and words."""

    BRAILLE = "braille"
    BLOCKS = "blocks"
    ASCII = "ascii"


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One set. `states` is by the word people see; `unicode` says whether more than ASCII may be drawn."""

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
        """The glyph of a state; a blank for a word that is none."""
        return self.states.get(word, " ")


UNICODE = Glyphs(
    states={
        "running": "►",
        "starting": "▹",
        "paused": "║",
        "stopping": "▫",
        "queued": "◦",
        "held": "◌",
        "waiting": "◌",
        "holding": "◌",
        "done": "✓",
        "open": "✓",
        "timeboxed": "◔",
        "stopped": "▪",
        "failed": "✗",
        "lost": "?",
        "no supervisor": "?",
        "held by you": "║",
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
        "queued": ".",
        "held": "o",
        "waiting": "o",
        "holding": "o",
        "done": "+",
        "open": "+",
        "timeboxed": "@",
        "stopped": "#",
        "failed": "X",
        "lost": "?",
        "no supervisor": "?",
        "held by you": "=",
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
