"""Reads what nanoGPT prints.

`iter 100: loss 3.1234, time 123.45ms, mfu 12.34%` and `step 250: train loss 2.1, val loss 2.2`.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.lazily import compiled
from backprop_tui.readers.prefixes import after_prefix
from backprop_tui.readers.training_keys import figures_of_training
from backprop_tui.readers.values import Printed, Progress

_LINE = compiled(r"(?:iter|step) (\d{1,15})(?:/(\d{1,15}))?: (.{1,1000})$")
_FIGURE = compiled(r"\s*([A-Za-z][\w ]{0,60}) ([-+\w.]{1,40}?)(?:ms|s|%)?\s*")


class NanoGpt:
    """The reader of nanoGPT; keeps nothing between lines."""

    marks = (b"loss",)

    def read(self, line: str, offset: int) -> Iterator[Printed]:
        """A step with figures, each a name, a space and a number."""
        found = _LINE.match(line, after_prefix(line))
        if found is None or "loss" not in found[3]:
            return
        figures: dict[str, object] = {}
        for part in found[3].split(","):
            figure = _FIGURE.fullmatch(part)
            if figure is None:
                return
            figures[figure[1]] = figure[2]
        metrics = figures_of_training(figures)
        if metrics:
            total = None if found[2] is None else int(found[2])
            yield Progress(offset=offset, step=int(found[1]), total_steps=total, metrics=metrics)
