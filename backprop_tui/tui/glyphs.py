"""The characters that the dashboard draws with, each one cell wide, and bars and sparklines made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import dropwhile, pairwise

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

_BLANK = 0x2800
# The dots of the four levels from the bottom up, left and right column of a cell (Unicode block Braille Patterns).
_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
_LEVELS = 4
_BLOCKS = "▁▂▃▄▅▆▇█"
_MAX_PERCENT = 100.001
_FLAT = 0.01  # changes below this share of the curve's range count as none
_LEAST_NOISE = 8  # values that may be noise; fewer are drawn as they are
LEAST_POINTS = 4  # of a history for which there is room
_CHANCE = 2.0  # standard errors of a slope that noise may have


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
    ascending: str  # the sorted column: the smallest value first
    descending: str
    cursor: str
    mark: str
    checkpoint: str
    best: str
    clipped: str
    between: str
    divider: str
    following: str
    times: str
    point: str
    read_point: str
    edge_error: str
    edge_warning: str
    unicode: bool
    curves: Curves

    def state(self, word: str) -> str:
        """The glyph of a state, a blank for an unknown one."""
        return self.states.get(word, " ")


# The glyph of each state of a run and of the governor, in Unicode and in ASCII.
_STATES = {
    "running": ("►", ">"),
    "starting": ("▹", "}"),
    "paused": ("║", "="),
    "stopping": ("▫", "s"),
    "queued": ("◌", "o"),
    "completed": ("✓", "+"),
    "timeboxed": ("◔", "@"),
    "stopped": ("▪", "#"),
    "failed": ("✗", "X"),
    "lost": ("?", "?"),
    "open": ("✓", "+"),
    "waiting": ("◌", "o"),
    "held": ("║", "="),
    "conservative": ("!", "!"),
}

# Each in Unicode and in ASCII.
_GLYPHS = {
    "bar_full": ("━", "#"),
    "bar_half": ("╸", "#"),
    "bar_track": ("─", "."),
    "rule": ("─", "-"),
    "rule_focused": ("━", "="),
    "start": ("▪", "#"),
    "start_spent": ("▫", "."),
    "group_open": ("▾", "v"),
    "group_shut": ("▸", ">"),
    "ascending": ("▴", "^"),
    "descending": ("▾", "v"),
    "cursor": ("▌", "|"),
    "mark": ("✱", "*"),
    "checkpoint": ("◆", "o"),
    "best": ("★", "*"),
    "clipped": ("…", "~"),
    "between": ("·", "-"),
    "divider": ("│", "|"),
    "following": ("▾", "v"),
    "times": ("×", "x"),
    "point": ("•", "*"),
    "read_point": ("●", "@"),
    "edge_error": ("█", "X"),
    "edge_warning": ("▐", "!"),
}


def _glyphs(column: int, *, curves: Curves) -> Glyphs:
    states = {state: pair[column] for state, pair in _STATES.items()}
    symbols = {name: pair[column] for name, pair in _GLYPHS.items()}
    return Glyphs(states=states, unicode=column == 0, curves=curves, **symbols)


UNICODE, ASCII = _glyphs(0, curves=Curves.BRAILLE), _glyphs(1, curves=Curves.ASCII)


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
    """The glyphs of the start tokens that are left, and of those that are spent, eight together at most."""
    drawn = min(burst, 8)
    left = max(0, min(drawn, int(free + 1e-9)))
    return glyphs.start * left, glyphs.start_spent * (drawn - left)


def braille(samples: Sequence[float | None], width: int, *, low: float, high: float) -> str:
    """The newest samples as dots, `low` at the bottom and `high` at the top; missing ones are blank."""
    shown: list[float | None] = list(samples[-2 * width :])
    shown[:0] = [None] * (2 * width - len(shown))
    cells = []
    for start in range(0, 2 * width, 2):
        first, second = _level(shown[start], low, high), _level(shown[start + 1], low, high)
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


_FILLED_LEFT, _FILLED_RIGHT = (0, 0x40, 0x44, 0x46, 0x47), (0, 0x80, 0xA0, 0xB0, 0xB8)  # by height


def area(samples: Sequence[float | None], width: int, rows: int, curves: Curves) -> list[str]:
    """Percentages as filled columns in several rows, the newest at the right; a gap is blank, 0 is a line."""
    shown: list[float | None] = list(samples[-2 * width :])
    shown[:0] = [None] * (2 * width - len(shown))
    parts = _LEVELS if curves is Curves.BRAILLE else 1 if curves is Curves.ASCII else len(_BLOCKS)
    heights = [_height(value, rows * parts) for value in shown]
    lines = []
    for below in range((rows - 1) * parts, -1, -parts):
        filled = [max(0, min(parts, height - below)) for height in heights]
        pairs = zip(filled[::2], filled[1::2], strict=True)
        lines.append("".join(_area_cell(first, second, curves) for first, second in pairs))
    return lines


def _height(value: float | None, levels: int) -> int:
    known = value is not None and math.isfinite(value)
    return max(1, min(levels, round((value or 0.0) / _MAX_PERCENT * levels))) if known else 0


def _area_cell(first: int, second: int, curves: Curves) -> str:
    highest = max(first, second)
    if not highest:
        return " "
    if curves is Curves.BRAILLE:
        return chr(_BLANK + (_FILLED_LEFT[first] | _FILLED_RIGHT[second]))
    return "#" if curves is Curves.ASCII else _BLOCKS[highest - 1]


def points_shown(histories: Iterable[Sequence[float | None]], width: int) -> int:
    """How many of the newest points `width` cells show: two to a cell, but none before the first that is known."""
    shown = (len(list(dropwhile(lambda point: point is None, points[-2 * width :]))) for points in histories)
    return min(2 * width, max([LEAST_POINTS, *shown]))


def stretched(points: Sequence[float | None], count: int, width: int) -> list[float | None]:
    """The newest `count` points over the whole of `width` cells."""
    newest = [*[None] * count, *points][-count:]
    return [newest[place * count // (2 * width)] for place in range(2 * width)]


def history(samples: Sequence[float | None], width: int, curves: Curves) -> str:
    """Percentages, the newest at the right; empty in ASCII."""
    if curves is Curves.ASCII:
        return ""
    draw = braille if curves is Curves.BRAILLE else blocks
    return draw(samples, width, low=0, high=_MAX_PERCENT)


def _level(value: float | None, low: float, high: float, levels: int = _LEVELS) -> int | None:
    if value is None or not math.isfinite(value):
        return None
    if high <= low:
        return 0
    return max(0, min(levels - 1, int((value - low) / (high - low) * levels)))


def trend(values: Sequence[float], width: int, curves: Curves) -> str:
    """The last third of the curve in `width` cells, scaled to its own range; a word in ASCII.

    Of a short curve it is more than that, since each dot needs a value. Mere noise is a line in the middle.
    """
    if curves is Curves.ASCII:
        return trend_word(values)
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    recent = finite[-max(len(finite) // 3, 2 * width) :]
    draw = braille if curves is Curves.BRAILLE else blocks
    if _is_noise(recent):
        return draw([0.5] * 2 * width, width, low=0.0, high=1.0)
    sampled = _resampled(recent, 2 * width)
    smoothed = [_mean(sampled[max(0, place - 1) : place + 2]) for place in range(len(sampled))]
    return draw(smoothed, width, low=min(smoothed), high=max(smoothed))


def _is_noise(values: Sequence[float]) -> bool:
    """Whether neighbors differ as much as values do at random, and no slope stands out.

    Von Neumann's ratio (2 for noise) is 1 or more, and a straight line explains no more than chance would.
    """
    count, middle = len(values), _mean(values)
    spread = max(abs(value - middle) for value in values)
    if spread == 0:
        return True
    scaled = [(value - middle) / spread for value in values]  # so that no square overflows
    total = sum(value**2 for value in scaled)
    jumps = sum((after - before) ** 2 for before, after in pairwise(scaled))
    along = sum((place - (count - 1) / 2) * value for place, value in enumerate(scaled))
    explained = along**2 / (total * count * (count**2 - 1) / 12)
    return count >= _LEAST_NOISE and jumps >= total and explained * count < _CHANCE**2


def _mean(values: Sequence[float]) -> float:
    return sum(value / len(values) for value in values)


def _resampled(values: Sequence[float], count: int) -> list[float]:
    means = []
    for index in range(count):
        start = index * len(values) // count
        means.append(_mean(values[start : max(start + 1, (index + 1) * len(values) // count)]))
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
