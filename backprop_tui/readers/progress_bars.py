"""Reads progress bars as tqdm draws them: `Training:  33%|███▎      | 1/3 [00:04<00:08,  4.99it/s, loss=0.5]`.

What a bar counts it does not say; `bar_meaning` tells that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backprop_tui.readers.lazily import lazy_compile
from backprop_tui.readers.printed_numbers import parse_count, parse_duration, parse_number
from backprop_tui.readers.values import Bar

MARKS = (b"%|", b"it [", b"| 0/? [")
MAX_BAR_VALUES = 64  # behind one bar
MAX_LABEL_CHARS = 80  # behind a longer text, or a backtick, it is a quotation

_BAR = lazy_compile(
    r"(?P<share>\d{1,3}%)?\|[^|]*\|\s*(?P<done>\d+)/(?P<total>\d+|\?) \[(?P<elapsed>[\d:]+)<(?P<left>[\d:?]+)"
    r"(?:, *(?P<rate>[^\],]*))?(?P<postfix>,[^\]]*)?\]"
)
_ENDLESS = lazy_compile(r"(?P<done>\d+)it \[(?P<elapsed>[\d:]+)(?:, *(?P<rate>[^\],]*))?(?P<postfix>,[^\]]*)?\]")
_FIGURE = lazy_compile(r"([^=:,]{1,120})[=:]\s*([^\s,]{1,64})")


class ProgressBars:
    """The reader of bars; keeps nothing between lines."""

    marks = MARKS

    def read(self, line: str, offset: int) -> Iterator[Bar]:
        """The bar of the line; a download that counts bytes is none."""
        bar = parse_bar(line, offset)
        if bar is not None:
            yield bar


def parse_bar(line: str, offset: int) -> Bar | None:
    """The bar that the line holds; None where it holds none that counts whole things."""
    found = _found(line)
    done = None if found is None else parse_count(found["done"])
    if found is None or done is None:
        return None
    label = line[: found.start()].strip().rstrip(": ")
    if len(label) > MAX_LABEL_CHARS or "`" in label:
        return None
    figures = found.groupdict()
    total, left = figures.get("total"), figures.get("left")
    return Bar(
        offset=offset,
        label=label,
        done=done,
        total=parse_count(total) if total is not None else None,
        elapsed_seconds=parse_duration(found["elapsed"]),
        seconds_left=None if left is None else parse_duration(left),
        figures=_figures(found["postfix"] or ""),
    )


def bar_end(line: str) -> int | None:
    """Where the bar of the line ends: what another stream printed may follow it. None where there is no bar."""
    found = _found(line)
    return None if found is None else found.end()


def _found(line: str) -> re.Match[str] | None:
    # The searches for a fixed text come first: they keep the expressions from being tried at each character.
    at = line.find("%|")
    if at >= 0:
        return _BAR.match(line, _digits_before(line, at))
    at = line.find("| 0/? [")
    if at >= 0:
        return _BAR.match(line, max(0, line.rfind("|", 0, at)))
    at = line.find("it [")
    return None if at < 0 else _ENDLESS.match(line, _digits_before(line, at))


def _digits_before(line: str, end: int) -> int:
    begin = end
    while begin > 0 and line[begin - 1].isdigit():
        begin -= 1
    return begin


def _figures(postfix: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    for part in postfix.split(",", MAX_BAR_VALUES)[1 : MAX_BAR_VALUES + 1]:
        found = _FIGURE.match(part.strip())
        figure = None if found is None else parse_number(found[2])
        if found is not None and figure is not None:
            figures[found[1].strip()] = figure
    return figures
