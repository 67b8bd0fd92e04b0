"""Prefixes that loggers and launchers print before a message: a time, a level, a logger's name, a rank.

Any `[word]` is skipped as a prefix, except counts such as `[1/10]` and brackets that name an epoch, step or iteration.
"""

from __future__ import annotations

import re

from backprop_tui.readers.lazy_regex import lazy_compile

MAX_PREFIX_CHARS = 200

_PREFIX = lazy_compile(
    r"(?:"
    r"\[(?!\s*\d+\s*[,/\]])(?![^\]]{0,40}(?:epoch|step|iter))[^\[\]]{1,60}\]:?"  # a time or a rank, not [1/10]
    r"|\d{2,4}[-/]\d\d[-/]\d{2,4}(?:[T ]\d\d:\d\d:\d\d[\d.,]*\S{0,6})?"
    r"|\d\d:\d\d:\d\d[\d.,]*"
    r"|\(?(?:debug|info|notice|warning|warn)\b(?::[\w.]{1,60}:(?!\d))?[:)\]]?"
    r"|[IW]\d{4} [\d:.]{5,20}\s+\d{1,9}"  # absl and torch's own loggers
    r"|rank ?\d{1,5}:"
    r"|[-|:]"
    r")(?:\s+|(?<=[:\]])|$)",
    re.IGNORECASE,
)
# Accepted only after another prefix, since a message may itself start with a name and a colon.
_LOGGER_NAME = lazy_compile(
    r"(?!\S*(?:loss|acc\b|accuracy|ppl|step|epoch|iter))"
    r"(?:[\w./<>]{1,60}(?::\d{1,6})?[:\]]?(?: ?[-|:])?)(?<=[-|:\]])\s+",
    re.IGNORECASE,
)


def is_prefix(text: str) -> bool:
    """Returns whether the whole text is a logging prefix; `ValueError:` and sentences are not."""
    return prefix_end(text) >= len(text.rstrip())


def prefix_end(line: str) -> int:
    """Returns the index at which the message starts, after leading blanks and prefixes."""
    position = len(line) - len(line.lstrip())
    has_prefix = False
    while position < MAX_PREFIX_CHARS:
        match = _PREFIX.match(line, position)
        if match is None and has_prefix:
            match = _LOGGER_NAME.match(line, position)
        if match is None or match.end() == position:
            break
        has_prefix = True
        position = match.end()
    return position
