"""Curves of one row: in braille (two samples a cell), as blocks (their mean), or as a word."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backprop_tui.tui.glyphs import Curves

_BLANK = 0x2800
# The dots of the four levels from the bottom up, left and right column of a cell (Unicode block Braille Patterns).
_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
_LEVELS = 4
_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_PERCENT = 100.001
_FLAT = 0.01  # changes below this share of the curve's range count as none


def braille(samples: Sequence[float | None], width: int, *, low: float, high: float) -> str:
    """The newest samples as dots, `low` at the bottom and `high` at the top; missing ones are blank."""
    shown: list[float | None] = list(samples[-2 * width :])
    shown[:0] = [None] * (2 * width - len(shown))
    cells = []
    for place in range(0, 2 * width, 2):
        first, second = _level(shown[place], low, high), _level(shown[place + 1], low, high)
        dots = (0 if first is None else _LEFT[first]) | (0 if second is None else _RIGHT[second])
        cells.append(chr(_BLANK + dots) if dots else " ")
    return "".join(cells)


def blocks(samples: Sequence[float | None], width: int, *, low: float, high: float) -> str:
    """As `braille`, but with a bar of eight heights for the mean of two samples."""
    shown = samples[-2 * width :]
    pairs = [shown[max(0, end - 2) : end] for end in range(len(shown), 0, -2)]
    cells = []
    for pair in reversed(pairs):
        known = [value for value in pair if value is not None and math.isfinite(value)]
        level = _level(sum(known) / len(known), low, high, len(_BLOCKS)) if known else None
        cells.append(" " if level is None else _BLOCKS[level])
    return "".join(cells).rjust(width)


def history(samples: Sequence[float | None], width: int, curves: Curves) -> str:
    """Percentages, the newest at the right; empty in ASCII."""
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
    """The whole curve in `width` cells, scaled to its own range; a word in ASCII."""
    if curves is Curves.ASCII:
        return trend_word(values)
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    sampled = _resampled(finite, 2 * width)
    draw = braille if curves is Curves.BRAILLE else blocks
    return draw(sampled, width, low=min(sampled), high=max(sampled))


def _resampled(values: Sequence[float], count: int) -> list[float]:
    """The means of `count` sections of the values."""
    size = len(values)
    means = []
    for place in range(count):
        start = place * size // count
        end = max(start + 1, (place + 1) * size // count)
        section = values[start:end]
        means.append(sum(section) / len(section))
    return means


def trend_word(values: Sequence[float]) -> str:
    """`falling`, `flat` or `rising`: the last third compared with the third before."""
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
