"""The meanings of colours, the colours of run states, and pieces of coloured text."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from backprop_tui.domain.status import Status
from backprop_tui.presentation.run_line import Tone


class Token(StrEnum):
    """What a colour means; themes give each a colour, and a word or a glyph always says the same."""

    FG = "fg"
    MUTED = "muted"
    FAINT = "faint"
    RULE = "rule"
    ACCENT = "accent"
    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    INFO = "info"
    VIOLET = "violet"


class Piece(NamedTuple):
    """Text of one colour; `chosen` marks the chosen tab or row."""

    text: str
    token: Token = Token.FG
    bold: bool = False
    chosen: bool = False


Line = tuple[Piece, ...]

STATE_TOKENS: dict[str, Token] = {
    Status.RUNNING.value: Token.OK,
    Status.STARTING.value: Token.OK,
    Status.PAUSED.value: Token.WARN,
    Status.STOPPING.value: Token.WARN,
    Status.QUEUED.value: Token.INFO,
    Status.COMPLETED.value: Token.MUTED,
    Status.TIMEBOXED.value: Token.VIOLET,
    Status.STOPPED.value: Token.MUTED,
    Status.FAILED.value: Token.BAD,
    Status.LOST.value: Token.BAD,
}
TONE_TOKENS = {
    Tone.PLAIN: Token.FG,
    Tone.MUTED: Token.MUTED,
    Tone.INFO: Token.INFO,
    Tone.WARNING: Token.WARN,
}
