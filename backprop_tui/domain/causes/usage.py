"""A command line that the script refused, and a script that Python could not even read."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.run import Cause

_ARGPARSE = r"^[\w./ -]+: error: (.+)$"
_CLICK = r"^Error: ((?:No such (?:option|command)|Missing (?:option|argument|parameter)|Invalid value).*)$"
_FLAGS = r"FATAL Flags parsing error:|Unknown command line flag|Some specified arguments are not used by the HfArgument"
_UNREAD = ("SyntaxError", "IndentationError", "TabError")
_ADVICE = "mend the arguments: N in the dashboard copies the run as new, or queue it again"


def usage(clues: Clues) -> Cause | None:
    """By the words of argparse, click, absl and Hugging Face."""
    hit = _refused(clues)
    if hit is None:
        return None
    said = hit.match[1] if hit.match.lastindex else hit.line.text
    return made("python_error", at=hit.line, summary=f"wrong arguments: {said}", advice=_ADVICE)


def _refused(clues: Clues) -> Hit | None:
    if clues.root is None and clues.facts.exit_code == 2:
        return clues.find(_ARGPARSE) or clues.find(_CLICK)
    return clues.find(_FLAGS)


def syntax(clues: Clues) -> Cause | None:
    """A script that Python cannot read fails in the same way however often it is started."""
    root = clues.root
    if root is None or root.name not in _UNREAD:
        return None
    where = "" if not root.frames else f" in {root.frames[-1][0]} line {root.frames[-1][1]}"
    return made(
        "python_error",
        at=root.line,
        summary=re.sub(r"^(?:\w+\.)+", "", root.line.text) + where,
        advice="mend the script, then resume; it may be written for a newer Python (--python)",
    )
