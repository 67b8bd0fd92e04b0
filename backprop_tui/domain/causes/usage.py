"""Detects a command line that the script rejected, and a script with a syntax error."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.run import Cause

_ARGPARSE = r"^[\w./ -]+: error: (.+)$"
_CLICK = r"^Error: ((?:No such (?:option|command)|Missing (?:option|argument|parameter)|Invalid value).*)$"
_FLAGS = r"FATAL Flags parsing error:|Unknown command line flag|Some specified arguments are not used by the HfArgument"
_SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")
_USAGE_ADVICE = "correct the arguments: N in the dashboard copies the run as new, or queue it again"


def usage(clues: Clues) -> Cause | None:
    """Recognises the messages of argparse, click, absl and Hugging Face."""
    hit = _find_usage_error(clues)
    if hit is None:
        return None
    message = hit.match[1] if hit.match.lastindex else hit.line.text
    return made("python_error", at=hit.line, summary=f"wrong arguments: {message}", advice=_USAGE_ADVICE)


def _find_usage_error(clues: Clues) -> Hit | None:
    if clues.root is None and clues.facts.exit_code == 2:
        return clues.find(_ARGPARSE) or clues.find(_CLICK)
    return clues.find(_FLAGS)


def syntax(clues: Clues) -> Cause | None:
    """Recognises syntax errors, which no retry can fix."""
    root = clues.root
    if root is None or root.name not in _SYNTAX_ERRORS:
        return None
    where = "" if not root.frames else f" in {root.frames[-1][0]} line {root.frames[-1][1]}"
    return made(
        "python_error",
        at=root.line,
        summary=re.sub(r"^(?:\w+\.)+", "", root.line.text) + where,
        advice="fix the script, then resume; it may need a newer Python (--python)",
    )
