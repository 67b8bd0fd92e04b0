"""`--sweep KEY=V1,V2|A..B`: the grid of runs that several of them make, and how a run is told its values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from itertools import product

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.values import dataclass

MOST_RUNS = 10_000
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_RANGE = re.compile(r"(?P<first>-?\d+)\.\.(?P<last>-?\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One option and the values it takes."""

    key: str
    values: tuple[str, ...]


Point = tuple[tuple[str, str], ...]  # one value for each key


def axis(text: str) -> Axis:
    """KEY=V1,V2 or KEY=A..B, whole numbers with both ends; raises what argparse wants for a bad value."""
    key, equals, listed = text.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=V1,V2 or KEY=A..B, such as lr=1e-3,1e-4 or seed=1..3")
    values = tuple(value for part in listed.split(",") for value in _values(text, part.strip()))
    if len(set(values)) < len(values):
        raise argparse.ArgumentTypeError(f"{text!r} has a value twice")
    return Axis(key=key, values=values)


def _values(text: str, part: str) -> Iterator[str]:
    match = _RANGE.fullmatch(part)
    if match is None:
        if not part:
            raise argparse.ArgumentTypeError(f"{text!r} has an empty value")
        yield part
        return
    first, last = int(match["first"]), int(match["last"])
    if first > last:
        raise argparse.ArgumentTypeError(f"{part}: the range ends before it begins; write {last}..{first}")
    if last - first >= MOST_RUNS:
        raise argparse.ArgumentTypeError(f"{part}: more than {MOST_RUNS} values")
    yield from (str(value) for value in range(first, last + 1))


def grid(axes: Sequence[Axis]) -> list[Point]:
    """Every combination, the last key changing fastest; one empty point where there is no axis.

    Raises:
        UsageError: a key stands twice, or too many runs would be made.
    """
    keys = [one.key for one in axes]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise UsageError(f"--sweep {twice}: given twice; put its values into one")
    count = 1
    for one in axes:
        count *= len(one.values)
    if count > MOST_RUNS:
        raise UsageError(f"--sweep: makes {count} runs, and at most {MOST_RUNS} are taken at once")
    return [tuple(zip(keys, values, strict=True)) for values in product(*(one.values for one in axes))]


def told(words: Sequence[str], point: Point) -> tuple[str, ...]:
    """Arguments with the point's values: where one says {KEY}, else as `--KEY VALUE` after them."""
    found = tuple(words)
    for key, value in point:
        place = f"{{{key}}}"
        if any(place in word for word in found):
            found = tuple(word.replace(place, value) for word in found)
        else:
            found = (*found, f"--{key}", value)
    return found


def named(name: str, point: Point) -> str:
    """The name of one run of a sweep."""
    return f"{name}:{','.join(f'{key}={value}' for key, value in point)}" if point else name
