"""The columns that runs are listed by: what each is called, how it is sorted, and what it says of a run.

A column has a key that can be stored: `step`, `arg:lr`, `last:val_loss`, `best:val_loss`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from backprop_tui.domain.arguments import has_path, is_seed_name
from backprop_tui.domain.formatting import time_or_none
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import (
    Direction,
    direction_of,
    is_bookkeeping,
    is_smoothed,
    is_validation,
    main_loss,
    name_words,
)
from backprop_tui.domain.objective import best_words
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    last_loss,
    limit_seconds,
    running_seconds,
    share_done,
    step_text,
)
from backprop_tui.presentation.objective import best_of_run, came_to_nothing, objective_of
from backprop_tui.presentation.places import place_of
from backprop_tui.presentation.run_facts import (
    best_value,
    metric_value,
    objective_best,
    settings_of,
    started_at,
    varying_settings,
)
from backprop_tui.presentation.run_line import BEST, LAST
from backprop_tui.presentation.states import PROBLEM_STATUSES

ARGUMENT = "arg:"
BEST_OF_RUN = "best"  # the best value of the run's own objective
_METRIC_CELLS, _MAX_ARGUMENT_CELLS, _DATE_CELLS = 7, 14, 12
_COMMON_SHARE = 0.2  # a metric of fewer runs than that gets no column of its own accord
_GIVEN_SHARE = 0.5  # nor does an argument of fewer: the names of those runs have it
_TELLING_SHARE = 0.1  # nor does what is the same in nearly all runs of each script

Value = float | str | None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunField:
    """A column: `value` sorts it and is None if a run has none; `text` is what it shows.

    Runs that are `is_behind` come after the others, whichever way they are sorted.
    `title` is for a heading, `label` stands alone; `largest_first` is the direction in which the best come first.
    """

    key: str
    title: str
    value: Callable[[KnownRun, Moment], Value]
    text: Callable[[KnownRun, Moment], str]
    cells: int
    label: str = ""
    right: bool = True
    largest_first: bool = False
    is_behind: Callable[[KnownRun], bool] = lambda _: False

    @property
    def words(self) -> str:
        return self.label or self.title


def field_of(key: str) -> RunField | None:
    """The column of a key; None for a key of another version."""
    return SORTABLE.get(key) or _made(key)


def qualified(field: RunField, shared: Collection[str]) -> RunField:
    """Its name, if it is among the `shared` ones, says of what it is: `--lr` the argument, `last lr` the metric."""
    kind, _, name = field.key.partition(":")
    leads = {ARGUMENT: "--", LAST: "last "}
    lead = leads.get(f"{kind}:", "") if name in shared else ""
    return replace(field, title=lead + field.title) if lead else field


def shared_names(runs: Iterable[KnownRun]) -> frozenset[str]:
    """The names of arguments that are also the name of a metric, or of a column that every store has."""
    records = [run.record for run in runs]
    arguments = frozenset(name for record in records for name in settings_of(record))
    return arguments & {*FIXED, *(str(name) for record in records for name in record.get("metrics") or ())}


@lru_cache(maxsize=512)
def _made(key: str) -> RunField | None:
    kind, colon, name = key.partition(":")
    if not colon or not name:
        return None
    shown = sanitize(name)
    if kind + colon == ARGUMENT:
        return RunField(
            key=key,
            title=shown,
            value=partial(_argument_value, name),
            text=lambda run, _: sanitize(settings_of(run.record).get(name, "")),
            cells=max(4, min(_MAX_ARGUMENT_CELLS, len(shown))),
        )
    if kind + colon not in (LAST, BEST):
        return None
    value_of = metric_value if kind + colon == LAST else best_value
    best = f"smoothed {shown}" if is_smoothed(name) else f"best {shown}"
    return RunField(
        key=key,
        title=shown if kind + colon == LAST else best,
        label="" if kind + colon == LAST else f"{best_words(name)} {shown}",
        value=lambda run, _: _finite(value_of(run.record, name)),
        text=lambda run, _: _metric_text(value_of(run.record, name)),
        cells=_METRIC_CELLS,
        largest_first=direction_of(name) is not Direction.MIN,
        is_behind=lambda run: came_to_nothing(run.record, name),
    )


def _argument_value(name: str, run: KnownRun, _: Moment) -> Value:
    text = settings_of(run.record).get(name)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _metric_text(value: float | None) -> str:
    return "" if value is None else numbers.metric(value)


def _took(run: KnownRun, moment: Moment) -> float | None:
    """How long it ran, or has run so far."""
    if run.live is not None:
        return running_seconds(run.live, moment)
    return run.record.get("duration_seconds")


def _took_text(run: KnownRun, moment: Moment) -> str:
    seconds = _took(run, moment)
    return "" if seconds is None else durations.elapsed(seconds)


def _date(at: float | None, now: float) -> str:
    """The time of day, with the date if it is another day, without the time in another year."""
    text = "" if at is None else durations.clock_of_day(at, now)
    return text if len(text) <= _DATE_CELLS else text.rpartition(" ")[0]


def _started(run: KnownRun) -> float | None:
    return None if run.status is Status.QUEUED else started_at(run.record)


def _ended(run: KnownRun) -> float | None:
    return time_or_none(run.record.get("ended_at"))


def _step_text(run: KnownRun) -> str:
    step = run.record.get("step")
    return step_text(run) if step is None else numbers.count(step)


def _tags(run: KnownRun) -> str:
    return " ".join(f"#{sanitize(str(tag))}" for tag in run.record["tags"])


def _gpus(run: KnownRun) -> str:
    here = "" if run.record.get("slurm") else str(run.record["host"])  # Slurm chose the machine of a job
    return place_of(run.record, here) if run.record.get("gpus") else ""


def _peak(run: KnownRun) -> float | None:
    return (run.record.get("peak") or {}).get("vram_bytes")


def _left(run: KnownRun, moment: Moment) -> float | None:
    limit = limit_seconds(run)
    return None if run.live is None or limit is None else limit - running_seconds(run.live, moment)


def _number(
    key: str,
    value: Callable[[KnownRun, Moment], float | None],
    *,
    text: Callable[[KnownRun, Moment], str] = lambda *_: "",
    label: str = "",
    cells: int = _METRIC_CELLS,
    largest_first: bool = False,
) -> RunField:
    return RunField(key=key, title=key, label=label, value=value, text=text, cells=cells, largest_first=largest_first)


def _text(
    key: str, text: Callable[[KnownRun], str], *, cells: int, value: Callable[[KnownRun], Value] | None = None
) -> RunField:
    return RunField(
        key=key,
        title=key,
        value=lambda run, _: (text(run).casefold() or None) if value is None else value(run),
        text=lambda run, _: text(run),
        cells=cells,
        right=False,
    )


# The columns that every store has; the first ones are figures of unfinished runs.
_FIXED = (
    _number("progress", lambda run, _: None if run.live is None else share_done(run.live), largest_first=True),
    _number("eta", lambda run, _: None if run.live is None else run.live.eta_seconds, label="ETA"),
    _number("left", _left, label="timebox left"),
    replace(
        _number(
            "loss",
            lambda run, _: _finite(last_loss(run)),
            text=lambda run, _: _metric_text(last_loss(run)),
            label="main loss",
        ),
        is_behind=lambda run: run.record["status"] in PROBLEM_STATUSES,
    ),
    _text("name", lambda run: run.label, cells=16),
    _number(
        "step", lambda run, _: run.record.get("step"), text=lambda run, _: _step_text(run), cells=9, largest_first=True
    ),
    _number("took", _took, text=_took_text, cells=6, largest_first=True),
    _number(
        "started",
        lambda run, _: _started(run),
        text=lambda run, moment: _date(_started(run), moment.wall),
        cells=_DATE_CELLS,
        largest_first=True,
    ),
    _number(
        "ended",
        lambda run, _: _ended(run),
        text=lambda run, moment: _date(_ended(run), moment.wall),
        cells=_DATE_CELLS,
        largest_first=True,
    ),
    _number(
        "created",
        lambda run, _: time_or_none(run.record.get("created_at")),
        text=lambda run, moment: _date(time_or_none(run.record.get("created_at")), moment.wall),
        label="newest first",
        largest_first=True,
    ),
    _text(
        "gpu",
        _gpus,
        cells=4,
        value=lambda run: min((float(gpu["index"]) for gpu in run.record.get("gpus") or ()), default=None),
    ),
    _text("tags", _tags, cells=12),
    _text("group", lambda run: sanitize(str(run.record.get("group") or "")), cells=12),
    _text("id", lambda run: run.id, cells=8),
    _text("host", lambda run: sanitize(str(run.record["host"])), cells=10),
    _text("note", lambda run: sanitize(str(run.record.get("note") or "")), cells=24),
    _number(
        "vram",
        lambda run, _: _peak(run),
        text=lambda run, _: "" if _peak(run) is None else numbers.memory_size(_peak(run)),
        label="peak GPU memory",
        largest_first=True,
    ),
)
FIXED: dict[str, RunField] = {field.key: field for field in _FIXED}
_COMMANDS_ONLY = (  # the dashboard's own order has them already
    _number("priority", lambda run, _: run.record["priority"], largest_first=True),
    _number("status", lambda run, _: list(Status).index(run.status)),
    replace(
        _number(
            BEST_OF_RUN,
            lambda run, _: _finite(objective_best(run.record)),
            text=lambda run, _: _metric_text(objective_best(run.record)),
        ),
        is_behind=lambda run: (
            (best := best_of_run(run.record)) is not None and came_to_nothing(run.record, best[0].metric)
        ),
    ),
)
SORTABLE: dict[str, RunField] = FIXED | {field.key: field for field in _COMMANDS_ONLY}
LISTED = (
    "step",
    "took",
    "started",
    "ended",
    "gpu",
    "tags",
    "group",
    "note",
    "id",
    "host",
    "vram",
)  # that rows can have


def chosen_by_default(runs: Sequence[KnownRun]) -> list[str]:
    """The columns of these ended runs, the most telling first: time, objective, arguments, duration, other results.

    Columns that are empty for most runs, or that tell hardly any apart, are not among them; an objective may be rare.
    Nor is a metric that has the words of another one: scripts print `val loss` and report `val_loss`.
    """
    metrics = _metrics_by_weight(runs)
    primary = _objectives(runs)[:1] or metrics[:1]
    results = [BEST + name for name in primary if any(name in (run.record.get("best") or ()) for run in runs)]
    last = [LAST + name for name in primary]
    if not results:
        results, last = last, []
    by_words: dict[tuple[str, ...], str] = {}
    for name in (*primary, *metrics):
        by_words.setdefault(name_words(name), name)
    rest = [LAST + name for name in by_words.values() if name not in primary]
    steps = Counter(step for run in runs if (step := run.record.get("step")) is not None)
    step = ["step"] if steps.total() - max(steps.values(), default=0) >= _TELLING_SHARE * len(runs) else []
    names = [ARGUMENT + name for name in _telling_arguments(runs)]
    return ["started", *results, *names[:2], "took", *names[2:4], *last, *step, *rest[:1], *names[4:6], *rest[1:3]]


def _told_apart(runs: Iterable[KnownRun], value_of: Callable[[KnownRun], Hashable]) -> int:
    """How many runs have another value than most runs of their script, or none where those have one."""
    by_script: dict[str, Counter[Hashable]] = {}
    for run in runs:
        by_script.setdefault(str(run.record.get("script") or run.name), Counter())[value_of(run)] += 1
    return sum(counts.total() - max(counts.values()) for counts in by_script.values())


def is_diverged(run: KnownRun) -> bool:
    """Whether its last loss is NaN or infinite."""
    loss = last_loss(run)
    return loss is not None and not math.isfinite(loss)


def own_result(run: KnownRun) -> tuple[str, str] | None:
    """The key and the value of what a run is ranked by, else of its main loss; of a diverged run always that loss."""
    best = None if is_diverged(run) else best_of_run(run.record)
    if best is not None:
        return BEST + best[0].metric, _metric_text(best[1].value)
    name = main_loss(list(run.record.get("metrics") or {}))
    return None if name is None else (LAST + name, _metric_text(metric_value(run.record, name)))


def _telling_arguments(runs: Sequence[KnownRun]) -> list[str]:
    """The arguments that most runs have and that tell some of a script apart, the most first, and seeds last."""
    given = Counter(name for run in runs for name in settings_of(run.record))
    common = [name for name in varying_settings(runs) if given[name] >= _GIVEN_SHARE * len(runs)]
    paths = {name for name in common if has_path(settings_of(run.record).get(name) for run in runs)}
    weights = {name: _told_apart(runs, partial(_setting, name)) for name in common}
    telling = [name for name in common if name not in paths and weights[name] >= _TELLING_SHARE * len(runs)]
    return sorted(telling, key=lambda name: (is_seed_name(name), -weights[name]))


def _setting(name: str, run: KnownRun) -> str | None:
    return settings_of(run.record).get(name)


def _objectives(runs: Iterable[KnownRun]) -> list[str]:
    """The metrics that the runs are ranked by, the most frequent first."""
    counts: dict[str, int] = {}
    for run in runs:
        objective = objective_of(run.record)
        if objective is not None and objective.direction is not None:
            counts[objective.metric] = counts.get(objective.metric, 0) + 1
    return sorted(counts, key=lambda name: -counts[name])


def _metrics_by_weight(runs: Sequence[KnownRun]) -> list[str]:
    """The metrics that are results: those that most runs have, of them the loss and those of validation data first.

    Rare ones are left out.
    """
    counts: dict[str, int] = {}
    for run in runs:
        for name in run.record.get("metrics") or ():
            counts[name] = counts.get(name, 0) + 1
    common = [name for name, count in counts.items() if count >= _COMMON_SHARE * len(runs) and not is_bookkeeping(name)]
    loss = main_loss(common)
    half = _GIVEN_SHARE * len(runs)
    return sorted(common, key=lambda name: (counts[name] < half, name != loss, not is_validation(name), -counts[name]))


def all_columns(runs: Sequence[KnownRun]) -> list[str]:
    """Every column that has something to show of these runs: arguments that vary, metrics and their best values."""
    metrics, best = _names_in(runs, "metrics"), _names_in(runs, "best")
    keys = [ARGUMENT + name for name in varying_settings(runs)]
    for name in dict.fromkeys([*metrics, *best]):
        keys += [LAST + name] if name in metrics else []
        keys += [BEST + name] if name in best else []
    return [*keys, *LISTED]


def _names_in(runs: Iterable[KnownRun], field: str) -> dict[str, None]:
    """The names in a field of the records, in their first order; most runs have the same ones."""
    different = dict.fromkeys(tuple(run.record.get(field) or ()) for run in runs)
    return dict.fromkeys(str(name) for names in different for name in names)
