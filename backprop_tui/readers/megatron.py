"""Reads the log of Megatron-LM: `iteration        1/    5000 | lm loss: 1.043863E+01 | grad norm: 26.203 |`."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.events import CheckpointSaved, Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.training_keys import numeric_metrics

_ITERATION = lazy_compile(r"iteration +(\d{1,15})/ *(\d{1,15}) \|")
_VALIDATION = lazy_compile(r"[- ]*validation loss at iteration +(\d{1,15})(?: on [\w ]{1,40})? \|")
_METRIC = lazy_compile(r"\s*([A-Za-z][^:|]{0,110}?): +([-+\w.]{1,40})\s*")
_SAVED = lazy_compile(r"(?:successfully )?sav(?:ed|ing) checkpoint (?:from|at) iteration +(\d{1,15}) to (\S{1,4096})")


class Megatron:
    marks = (b"loss", b"heckpoint ")

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        message = prefix_end(line)
        if (saved := _SAVED.match(line, message)) is not None:
            yield CheckpointSaved(offset=offset, path=saved[2], step=int(saved[1]))
            return
        iteration = _ITERATION.match(line, message)
        heading = _VALIDATION.match(line, message) if iteration is None else iteration
        if heading is None:
            return
        matches = (_METRIC.fullmatch(part) for part in line[heading.end() :].split("|"))
        metrics = numeric_metrics({match[1]: match[2] for match in matches if match is not None})
        if metrics:
            total = None if iteration is None else int(iteration[2])
            yield Progress(offset=offset, step=int(heading[1]), total_steps=total, metrics=metrics)
