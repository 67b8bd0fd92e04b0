"""Detects a script that ended itself because its loss was NaN or infinite."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import NAN_ADVICE, made
from backprop_tui.domain.run import Cause

_NAN = r"\b(?:nan|NaN|NAN|[Ii]nf|[Nn]on-?finite|[Ii]nfinite)\b|isnan|isfinite"
_NAN_MESSAGE = (
    rf"(?i:loss|grad\w*|logits|weights?)\b.*?(?:{_NAN})|(?:{_NAN}).*?\b(?i:loss|grad\w*|logits|weights?)\b"
    r"|Minimum loss scale reached|returned nan values in its|[Ii]nvalid loss, terminating"
)
_CHECKS = ("AssertionError", "FloatingPointError", "ArithmeticError", "ValueError", "RuntimeError", "Exception")
_PROOFS = ("AssertionError", "FloatingPointError", "ArithmeticError")  # enough if the loss is known to be NaN
_SEARCHED_LINES = 6


def nan_loss(clues: Clues) -> Cause | None:
    """Recognises the exception, or the last lines of a script that exited by itself, or a NaN loss in the log."""
    root = clues.root
    logged = clues.facts.nan_loss
    if root is not None:
        mentions_nan = re.search(_NAN_MESSAGE, f"{root.text}\n{root.code}") is not None
        if root.name not in _CHECKS or not (mentions_nan or (logged is not None and root.name in _PROOFS)):
            return None
        return made("nan_loss", at=root.line, summary=logged or root.line.text, advice=NAN_ADVICE)
    if clues.facts.exit_code is None or clues.signal is not None:
        return None
    for line in list(clues.last)[: -_SEARCHED_LINES - 1 : -1]:
        if re.search(_NAN_MESSAGE, line.text) is not None:
            return made("nan_loss", at=line, summary=logged or line.text, advice=NAN_ADVICE)
    return None if logged is None else made("nan_loss", evidence=logged, summary=logged, advice=NAN_ADVICE)
