"""The meanings of colour, and pieces of text that carry one."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Token(StrEnum):
    """What a colour says; a theme gives each a colour, and a word or a glyph always stands beside it."""

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
    """Text of one colour; `chosen` is a tab or row that is picked out."""

    text: str
    token: Token = Token.FG
    bold: bool = False
    chosen: bool = False


Line = tuple[Piece, ...]
