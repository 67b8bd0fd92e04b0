"""Bars of one row: filled cells and track, in half cells, so that they move seldom and by little."""

from __future__ import annotations

from backprop_tui.tui.wording.glyphs import Glyphs


def bar(fraction: float | None, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """The filled part and the track; together always `width` cells. No reading is all track.

    A value above 0 shows at least half a cell, one below 1 leaves at least half a cell open.
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


def tokens(free: float, burst: int, glyphs: Glyphs) -> tuple[str, str]:
    """Start tokens that are free, and those that are spent; at most eight of them are drawn."""
    drawn = min(burst, 8)
    left = max(0, min(drawn, int(free + 1e-9)))
    return glyphs.start * left, glyphs.start_spent * (drawn - left)
