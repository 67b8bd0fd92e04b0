"""What loggers and launchers print before a message: a time, a level, a logger's name, a rank."""

from __future__ import annotations

import re

from backprop_tui.readers.lazily import compiled

LONGEST_PREFIX = 200

_BEGIN = compiled(
    r"(?:"
    r"\[(?!\s*\d+\s*[,/\]])(?![^\]]{0,40}(?:epoch|step|iter))[^\[\]]{1,60}\]:?"  # a time or a rank, not [1/10]
    r"|\d{2,4}[-/]\d\d[-/]\d{2,4}(?:[T ]\d\d:\d\d:\d\d[\d.,]*\S{0,6})?"
    r"|\d\d:\d\d:\d\d[\d.,]*"
    r"|\(?(?:debug|info|notice|warning|warn)\b(?::[\w.]{1,60}:(?!\d))?[:)\]]?"
    r"|[IW]\d{4} [\d:.]{5,20}\s+\d{1,9}"  # of absl and of torch's own loggers
    r"|rank ?\d{1,5}:"
    r"|[-|:]"
    r")(?:\s+|(?<=[:\]])|$)",
    re.IGNORECASE,
)
# Only behind one of those, since a message may begin with a name and a colon too.
_NAME = compiled(
    r"(?!\S*(?:loss|acc\b|accuracy|ppl|step|epoch|iter))"
    r"(?:[\w./<>]{1,60}(?::\d{1,6})?[:\]]?(?: ?[-|:])?)(?<=[-|:\]])\s+",
    re.IGNORECASE,
)


def is_prefix(before: str) -> bool:
    """Whether the text in front of a message is one; `ValueError:` and sentences are none."""
    return after_prefix(before) >= len(before.rstrip())


def after_prefix(line: str) -> int:
    """Where the message begins; 0 where nothing stands before it."""
    position = len(line) - len(line.lstrip())
    begun = False
    while position < LONGEST_PREFIX:
        found = _BEGIN.match(line, position)
        if found is None and begun:
            found = _NAME.match(line, position)
        if found is None or found.end() == position:
            break
        begun = True
        position = found.end()
    return position
