"""Reads the log of nanoGPT, in which each metric is a name, a space and a number.

`iter 100: loss 3.1234, time 123.45ms, mfu 12.34%` and `step 250: train loss 2.1, val loss 2.2`.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.events import Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.training_keys import numeric_metrics

_LINE = lazy_compile(r"(?:iter|step) (\d{1,15})(?:/(\d{1,15}))?: (.{1,1000})$")
_METRIC = lazy_compile(r"\s*([A-Za-z][\w ]{0,60}) ([-+\w.]{1,40}?)(?:ms|s|%)?\s*")


class NanoGpt:
    marks = (b"loss",)

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        match = _LINE.match(line, prefix_end(line))
        if match is None or "loss" not in match[3]:
            return
        values: dict[str, object] = {}
        for part in match[3].split(","):
            metric = _METRIC.fullmatch(part)
            if metric is None:
                return
            values[metric[1]] = metric[2]
        metrics = numeric_metrics(values)
        if metrics:
            total = None if match[2] is None else int(match[2])
            yield Progress(offset=offset, step=int(match[1]), total_steps=total, metrics=metrics)
