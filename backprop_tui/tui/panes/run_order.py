"""Which runs are listed and in which order: the filter, and sorting by a column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import field, replace

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    finite_loss,
    limit_seconds,
    running_seconds,
    share_done,
)

# The columns that the runs can be sorted by, and whether their largest value comes first: the best, the furthest and
# the nearest are first.
SORTS = {"name": False, "gpu": False, "progress": True, "step": True, "loss": False, "left": False, "eta": False}
NEWEST = "newest"
_CONDITION = r"(?:^|\s)(state|gpu|tag):(\S+)"
_STATE_ALIASES = {Status.COMPLETED: ("done",), Status.QUEUED: ("waiting", "held")}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """A regular expression and conditions such as `state:failed gpu:1 tag:x`.

    `text` is what was typed. An invalid expression is searched for literally.
    """

    text: str = ""
    _conditions: tuple[tuple[str, str], ...] = ()
    _pattern: re.Pattern[str] | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, text: str) -> RunFilter:
        conditions = tuple((match[1], match[2].lower()) for match in re.finditer(_CONDITION, text))
        expression = re.sub(_CONDITION, " ", text).strip()
        pattern = _compile_pattern(expression) if expression else None
        return cls(text=text.strip(), _conditions=conditions, _pattern=pattern)

    def __bool__(self) -> bool:
        return bool(self.text)

    def matches(self, run: KnownRun) -> bool:
        if not all(expected in _values(run, key) for key, expected in self._conditions):
            return False
        if self._pattern is None:
            return True
        record = run.record
        texts = (record["name"], *record["tags"], record["group"] or "", run.status, " ".join(record["command"]))
        return any(self._pattern.search(str(text)) for text in texts)


def _values(run: KnownRun, key: str) -> list[str]:
    match key:
        case "state":
            return [run.status.value, *_STATE_ALIASES.get(run.status, ())]
        case "tag":
            return [str(tag).lower() for tag in run.record["tags"]]
        case _:
            return [str(gpu["index"]) for gpu in run.record.get("gpus") or ()]


def _compile_pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error:
        return re.compile(re.escape(text), re.IGNORECASE)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunSort:
    """The column, and whether its largest value comes first."""

    key: str
    largest_first: bool = False

    @classmethod
    def by(cls, key: str) -> RunSort:
        """Sorted by a column in its natural direction."""
        return cls(key=key, largest_first=SORTS.get(key, True))


def next_sort(current: RunSort | None, key: str) -> RunSort | None:
    """The sorting after a click on a column's heading: by the column, then reversed, then the default order."""
    if current is None or current.key != key:
        return RunSort.by(key)
    natural = RunSort.by(key)
    return replace(natural, largest_first=not natural.largest_first) if current == natural else None


def sorted_runs(runs: Iterable[KnownRun], sort: RunSort, moment: Moment) -> list[KnownRun]:
    """The runs by a column; those without a value come last, in their old order."""
    keyed = [(_sort_key(run, sort.key, moment), run) for run in runs]
    with_key = [(key, run) for key, run in keyed if key is not None]
    with_key.sort(key=lambda pair: pair[0], reverse=sort.largest_first)
    return [*(run for _, run in with_key), *(run for key, run in keyed if key is None)]


def _sort_key(run: KnownRun, key: str, moment: Moment) -> tuple[float, str] | None:
    if key == "name":
        return 0.0, str(run.record["name"]).casefold()
    value = _number(run, key, moment)
    return None if value is None or math.isnan(value) else (float(value), "")


def _number(run: KnownRun, key: str, moment: Moment) -> float | None:
    live = run.live
    match key:
        case "gpu":
            return min((float(gpu["index"]) for gpu in run.record.get("gpus") or ()), default=None)
        case "step":
            return live.step if live is not None else run.record.get("step")
        case "loss":
            return finite_loss(run)
        case "newest":
            return from_iso(run.record.get("created_at"))
        case "progress" if live is not None:
            return share_done(live)
        case "eta" if live is not None:
            return live.eta_seconds
        case "left" if live is not None and run.run is not None:
            limit = limit_seconds(run)
            return None if limit is None else limit - running_seconds(live, moment)
        case _:
            return None
