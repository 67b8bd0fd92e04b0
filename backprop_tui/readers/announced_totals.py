"""Reads lines that say how long the training will be: `Scheduled epochs: 30`, `Num Epochs = 3`, `max_steps=1000,`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backprop_tui.domain.training_totals import Totals, combined_totals, total_from_name
from backprop_tui.readers.events import Progress, TotalsAnnounced
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end

MAX_LINE_CHARS = 8000

_COUNT = r"(\d[\d,_]{0,18}(?:\.0+)?)"
_NAMED = lazy_compile(
    rf"[\"']?([A-Za-z][A-Za-z _]{{3,40}}?)[\"']?(?: */ *epoch\S{{0,4}})? ?[:=] ?{_COUNT}(,?)(?=[\s(.;,]|$)"
)
_CONFIGURED = lazy_compile(rf"[(,]\s?([a-z_]{{5,40}})={_COUNT}(?=[,)])")
_RUNNING_COUNT = lazy_compile(r"(?:total|num|number of)[ _]\w*steps\s*$|total[ _]iter", re.IGNORECASE)  # so far, maybe
_SENTENCE = lazy_compile(rf"\btrain(?:ing)? for {_COUNT} (epochs|steps|iterations)\b", re.IGNORECASE)
_ITERATION = lazy_compile(r"\s*Learning iteration (\d{1,12})/(\d{1,12})\s*$")


class AnnouncedTotals:
    # Their first bytes are those of other marks or rare ones, so that other lines cost no more.
    marks = (
        *(b"pochs", b"max_epoch", b"ps:", b"ps =", b"ps=", b"_iters", b"Learning it", b"rain for ", b"raining for "),
    )

    def read(self, line: str, offset: int) -> Iterator[Progress | TotalsAnnounced]:
        if len(line) > MAX_LINE_CHARS:
            return
        if (iteration := _ITERATION.match(line)) is not None:
            yield Progress(offset=offset, step=int(iteration[1]), total_steps=int(iteration[2]))
            return
        named = _NAMED.match(line, prefix_end(line))
        total = _announced(line, named)
        if total is not None:
            is_setting = named is not None and "_" in named[1]
            yield TotalsAnnounced(offset=offset, steps=total.steps, epochs=total.epochs, is_setting=is_setting)


def _announced(line: str, named: re.Match[str] | None) -> Totals | None:
    if named is not None:
        total = total_from_name(named[1].strip(), named[2], qualified=not named[3])
        if total is not None and (total.steps is None or not _RUNNING_COUNT.match(named[1])):
            return total
    sentence = _SENTENCE.search(line)
    if sentence is not None:
        return total_from_name(sentence[2], sentence[1])
    if "Namespace(" not in line:
        return None
    configured = (total_from_name(name, value) for name, value in _CONFIGURED.findall(line))
    total = combined_totals(filter(None, configured))
    return None if total == Totals() else total
