"""Runs side by side: their results, the options they were started with, and which of them is best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import Direction, is_smoothed, main_loss
from backprop_tui.domain.objective import Objective, Ranking, best_words, direction_for, rank
from backprop_tui.domain.run import Run
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import KnownRun, Moment, progress_of, running_seconds, step_text
from backprop_tui.presentation.objective import best_in, best_on_record, last_on_record, scores_of
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.option_table import NOT_SET, options_of

if TYPE_CHECKING:
    from backprop_tui.domain.metric_series import MetricSeries

_NAME_SEPARATORS = ":, "


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """`metrics` are the points that were read; `is_read` is False while some may be missing.

    A run without points of a metric may have its last and best value on record.
    """

    known: KnownRun
    metrics: Mapping[str, MetricSeries]
    is_read: bool = True

    @property
    def run(self) -> Run | None:
        """None if only the index knows it."""
        return self.known.run

    @property
    def record(self) -> JsonObject:
        return self.known.record

    def last_of(self, name: str) -> Extreme | None:
        series = self.metrics.get(name)
        if series is not None:
            return series.last
        return last_on_record(self.record, name) if name in (self.record.get("metrics") or ()) else None

    def best_of(self, name: str, direction: Direction | None) -> Extreme | None:
        series = self.metrics.get(name)
        if series is not None:
            return best_in(self.record, series, direction)
        return None if direction is None else best_on_record(self.record, name)


ComparedRunT = TypeVar("ComparedRunT", bound=ComparedRun)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """A labeled cell for each run; `best` has the indices of the best values if the direction is known."""

    label: str
    cells: tuple[str, ...]
    best: frozenset[int] = frozenset()


def metric_names(runs: Iterable[ComparedRun]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(name for run in runs for name in (*run.metrics, *map(str, run.record.get("metrics") or ())))
    )


def default_metric(names: Iterable[str]) -> str | None:
    """The loss, else the first metric; None if there is none."""
    known = list(names)
    return main_loss(known) or next(iter(known), None)


def ranking_of(runs: Sequence[ComparedRun], metric: str | None = None) -> Ranking:
    """The runs by their common objective, or by `metric`."""
    return rank({run.known.id: scores_of(run.record, run.metrics) for run in runs}, metric=metric, or_last=True)


def in_order(runs: Sequence[ComparedRunT], ranking: Ranking) -> list[ComparedRunT]:
    by_id = {run.known.id: run for run in runs}
    return [by_id[run_id] for run_id in ranking.order]


def uneven_progress(progress: Iterable[tuple[int | None, int | float | None]]) -> str:
    """`unequal epochs (3-10)` of runs with these steps and epochs, without epochs `unequal steps (500-2,000)`.

    Empty if they are about equally far, or if nothing is known about it.
    """
    from backprop_tui.domain.spread import equally_far  # the list of runs does without

    steps, epochs = zip(*progress, strict=True) if (progress := list(progress)) else ((), ())
    known = next(((word, of) for word, of in (("epochs", epochs), ("steps", steps)) if None not in of), None)
    if known is None or equally_far(known[1]):
        return ""
    least, most = (numbers.count(int(value)) for value in (min(known[1]), max(known[1])))
    return f"unequal {known[0]} ({least}-{most})"


def uneven_text(runs: Sequence[ComparedRun], ranking: Ranking) -> str:
    """How far the ranked runs have come, if that differs: then the best is none at equal progress."""
    ranked = {run_id for run_id, _ in ranking.ranked}
    return uneven_progress(_step_and_epoch(run) for run in runs if run.known.id in ranked)


def _step_and_epoch(run: ComparedRun) -> tuple[int | None, int | float | None]:
    step, _, epoch, _ = progress_of(run.known)
    last = [series.last.step for series in run.metrics.values() if series.last is not None]
    return max((at for at in (step, *last) if at is not None), default=None), epoch


def outcome_rows(runs: Sequence[ComparedRun], moment: Moment) -> Iterator[ComparisonRow]:
    yield ComparisonRow(label="step", cells=tuple(step_text(run.known) or numbers.NOTHING for run in runs))
    seconds = [
        run.record.get("duration_seconds") if run.known.live is None else running_seconds(run.known.live, moment)
        for run in runs
    ]
    yield ComparisonRow(label="took", cells=tuple(map(durations.elapsed, seconds)))
    peaks = [None if run.run is None else run.run.peak.vram_bytes for run in runs]
    if any(peaks):
        yield ComparisonRow(label="peak VRAM", cells=tuple(numbers.memory_size(peak) for peak in peaks))


def metric_rows(
    runs: Sequence[ComparedRun], name: str, *, last: bool = True, objective: Objective | None = None
) -> Iterator[ComparisonRow]:
    """The last values of a metric, and its best ones if it is known which direction is better."""
    direction = direction_for(name, objective)
    if last or direction is None:
        # The last loss of a minibatch is noise, so no best one is marked.
        compared = None if is_smoothed(name) else direction
        yield metric_row(name, "last", [run.last_of(name) for run in runs], compared)
    if direction is not None:
        best = [run.best_of(name, direction) for run in runs]
        yield metric_row(name, best_words(name), best, direction, with_step=True)


def metric_row(
    name: str, kind: str, values: Sequence[Extreme | None], direction: Direction | None, *, with_step: bool = False
) -> ComparisonRow:
    """One kind of value of a metric for each run, with the best of them, unless all are equal."""
    finite = {
        index: value.value for index, value in enumerate(values) if value is not None and math.isfinite(value.value)
    }
    best: frozenset[int] = frozenset()
    if direction is not None and len(set(finite.values())) > 1:
        winner = min(finite.values()) if direction is Direction.MIN else max(finite.values())
        best = frozenset(index for index, value in finite.items() if value == winner)
    cells = tuple(value_text(value, with_step=with_step) for value in values)
    return ComparisonRow(label=f"{sanitize(name)} ({kind})", cells=cells, best=best)


def value_text(value: Extreme | None, *, with_step: bool = False) -> str:
    if value is None:
        return numbers.NOTHING
    where = f" at {numbers.count(value.step)}" if with_step and value.step is not None else ""
    return numbers.metric(value.value) + where


def option_rows(runs: Sequence[ComparedRun]) -> list[ComparisonRow]:
    options = [options_of(run.record, run.run) for run in runs]
    return [
        ComparisonRow(label=sanitize(name), cells=tuple(sanitize(of_run.get(name, NOT_SET)) for of_run in options))
        for name in dict.fromkeys(name for of_run in options for name in of_run)
    ]


def differing(rows: Iterable[ComparisonRow]) -> list[ComparisonRow]:
    return [row for row in rows if len(set(row.cells)) > 1]


def difference_row(kind: str, values: Sequence[float | None], baseline: str) -> ComparisonRow | None:
    """By how much each value of a kind, such as `best`, differs from that of `baseline`; None if that has none."""
    base = values[0] if values else None
    if base is None:
        return None
    cells = ["baseline", *numbers.signed_metrics([None if value is None else value - base for value in values[1:]])]
    return ComparisonRow(label=f"{kind} - {baseline}", cells=tuple(cells))


def mean_row(runs: Sequence[ComparedRun], metric: str) -> ComparisonRow | None:
    """For each run the mean of the compared ones that differ from it only in their seed; None if there are none."""
    from backprop_tui.presentation.group_table import group_table  # the list of runs does without
    from backprop_tui.presentation.group_words import mean_text, repetitions

    table = group_table([run.record for run in runs], metric=metric if _is_recorded(runs, metric) else None)
    if table.metric != metric or not any(row.spread is not None and row.spread.count > 1 for row in table.rows):
        return None
    texts = {member.run_id: mean_text(row) for row in table.rows for member in row.members}
    counts = sorted({row.spread.count for row in table.rows if row.spread is not None})
    size = f"{counts[0]}-{counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    label = f"mean of {size} compared {repetitions(table)}"  # the group may have more of them
    return ComparisonRow(label=label, cells=tuple(texts[run.known.id] for run in runs))


def _is_recorded(runs: Sequence[ComparedRun], metric: str) -> bool:
    return any(metric in (run.record.get("metrics") or {}) for run in runs)


def member_names(names: Sequence[str]) -> list[str]:
    """The part of each name that tells it from the others: without a shared beginning, and without shared words.

    A beginning is cut at a separator.
    """
    if not names:
        return []
    first, last = min(names), max(names)  # what these two share, all names between them share
    size = next((index for index, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), 0)
    cut = max((first.rfind(separator, 0, size) for separator in _NAME_SEPARATORS), default=-1) + 1
    words = [name[cut:].replace(",", " ").split(" ") for name in names]
    shared = set.intersection(*map(set, words)) if len(words) > 1 else set()
    return [
        " ".join(word for word in of_name if word not in shared) or " ".join(of_name) or name
        for of_name, name in zip(words, names, strict=True)
    ]
