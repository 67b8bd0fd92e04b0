"""Curves of one row: two samples a cell in braille, their mean as a block, or words where neither can be drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backprop_tui.tui.wording.glyphs import Curves

_BLANK = 0x2800
# The dot of each level, from the bottom, in the left and the right column. See the Unicode block Braille Patterns.
_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
_LEVELS = 4
_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_PERCENT = 100.001
_FLAT = 0.01  # of the range of a curve: a change that is none


def braille(samples: Sequence[float | None], width: int, *, low: float, high: float) -> str:
    """A dot for each of the newest samples, `low` at the bottom and `high` at the top; missing ones are blank."""
    shown: list[float | None] = list(samples[-2 * width :])
    shown[:0] = [None] * (2 * width - len(shown))
    cells = []
    for place in range(0, 2 * width, 2):
        first, second = _level(shown[place], low, high), _level(shown[place + 1], low, high)
        dots = (0 if first is None else _LEFT[first]) | (0 if second is None else _RIGHT[second])
        cells.append(chr(_BLANK + dots) if dots else " ")
    return "".join(cells)


def blocks(samples: Sequence[float | None], width: int, *, low: float, high: float) -> str:
    """As `braille`, of two samples their mean, as a bar of eight heights."""
    shown = samples[-2 * width :]
    pairs = [shown[max(0, end - 2) : end] for end in range(len(shown), 0, -2)]
    cells = []
    for pair in reversed(pairs):
        known = [value for value in pair if value is not None and math.isfinite(value)]
        level = _level(sum(known) / len(known), low, high, len(_BLOCKS)) if known else None
        cells.append(" " if level is None else _BLOCKS[level])
    return "".join(cells).rjust(width)


def history(samples: Sequence[float | None], width: int, curves: Curves) -> str:
    """Percents, the newest at the right; nothing where curves are words, since it would say nothing."""
    if curves is Curves.ASCII:
        return ""
    draw = braille if curves is Curves.BRAILLE else blocks
    return draw(samples, width, low=0, high=_MOST_PERCENT)


def _level(value: float | None, low: float, high: float, levels: int = _LEVELS) -> int | None:
    if value is None or not math.isfinite(value):
        return None
    if high <= low:
        return 0
    return max(0, min(levels - 1, int((value - low) / (high - low) * levels)))


def trend(values: Sequence[float], width: int, curves: Curves) -> str:
    """The whole of a curve in `width` cells, scaled to its own range, or a word."""
    if curves is Curves.ASCII:
        return trend_word(values)
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    sampled = _resampled(finite, 2 * width)
    draw = braille if curves is Curves.BRAILLE else blocks
    return draw(sampled, width, low=min(sampled), high=max(sampled))


def _resampled(values: Sequence[float], count: int) -> list[float]:
    """The mean of each of `count` stretches; a shorter curve is stretched."""
    size = len(values)
    found = []
    for place in range(count):
        start = place * size // count
        end = max(start + 1, (place + 1) * size // count)
        stretch = values[start:end]
        found.append(sum(stretch) / len(stretch))
    return found


def trend_word(values: Sequence[float]) -> str:
    """`falling`, `flat` or `rising`: the last third against the one before it."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 3:
        return ""
    third = len(finite) // 3
    before = sum(finite[-2 * third : -third]) / third
    now = sum(finite[-third:]) / third
    span = max(finite) - min(finite)
    if span == 0 or abs(now - before) < _FLAT * span:
        return "flat"
    return "falling" if now < before else "rising"
