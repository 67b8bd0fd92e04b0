"""The footer: the keys that apply now, most likely first, and always the way to all of them."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.tui.drawing.lines import LineBuilder, ends, width_of
from backprop_tui.tui.view.tokens import Line, Piece, Token

_ALL_KEYS = (Piece("?", Token.ACCENT, bold=True), Piece(" all keys ", Token.MUTED))


def draw_footer(keys: Sequence[tuple[str, str]], width: int, *, note: str = "", all_keys: bool = True) -> Line:
    """Keys with a word each, as many as fit; `note` stands first, `all_keys` tells of the help at the end."""
    built = LineBuilder()
    built.put(" ")
    if note:
        built.put(note, Token.WARN).put("   ")
    room = width - width_of(_ALL_KEYS) - 2
    for place, (key, word) in enumerate(keys):
        gap = "   " if place else ""
        if built.column + len(gap) + len(key) + len(word) + 1 > room:
            break
        built.put(gap).put(key, Token.ACCENT, bold=True).put(f" {word}", Token.MUTED)
    if width < 24 or not all_keys:
        return built.line()
    return ends(built.line(), _ALL_KEYS, width)


def key_at(keys: Sequence[tuple[str, str]], column: int, width: int, *, note: str = "") -> str | None:
    """The key whose word stands at a column; `?` at the right end."""
    if column >= width - width_of(_ALL_KEYS):
        return "?"
    at = 1 + (len(note) + 3 if note else 0)
    for key, word in keys:
        size = len(key) + len(word) + 1
        if at <= column < at + size:
            return key
        at += size + 3
    return None
