"""The footer: the keys that apply now, the most likely ones first, and the key for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.tui.lines import LineBuilder, ends, width_of
from backprop_tui.tui.tokens import Line, Piece, Token

_ALL_KEYS = (Piece("?", Token.ACCENT, bold=True), Piece(" all keys ", Token.MUTED))


def draw_footer(keys: Sequence[tuple[str, str]], width: int, *, note: str = "", all_keys: bool = True) -> Line:
    """A note, then keys with a word each, as many as fit; with `all_keys` the key of the help at the end."""
    builder = LineBuilder()
    builder.put(" ")
    if note:
        builder.put(note, Token.WARN).put("   ")
    room = width - width_of(_ALL_KEYS) - 2
    for place, (key, word) in enumerate(keys):
        gap = "   " if place else ""
        if builder.column + len(gap) + len(key) + len(word) + 1 > room:
            break
        builder.put(gap).put(key, Token.ACCENT, bold=True).put(f" {word}", Token.MUTED)
    if width < 24 or not all_keys:
        return builder.line()
    return ends(builder.line(), _ALL_KEYS, width)


def key_at(keys: Sequence[tuple[str, str]], column: int, width: int, *, note: str = "") -> str | None:
    """The key that is drawn at a column."""
    if column >= width - width_of(_ALL_KEYS):
        return "?"
    at = 1 + (len(note) + 3 if note else 0)
    for key, word in keys:
        size = len(key) + len(word) + 1
        if at <= column < at + size:
            return key
        at += size + 3
    return None
