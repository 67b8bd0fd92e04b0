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
_COMMA = re.compile(r",(?![^\[({]*[\])}])")  # none within `{1,2}` or `[,;]`


@kept_per_run
def search_fields(run: KnownRun) -> tuple[str, ...]:
    """All that words are searched in, in lower case, each text once."""
    record = run.record
    texts = (
        *(*name_fields(run), record["id"], status_word(record["status"]), record["group"], record["note"]),
        *(*record["tags"], " ".join(record["command"])),
        *(record.get("reason"), *(reason["message"] for reason in record["hold_reasons"])),
        *((cause_text(record), cause_of(record).get("evidence")) if record.get("cause") else ()),
    )
    return tuple(dict.fromkeys(str(text).lower() for text in texts if text))


@kept_per_run
def search_text(run: KnownRun) -> str:
    """The same, a line each: plain text is found in it at once."""
    return "\n".join(search_fields(run))


def name_fields(run: KnownRun) -> tuple[str, ...]:
    """The name of a run as rows show it, as it was given, and without the arguments that tell it from others."""
    return tuple(dict.fromkeys((run.label.lower(), run.name.lower(), split_point(run.name)[0].lower())))


def field_search(text: str) -> Callable[[str], object] | None:
    """Finds the text, which may be a regular expression, in lower case; None if it is plain text."""
    if _PLAIN.fullmatch(text):
        return None
    literal = re.escape(text.lower())
    for pattern in (f"(?:{text})|{literal}", text):  # flags such as `(?s)` can only stand at the front
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `[[` may mean something else in a later Python
                return re.compile(pattern, re.IGNORECASE | re.MULTILINE).search
        except re.error:
            pass
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
