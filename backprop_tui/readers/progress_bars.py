"""Reads tqdm progress bars: `Training:  33%|███▎      | 1/3 [00:04<00:08,  4.99it/s, loss=0.5]`.

A bar does not say what it counts; `bar_semantics` decides that.

A bar may be redrawn thousands of times a second. Once MAX_UNTHROTTLED_STATES were read, `BarStates` leaves out the
states of a bar between the first and the last one of the same second of the bar's own clock. The last state before any
other line is always read, and so is a full bar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from backprop_tui.readers.events import Bar
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_count, parse_duration, parse_number
from backprop_tui.readers.training_keys import is_known_metric

MAX_UNTHROTTLED_STATES = 500
MAX_BAR_VALUES = 64
_SHARE_CHARS = 3
MAX_LABEL_CHARS = 80  # after a longer text, or a backtick, the bar is a quotation

_BAR = lazy_compile(
    r"(?P<share>\d{1,3}%)?\|[^|]*\|\s*(?P<done>\d+)/(?P<total>\d+|\?) \[(?P<elapsed>[\d:]+)<(?P<left>[\d:?]+)"
    r"(?:, *(?P<rate>[^\],]*))?(?P<postfix>,[^\]]*)?\]"
)
_BAR_WITHOUT_TOTAL = lazy_compile(
    r"(?P<done>\d+)it \[(?P<elapsed>[\d:]+)(?:, *(?P<rate>[^\],]*))?(?P<postfix>,[^\]]*)?\]"
)
_NAME_AND_VALUE = lazy_compile(r"([^=:,]{1,120})[=:]\s*([^\s,]{1,64})")
_SEPARATOR = lazy_compile(r",| \| ")
_NEXT_NAME = lazy_compile(r" (?=\w{1,60}=|[A-Za-z]\w{0,60}: )")
_HAS_VALUE = lazy_compile(r"[=:\d]|\bnan\b")
_EPOCH_COUNT = lazy_compile(r"[, ]epoch[=:] *(\d{1,7})(?:/(\d{1,7}))?(?=[,\s]|$)", re.IGNORECASE)
_TORCHTUNE = lazy_compile(r"(?P<epoch>\d{1,7})\|(?P<step>\d{1,15})\|(?=[A-Za-z])")  # before its loss: `1|20|Loss: 1.5`
# In a label or a text behind the bar: `Epoch 3 loss 0.512`, `loss: 0.512`
_DECIMAL = lazy_compile(
    r"(?:^|(?<=[\s,|(\[-]))([A-Za-z][\w/]{0,40}(?: [A-Za-z][\w/]{0,20}){0,2})(?: ?[:=])? ?"
    r"([-+]?\d{1,12}\.\d{1,20}(?:e[-+]?\d{1,3})?|nan)(?=[\s,;|)\]%]|$)"
)


class ProgressBars:
    marks = (b"%|", b"/s]", b"/s,", b"/it]", b"/it,", b"| 0/? [")

    def read(self, line: str, offset: int) -> Iterator[Bar]:
        bar = parse_bar(line, offset)
        if bar is not None:
            yield bar


class BarStates:
    """Leaves out states of bars that show nothing new; there is one instance per log."""

    def __init__(self) -> None:
        self._last: tuple[bytes, bytes] | None = None  # the last state: its label, and `/TOTAL [ELAPSED<`
        self._count = 0  # how many states were read

    def thin(self, lines: Iterable[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
        """Yields the lines, each with the position after it, without the states that are left out."""
        skipped: tuple[bytes, int] | None = None
        for line in lines:
            content = line[0]
            if self._count >= MAX_UNTHROTTLED_STATES and self._repeats_last(content):
                skipped = line
                continue
            state = self._state_of(content)
            if skipped is not None:
                yield skipped
                skipped = None
            self._last = state
            yield line
        if skipped is not None:
            yield skipped

    def _repeats_last(self, content: bytes) -> bool:
        """Whether it shows the same state as the line before."""
        if self._last is None:
            return False
        label, clock = self._last
        bar = len(label) + _SHARE_CHARS
        return (
            content.startswith(label)
            and content.startswith(b"%|", bar)
            and not content.startswith(b"100", bar - _SHARE_CHARS)
            and content.find(clock, bar) > 0
            and _ends_with_bar(content)
        )

    def _state_of(self, content: bytes) -> tuple[bytes, bytes] | None:
        start = content.find(b"%|")
        clock = content.find(b" [", start) if start >= _SHARE_CHARS else -1
        left = content.find(b"<", clock)
        share = content[start - _SHARE_CHARS : start]
        if not left > clock > 0 or share == b"100" or not _ends_with_bar(content):
            return None
        self._count += 1
        return content[: start - _SHARE_CHARS], content[content.rfind(b"/", start, clock) : left + 1]


def _ends_with_bar(content: bytes) -> bool:
    """Whether nothing but blanks and a cursor movement follows the bar."""
    return content.endswith(b"]\r") or content.rstrip().removesuffix(b"\x1b[A").endswith(b"]")


def parse_bar(line: str, offset: int) -> Bar | None:
    """Returns the bar on the line; None if there is none, or it counts bytes with a unit (a download)."""
    match = _match_bar(line)
    done = None if match is None else parse_count(match["done"])
    if match is None or done is None:
        return None
    begin = prefix_end(line) if line.startswith("(") else 0  # ray's `(Worker pid=12)`
    label = line[begin : match.start()].strip().rstrip(": ")
    if len(label) > MAX_LABEL_CHARS or "`" in label:
        return None
    groups = match.groupdict()
    postfix = match["postfix"] or ""
    values = _parse_postfix(postfix)
    if "." in label or "nan" in label:
        place = _TORCHTUNE.match(label)
        label, named = _values_in_label(label if place is None else label[place.end() :])
        values = {**named, **values}
        if place is not None:
            label, values = f"epoch {place['epoch']}", {**values, "step": float(place["step"])}
    if "epoch" in (groups["rate"] or ""):
        label = "epochs"  # the unit: 3.4s/epoch
    total, left = groups.get("total"), groups.get("left")
    epoch = _EPOCH_COUNT.search(postfix) if "poch" in postfix else None
    return Bar(
        offset=offset,
        label=label,
        done=done,
        total=parse_count(total) if total is not None else None,
        elapsed_seconds=parse_duration(match["elapsed"]),
        seconds_left=None if left is None else parse_duration(left),
        values=values,
        epoch=None if epoch is None else int(epoch[1]),
        total_epochs=None if epoch is None or epoch[2] is None else int(epoch[2]),
    )


def _values_in_label(label: str) -> tuple[str, dict[str, float]]:
    """The label up to the first known metric in it, and those metrics."""
    values: dict[str, float] = {}
    end = len(label)
    for match in _DECIMAL.finditer(label):
        number = parse_number(match[2])
        if number is not None and is_known_metric(match[1]):
            end = min(end, match.start())
            values[match[1]] = number
    return label[:end].rstrip(" :,-|(["), values


def bar_end(line: str) -> int | None:
    """Returns the index after the bar, where output of another stream may follow; None if there is no bar."""
    match = _match_bar(line)
    return None if match is None else match.end()


def _match_bar(line: str) -> re.Match[str] | None:
    # Searching for a fixed string first avoids trying the expressions at each character.
    index = line.find("%|")
    if index >= 0:
        return _BAR.match(line, _start_of_digits(line, index))
    index = line.find("| 0/? [")
    if index >= 0:
        return _BAR.match(line, max(0, line.rfind("|", 0, index)))
    index = line.find("it [")
    return None if index < 0 else _BAR_WITHOUT_TOTAL.match(line, _start_of_digits(line, index))


def _start_of_digits(line: str, end: int) -> int:
    start = end
    while start > 0 and line[start - 1].isdigit():
        start -= 1
    return start


def _parse_postfix(postfix: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in _parts_of_postfix(postfix):
        match = _NAME_AND_VALUE.match(part) or _DECIMAL.match(part)
        value = None if match is None else parse_number(match[2])
        if match is not None and value is not None:
            values[match[1].strip()] = value
    return values


def _parts_of_postfix(postfix: str) -> Iterator[str]:
    """The text of each value; `timing in s=2.3` is one, `loss=0.5 acc=0.8` are two."""
    for group in _SEPARATOR.split(postfix, MAX_BAR_VALUES)[1 : MAX_BAR_VALUES + 1]:
        first, *others = _NEXT_NAME.split(group.strip(), MAX_BAR_VALUES)
        if others and _HAS_VALUE.search(first) is None:
            first = f"{first} {others.pop(0)}"
        yield first
        yield from others
