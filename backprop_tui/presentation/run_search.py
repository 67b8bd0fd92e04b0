"""What the words of a filter are searched in, field by field, and how a word is understood."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial

from backprop_tui.domain.run_names import split_point
from backprop_tui.presentation.known_run import KnownRun, kept_per_run
from backprop_tui.presentation.states import cause_of, cause_text, status_word

_PLAIN = re.compile(r"[\w\s/=,:@%~-]*")  # what no regular expression is needed for
_BY_FIELD = re.compile(r"\(\?|\\[AZ]|[*+?}]\+")  # may match another part of a text that has more before or after it
_CASED = re.compile(r"\\[xuUN0-7]|\(\?|\[[^\]]*.-[^\]]")  # letters that cannot be seen, or in a range
_RANGES = re.compile(r"[a-z]-[a-z]|[0-9]-[0-9]")
_ESCAPED = re.compile(r"\\.|[^\\]+", re.DOTALL)
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[*+?]|\{[^}]*\}|[\w\s/=,:@%~-]|.", re.DOTALL)
_ANYTHING_FIRST = re.compile(r"\A\^?(?:\.\*\??)+")  # says nothing in front of a match
_COMMA = re.compile(r",(?![^\[({]*[\])}])")  # none within `{1,2}` or `[,;]`


@kept_per_run
def search_text(run: KnownRun) -> str:
    """All that words are searched in, in lower case, each text once and in a line of its own."""
    record = run.record
    texts = (
        *(*name_fields(run), record["id"], status_word(record["status"]), record["group"], record["note"]),
        *(*record["tags"], " ".join(record["command"])),
        *(record.get("reason"), *(reason["message"] for reason in record["hold_reasons"])),
        *((cause_text(record), cause_of(record).get("evidence")) if record.get("cause") else ()),
    )
    return "\n".join(dict.fromkeys(str(text).lower().replace("\n", " ") for text in texts if text))


def name_fields(run: KnownRun) -> tuple[str, ...]:
    """The name of a run as rows show it, as it was given, and without the arguments that tell it from others."""
    return tuple(dict.fromkeys((run.label.lower(), run.name.lower(), split_point(run.name)[0].lower())))


def line_search(text: str) -> Callable[[str, object], bool] | None:
    """Finds the text, which may be a regular expression, in a line of a lower-case text; None if it is plain text.

    A search in the whole text takes a third of the time of one in each line, and most runs have no match.
    """
    search = field_search(text)
    if search is None:
        return None
    if _BY_FIELD.search(text):
        return lambda lines, _: any(map(search, lines.split("\n")))
    literal, needed = text.lower(), necessary(text)
    quick = _compiled(_ANYTHING_FIRST.sub("", text)) or search

    def finds(lines: str, _: object) -> bool:
        if needed not in lines:
            return False
        match = quick(lines)
        if match is not None and "\n" not in match[0]:
            return True
        return literal in lines or (match is not None and any(map(search, lines.split("\n"))))

    return finds


def necessary(text: str) -> str:
    """The longest part of a regular expression that is in each of its matches as it is; empty if none is known."""
    if not text.isascii() or "(?" in text or re.search(r"\\[xuUN0-7]", text):
        return ""
    parts, depth = [""], 0
    for part in _TOKEN.findall(text):
        depth += (part == "(") - (part == ")")
        if depth < 0 or (depth == 0 and part == "|"):
            return ""
        if depth == 0 and _PLAIN.fullmatch(part):
            parts[-1] += part
            continue
        if part[0] in "*?{":
            parts[-1] = parts[-1][:-1]
        parts.append("")
    return max(parts, key=len).lower()


def field_search(text: str) -> Callable[[str], re.Match[str] | None] | None:
    """Finds the text, which may be a regular expression, in lower case; None if it is plain text."""
    if _PLAIN.fullmatch(text):
        return None
    return _compiled(f"(?:{text})|{re.escape(text.lower())}") or _compiled(text)  # flags as `(?s)` only in front


def _compiled(pattern: str) -> Callable[[str], re.Match[str] | None] | None:
    """Searches lower-case texts: without ignoring case, which is slower, if that makes no difference."""
    is_cased = not pattern.isascii() or _CASED.search(_RANGES.sub("", pattern))
    if not is_cased:
        pattern = _ESCAPED.sub(lambda part: part[0] if part[0][0] == "\\" else part[0].lower(), pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `[[` may mean something else in a later Python
            return re.compile(pattern, re.MULTILINE | re.IGNORECASE if is_cased else re.MULTILINE).search
    except re.error:
        return None


def matcher_of(values: str) -> Callable[[Sequence[str]], bool]:
    """Whether any of the fields of a run contains one of the values, which commas separate."""
    searches = [field_search(part) or partial(_is_in, part.lower()) for part in _COMMA.split(values) if part]
    if len(searches) == 1:
        search = searches[0]
        return lambda fields: any(map(search, fields))
    return lambda fields: any(any(map(search, fields)) for search in searches)


def _is_in(part: str, text: str) -> bool:
    return part in text
