"""Reads the dicts that the Hugging Face Trainer prints: `{'loss': '1.112', 'grad_norm': '2.466', 'epoch': '0.625'}`.

The values are strings since version 5 and numbers before. The step is not in the dict; it comes from the progress bar.
Scripts of accelerate print the epoch before: `epoch 0: {'accuracy': 0.625}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backprop_tui.readers.events import Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import is_prefix
from backprop_tui.readers.printed_numbers import parse_count
from backprop_tui.readers.training_keys import is_known_metric, progress_from_fields

MAX_ITEMS = 256

_ITEM = lazy_compile(
    r"\s*'([^'\\]{1,120})': "
    r"(?:'([^'\\]{0,200})'|(?:np\.\w{1,12}|tensor)\(([^()']{1,64})\)|([^\s,'{}()\[\]]{1,64}))([,}])"
)
_HEAD = lazy_compile(r"\b(?P<word>epoch|step) ?[:=]? ?(?P<number>\d{1,15}) ?[:,|-]? *$", re.IGNORECASE)
_TOTAL = lazy_compile(r"\btotal optimization steps\s*[=:]\s*([\d,]{1,20})\s*$", re.IGNORECASE)


class PythonDicts:
    marks = (b"{'", b"zation steps")

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        start = line.find("{'")
        if start < 0:
            total = _TOTAL.search(line)
            steps = None if total is None else parse_count(total[1].replace(",", ""))
            if steps:
                yield Progress(offset=offset, total_steps=steps)
            return
        head = _HEAD.search(line, 0, start)
        prefix = line[: start if head is None else head.start()].strip()
        if prefix and not is_prefix(prefix):
            return
        fields = _parse_dict(line, start + 1)
        if fields is None:
            return
        if head is not None:
            fields = {head["word"].lower(): head["number"], **fields}
        progress = progress_from_fields(fields, alone=not prefix, offset=offset)
        if progress is not None and (head is None or any(map(is_known_metric, progress.metrics))):
            yield progress


def _parse_dict(line: str, position: int) -> dict[str, object] | None:
    """Returns the items up to the closing brace; None unless it is a flat dict at the end of the line."""
    fields: dict[str, object] = {}
    for _ in range(MAX_ITEMS):
        item = _ITEM.match(line, position)
        if item is None:
            return None
        fields[item[1]] = item[2] or item[3] or item[4] or ""
        position = item.end()
        if item[5] == "}":
            return fields if not line[position:].strip() else None
    return None
