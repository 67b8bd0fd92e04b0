"""`compare`: where runs differ in what was asked of them, and what came of it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence

from backprop_tui.cli import diagnostics, figures, output, tables, terminal
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP, resolve_all
from backprop_tui.cli.session import Session
from backprop_tui.cli.several import current
from backprop_tui.domain.course import Course, Extreme
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import less_is_better
from backprop_tui.domain.values import dataclass
from backprop_tui.store.asked_options import options_of
from backprop_tui.store.fields import JsonObject, encode_metrics
from backprop_tui.store.metrics import Series
from backprop_tui.store.metrics_file import history
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.views import view

SUMMARY = "compare runs: the options that differ, final and best metrics"

_LABEL_LEAST = 12
_CELL = 16  # columns that a run needs on average; those that find no room go below
_LABEL = 22


@dataclass(frozen=True, slots=True)
class _Compared:
    """A run, what was asked of it, and its metrics."""

    record: JsonObject
    options: Mapping[str, str]
    metrics: Mapping[str, Course]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two RUNs or more."""
    parser.add_argument("runs", metavar="RUN", nargs="+", help=f"{HELP}; a group is all of its runs")
    parser.add_argument("--all", action="store_true", help="the options too that are the same")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Prints what differs, then how it went."""
    run_ids = resolve_all(session, arguments.runs)
    if len(run_ids) < 2:
        raise UsageError("compare wants two runs at least; show tells of one")
    compared = [_compared(session, run_id) for run_id in run_ids]
    options = _options(compared, everything=arguments.all)
    names = list(dict.fromkeys(name for one in compared for name in one.metrics))
    if session.json:
        output.json_value(_as_json(compared, options, names))
        return OK
    if not options:
        diagnostics.say("they were asked for the same")
    rows = [*_outcomes(compared), *options.items(), *_metrics(compared, names)]
    for begin, end in _chunks(len(compared)):
        if begin:
            output.line()
        columns = (
            tables.Column(title="RUN", least=_LABEL_LEAST, middle=True),
            *(tables.Column(title=one.record["id"], least=6, middle=True) for one in compared[begin:end]),
        )
        tables.show(columns, [(label, *cells[begin:end]) for label, cells in rows])
    return OK


def _compared(session: Session, run_id: str) -> _Compared:
    record = current(session, run_id)
    try:
        run = view(session.home, run_id).run
    except FileNotFoundError:  # the original recorded it
        run = None
    metrics = history(RunDirectory(session.home.run_folder(run_id)))
    return _Compared(record, options_of(record, run), metrics or _of_record(record))


def _of_record(record: JsonObject) -> dict[str, Course]:
    """The last values, which is all that is known where no history was kept."""
    found: dict[str, Course] = {}
    for name, value in record["metrics"].items():
        series = Series(name)
        series.add(float(value), record["step"])
        found[name] = series.course()
    return found


def _options(compared: Sequence[_Compared], *, everything: bool) -> dict[str, list[str]]:
    names = dict.fromkeys(name for one in compared for name in one.options)
    found = {name: [one.options.get(name, tables.NOTHING) for one in compared] for name in names}
    return {name: cells for name, cells in found.items() if everything or len(set(cells)) > 1}


def _chunks(count: int) -> Iterator[tuple[int, int]]:
    """Which runs stand beside each other."""
    width = terminal.width()
    fit = count if width is None else max(1, (width - _LABEL) // _CELL)
    yield from ((begin, min(begin + fit, count)) for begin in range(0, count, fit))


def _outcomes(compared: Sequence[_Compared]) -> Iterator[tuple[str, list[str]]]:
    records = [one.record for one in compared]
    yield "name", [record["name"] for record in records]
    yield "status", [record["status"] for record in records]
    yield "time", [figures.seconds(record["duration_seconds"]) for record in records]
    yield "step", [figures.count(record["step"]) for record in records]


def _metrics(compared: Sequence[_Compared], names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Last and best of each; a star marks the best of all."""
    for name in names:
        series = [one.metrics.get(name) for one in compared]
        yield f"{name} last", _cells(name, [None if one is None else one.last for one in series])
        if less_is_better(name) is not None:
            yield f"{name} best", _cells(name, [None if one is None else one.best for one in series])


def _cells(name: str, extremes: Sequence[Extreme | None]) -> list[str]:
    values = [one.value for one in extremes if one is not None and math.isfinite(one.value)]
    less = less_is_better(name)
    winner = None if less is None or len(set(values)) < 2 else (min(values) if less else max(values))
    return [tables.NOTHING if one is None else _cell(one.value, winner) for one in extremes]


def _cell(value: float, winner: float | None) -> str:
    shown = figures.measure(value) if math.isfinite(value) else str(value)
    return f"{shown} *" if value == winner else shown


def _as_json(compared: Sequence[_Compared], options: Mapping[str, Sequence[str]], names: Sequence[str]) -> JsonObject:
    return {
        "runs": [one.record for one in compared],
        "options": options,
        "metrics": {
            name: {
                "last": [_extreme(one.metrics.get(name), "last") for one in compared],
                "best": [_extreme(one.metrics.get(name), "best") for one in compared],
            }
            for name in names
        },
    }


def _extreme(series: Course | None, which: str) -> JsonObject | None:
    extreme = None if series is None else series.last if which == "last" else series.best
    return None if extreme is None else {"step": extreme.step, **encode_metrics({"value": extreme.value})}
