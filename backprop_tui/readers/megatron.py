"""Reads what Megatron-LM prints: `iteration        1/    5000 | lm loss: 1.043863E+01 | grad norm: 26.203 |`."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.lazily import compiled
from backprop_tui.readers.prefixes import after_prefix
from backprop_tui.readers.training_keys import figures_of_training
from backprop_tui.readers.values import CheckpointSaved, Printed, Progress

_ITERATION = compiled(r"iteration +(\d{1,15})/ *(\d{1,15}) \|")
_VALIDATION = compiled(r"[- ]*validation loss at iteration +(\d{1,15})(?: on [\w ]{1,40})? \|")
_FIGURE = compiled(r"\s*([A-Za-z][^:|]{0,110}?): +([-+\w.]{1,40})\s*")
_SAVED = compiled(r"(?:successfully )?sav(?:ed|ing) checkpoint (?:from|at) iteration +(\d{1,15}) to (\S{1,4096})")


class Megatron:
    """The reader of Megatron-LM; keeps nothing between lines."""

    marks = (b"loss", b"heckpoint ")

    def read(self, line: str, offset: int) -> Iterator[Printed]:
        """An iteration, a validation, or a checkpoint."""
        message = after_prefix(line)
        if (saved := _SAVED.match(line, message)) is not None:
            yield CheckpointSaved(offset=offset, path=saved[2], step=int(saved[1]))
            return
        iteration = _ITERATION.match(line, message)
        begin = _VALIDATION.match(line, message) if iteration is None else iteration
        if begin is None:
            return
        figures = (_FIGURE.fullmatch(part) for part in line[begin.end() :].split("|"))
        metrics = figures_of_training({found[1]: found[2] for found in figures if found is not None})
        if metrics:
            total = None if iteration is None else int(iteration[2])
            yield Progress(offset=offset, step=int(begin[1]), total_steps=total, metrics=metrics)
