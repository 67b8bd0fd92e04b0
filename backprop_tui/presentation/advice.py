"""What to do about the end of a run, with each command on a line of its own, so that it can be copied."""

from __future__ import annotations

import re

from backprop_tui.presentation.known_run import newest_usable
from backprop_tui.presentation.states import cause_of
from backprop_tui.store.fields import JsonObject

# The first word of a command in an advice; what else follows a colon or a semicolon is text.
_PROGRAM = (
    r"(?:backprop-tui|bash|cd|chmod|conda|hf|nvidia-smi|sed|sudo|uv|wandb"
    r"|'[^']*/bin/[^']+'|[^\s']*/bin/\S+|(?:'[^']*/python[\d.]*'|(?:[^\s']*/)?python[\d.]*)(?= [-/]))"
)
_REST = r"""(?:'[^']*'|"[^"]*"|(?![;,] | +\()[^'"])*"""  # to the next clause; quotes protect what looks like its end
COMMAND = rf"(?:^|(?<=: )|(?<=; )|(?<=, or ))({_PROGRAM} {_REST})"
_THEN_RESUME = r"\b(?:then resume(?: it)?|resume it)$"


def advice_text(record: JsonObject) -> str:
    """The advice about the end of a run in one line; without a checkpoint there is nothing to resume from."""
    advice = str(cause_of(record).get("advice") or "")
    if newest_usable(record) is not None:
        return advice
    return re.sub(_THEN_RESUME, lambda match: match[0].removesuffix(" it").replace("resume", "run it again"), advice)


def advice_lines(record: JsonObject) -> tuple[str, list[str]]:
    """The advice about the end of a run: how it begins, which may be empty, and the lines after that.

    `fix train.py line 3, then:`, [`backprop-tui resume ab12`]
    """
    advice = str(cause_of(record).get("advice") or "")
    advice = re.sub(_THEN_RESUME, lambda match: f"{match[0].split()[0]}: backprop-tui resume {record['id']}", advice)
    first, *others = (piece.strip(" ;,") for piece in re.split(COMMAND, advice))
    return first, list(filter(None, others))
