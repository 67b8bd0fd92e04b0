"""The runs in the order of one of their columns, instead of that in which they live."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.snapshot import KnownRun, Moment
from backprop_tui.tui.view.groups import loss_of
from backprop_tui.tui.view.run_row import eta_seconds, running_seconds, share_done

# By the word that heads the column: which way it is wanted first. The best, the furthest and the nearest come first.
SORTS = {"name": False, "gpu": False, "progress": True, "step": True, "loss": False, "left": False, "eta": False}
NEWEST = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """The column, and whether the largest stands first."""

    key: str
    largest_first: bool = False

    @classmethod
    def by(cls, key: str) -> Sort:
        """As that column is wanted first."""
        return cls(key=key, largest_first=SORTS.get(key, True))


def clicked(now: Sort | None, key: str) -> Sort | None:
    """What a click on the head of a column makes of it: sorted, then the other way round, then as it was."""
    if now is None or now.key != key:
        return Sort.by(key)
    first = Sort.by(key)
    return replace(first, largest_first=not first.largest_first) if now == first else None


def sorted_runs(runs: Iterable[KnownRun], sort: Sort, moment: Moment) -> list[KnownRun]:
    """What has no such figure stands at the end, in the order it came."""
    figures = [(_figure(one, sort.key, moment), one) for one in runs]
    known = [(figure, one) for figure, one in figures if figure is not None]
    known.sort(key=lambda found: found[0], reverse=sort.largest_first)
    return [*(one for _, one in known), *(one for figure, one in figures if figure is None)]


def _figure(run: KnownRun, key: str, moment: Moment) -> tuple[float, str] | None:
    """What it is sorted by: a name as text, everything else as a number."""
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
            return loss_of(run)
        case "newest":
            return from_iso(run.record.get("created_at"))
        case "progress" if live is not None:
            return share_done(live)
        case "eta" if live is not None:
            return eta_seconds(run, live)
        case "left" if live is not None and run.run is not None:
            limit = timebox_seconds(run.run)
            return None if limit is None else limit - running_seconds(live, moment)
        case _:
            return None
