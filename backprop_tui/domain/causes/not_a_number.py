"""A script that ended itself because its loss was no number."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import NAN_ADVICE, made
from backprop_tui.domain.run import Cause

_NAN = r"\b(?:nan|NaN|NAN|[Ii]nf|[Nn]on-?finite|[Ii]nfinite)\b|isnan|isfinite"
_SPOKEN = (
    rf"(?i:loss|grad\w*|logits|weights?)\b.*?(?:{_NAN})|(?:{_NAN}).*?\b(?i:loss|grad\w*|logits|weights?)\b"
    r"|Minimum loss scale reached|returned nan values in its|[Ii]nvalid loss, terminating"
)
_CHECKS = ("AssertionError", "FloatingPointError", "ArithmeticError", "ValueError", "RuntimeError", "Exception")
_PROOFS = ("AssertionError", "FloatingPointError", "ArithmeticError")  # once the loss is known to be no number
_LAST_WORDS = 6


def not_a_number(clues: Clues) -> Cause | None:
    """By the exception, or by the last words of a script that exited by itself; the log's figures count too."""
    root = clues.root
    known = clues.facts.nan_loss
    if root is not None:
        said = re.search(_SPOKEN, f"{root.text}\n{root.code}") is not None
        if root.name not in _CHECKS or not (said or (known is not None and root.name in _PROOFS)):
            return None
        return made("nan_loss", at=root.line, summary=known or root.line.text, advice=NAN_ADVICE)
    if clues.facts.exit_code is None or clues.signal is not None:
        return None
    for line in list(clues.last)[: -_LAST_WORDS - 1 : -1]:
        if re.search(_SPOKEN, line.text) is not None:
            return made("nan_loss", at=line, summary=known or line.text, advice=NAN_ADVICE)
    return None if known is None else made("nan_loss", evidence=known, summary=known, advice=NAN_ADVICE)
