"""Prefixes that loggers and launchers print before a message: a time, a level, a logger, a rank, a file and line.

Any `[word]` is skipped as a prefix, except counts such as `[1/10]` and brackets that name an epoch, step or iteration.
"""

from __future__ import annotations

import re

from backprop_tui.readers.lazy_regex import lazy_compile

MAX_PREFIX_CHARS = 200

_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[AP]M\b)?"
_MONTH_DAY = (
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w{0,6} +\d{1,2}"
)
_LEVEL = r"(?:debug|info|notice|warning|warn|success)"
_FILE_AND_LINE = r"[\w./<>-]{1,80}\.(?:py|pyx|cc|cpp|cu|c|h|hpp|rs|go|jl):\d{1,6}"
_PREFIX = lazy_compile(
    r"(?:"
    # A time, a rank, a level or a name, but no [1/10], no [12], no [epoch=1].
    r"\[(?!\s*\d+\s*(?:\]|[,/]\s*\d+\s*[\](]))(?![^\]]{0,40}(?:epoch|step|iter|batch[ =]))[^\[\]]{1,60}\]:?"
    r"|\[\d{1,4},\d{1,5}\]<\w{1,8}>:"  # mpirun --tag-output
    rf"|\(?\d{{2,4}}[-/.]\d\d[-/.]\d{{2,4}}(?:[T ,]{_CLOCK}\S{{0,6}})?\)?"
    rf"|\d{{1,2}}/\d{{1,2}} {_CLOCK}"
    r"|\[?1[4-9]\d{8}(?:\.\d{1,9})?\]?(?=\s)"  # seconds since 1970
    rf"|{_MONTH_DAY}(?:,? \d{{4}})?(?: {_CLOCK}(?: \d{{4}})?)?"
    r"|\d\d:\d\d:\d\d[\d.,]*"
    rf"|[\[(<]?{_LEVEL}\b(?::[\w.]{{1,60}}:(?!\d))?\s{{0,3}}[:)\]>]?"
    r"|[IWD]\d{4,8} [\d:.]{5,30}\s+\d{1,20}(?: [\w./<>-]{1,80}:\d{1,6}\])?"  # absl, glog and torch's own loggers
    rf"|{_FILE_AND_LINE}(?=[\]:)\s|])[\]:)]?"
    r"|\(\w[\w .-]{0,60}\bpid=\d{1,10}[^()]{0,60}\)|\(pid=\d{1,10}[^()]{0,60}\)"  # ray
    r"|[\w.-]{1,60}-\d{1,4} +\|"  # docker compose
    r"|(?:wandb|gpu|rank|worker|node) ?\d{0,5}:"
    r"|\d{1,4}:(?= +[A-Za-z\[])"  # srun --label
    r"|>>|[-|:>•]|=+>"
    r")(?:\s+|(?<=[:\])])|$)",
    re.IGNORECASE,
)
# Accepted only after another prefix, since a message may itself start with a name and a colon.
_NO_LOGGER = (
    r"(?!\S*(?:loss|acc\b|accuracy|ppl|step|epoch|iter|reward|eta\b))"
    r"(?!(?:val|valid|validation|test|eval|evaluation|dev|train)\b)"
)
_LOGGER_NAME = lazy_compile(
    r"[\w.]{1,60}:[\w<>]{1,60}:\d{1,6} - "  # loguru
    rf"|{_NO_LOGGER}"
    r"(?:[\w./<>]{1,60}(?::\w{1,60})?(?::\d{1,6})?"
    r"(?: (?=debug\b|info\b|warning\b)|(?:[:\]]?(?: ?[-|:])?)(?<=[-|:\]]))\s*)"
    r"(?<=[\s\]])"
    r"|\([\w.]{1,60}[: ]\d{1,6}\):?\s+"
    r"|[\w.-]{1,60} [\w./-]{1,60}\[\d{1,10}\]:\s+",  # syslog
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
