"""What to do about the end of a run, with each command on a line of its own, so that it can be copied."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
_THEN_RESUME = r"\b(?:then resume(?: it)?|resume it)(?=$|;)"


def advice_text(record: JsonObject) -> str:
    """The advice about the end of a run in one line; without a checkpoint there is nothing to resume from."""
    advice = str(cause_of(record).get("advice") or "")
    if newest_usable(record) is not None:
        return advice
    return _then(advice, "run it again")


def shared_advice(records: Sequence[JsonObject]) -> str:
    """The advice about runs that ended alike, of which some may have a checkpoint."""
    texts = dict.fromkeys(map(advice_text, records))
    if len(texts) == 1:
        return next(iter(texts))
    return _then(str(cause_of(records[0]).get("advice") or ""), "resume what has a checkpoint and run the others again")


def _then(advice: str, what: str) -> str:
    return re.sub(_THEN_RESUME, lambda match: match[0].removesuffix(" it").replace("resume", what), advice)


def advice_lines(record: JsonObject) -> tuple[str, list[str]]:
    """The advice about the end of a run: how it begins, which may be empty, and the lines after that.

    `fix train.py line 3, then:`, [`backprop-tui resume ab12`]
    """
    advice = str(cause_of(record).get("advice") or "")
    command = f": backprop-tui resume {record['id']}"
    if newest_usable(record) is None:
        advice = _then(advice, f"run it again{command}")
    else:
        advice = re.sub(_THEN_RESUME, lambda match: match[0].split()[0] + command, advice)
    first, *others = (piece.strip(" ;,") for piece in re.split(COMMAND, advice))
    return first, list(filter(None, others))
