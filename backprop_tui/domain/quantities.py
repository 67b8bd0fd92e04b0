"""Durations and sizes as they are typed: 90m, 1h30m, 2d, 8GB; a number without a unit is in the unit of its option.

As it is shown, a GB of memory is 2^30 bytes, a GB of disk 10^9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import DISK_GIGABYTE, GIGABYTE, MEGABYTE

_PART = r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)\s*"


def _by_word(words_by_size: Mapping[int, str]) -> dict[str, int]:
    return {word: size for size, words in words_by_size.items() for word in words.split()}


_TIMES = {
    1: "s sec secs second seconds",
    60: "m min mins minute minutes",
    3600: "h hr hrs hour hours",
    86400: "d day days",
    7 * 86400: "w week weeks",
}
_MEMORY_SIZES = {2**10: "k kb kib", MEGABYTE: "m mb mib", GIGABYTE: "g gb gib", 2**40: "t tb tib"}
_DISK_SIZES = {
    10**3: "k kb",
    10**6: "m mb",
    DISK_GIGABYTE: "g gb",
    10**12: "t tb",
    2**10: "kib",
    2**20: "mib",
    2**30: "gib",
    2**40: "tib",
}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The unit of a plain number, and the other units that may be typed; sizes are in seconds or bytes."""

    name: str
    size: int
    others: Mapping[str, int]
    examples: str

    def parse(self, text: str) -> float | None:
        """Returns an amount typed with its units, in this unit; None for a plain number and any other text."""
        amount = parse_amount(text, self.others)
        return None if amount is None else amount / self.size


TIMES = _by_word(_TIMES)
MEMORY_SIZES = _by_word(_MEMORY_SIZES)
DISK_SIZES = _by_word(_DISK_SIZES)
_SIZE = "a size such as 500MB or 8GB"
_DURATION = "a duration such as 45s, 90m or 1h30m"
SECONDS = Unit(name="seconds", size=1, others=TIMES, examples=_DURATION)
MINUTES = Unit(name="minutes", size=60, others=TIMES, examples=_DURATION)
MEGABYTES = Unit(name="MB", size=MEGABYTE, others=MEMORY_SIZES, examples=_SIZE)
GIGABYTES = Unit(name="GB", size=GIGABYTE, others=MEMORY_SIZES, examples=_SIZE)
DISK_GIGABYTES = Unit(name="GB", size=DISK_GIGABYTE, others=DISK_SIZES, examples=_SIZE)


def parse_amount(text: str, units: Mapping[str, int]) -> float | None:
    """Parses numbers with units, the largest unit first, as 1h30m; None for any other text."""
    typed = text.strip().lower()
    if re.fullmatch(rf"(?:{_PART})+", typed) is None:
        return None
    parts = [(float(number), units.get(unit)) for number, unit in re.findall(_PART, typed)]
    sizes = [size for _, size in parts if size is not None]
    if len(sizes) < len(parts) or sizes != sorted(set(sizes), reverse=True):
        return None
    return sum(number * size for (number, _), size in zip(parts, sizes, strict=True))
