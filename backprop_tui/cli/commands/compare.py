"""`compare`: where runs differ in what was asked of them, what came of it, and their curves over each other."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence

from backprop_tui.cli import curves, diagnostics, figures, output, tables, terminal, values
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.measured import Measured, best_first, encoded, measured, metric_to_compare
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve
from backprop_tui.domain.course import Course, Extreme
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import less_is_better
from backprop_tui.plotting.track import Track
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.option_table import options_of

SUMMARY = "compare runs: the options that differ, final and best metrics, curves"

USUAL_TOP = 12
_LABEL_LEAST = 12
_CELL = 16  # columns that a run needs on average; those that find no room go below
_LABEL = 22
_CURVE_ROWS = 12
_CURVE_POINTS = 512  # of each curve in JSON, about


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two RUNs or more, and how."""
    parser.add_argument("runs", metavar="RUN", nargs="+", help=f"{HELP}; a group is its runs, the best first")
    parser.add_argument("--all", action="store_true", help="the options too that are the same")
    parser.add_argument("--metric", metavar="NAME", help="whose curves, and by which a group is ordered (the loss)")
    parser.add_argument(
        "--top",
        metavar="N",
        type=values.whole(least=2),
        default=USUAL_TOP,
        help=f"of a group only the N best ({USUAL_TOP})",
    )
    curves.add_curve_options(parser)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Prints what differs, how it went, then the curves."""
    compared, left_out = _chosen(session, arguments)
    metric = metric_to_compare(compared, arguments.metric)
    asked = curves.how(arguments)
    options = _options(compared, everything=arguments.all)
    names = list(dict.fromkeys(name for one in compared for name in one.metrics))
    tracks = [
        curves.track_of(course, one.run, asked.by)
        for one in compared
        if metric is not None and (course := one.metrics.get(metric)) is not None
    ]
    if session.json:
        output.json_value(_as_json(compared, options, names, metric=metric, tracks=tracks, asked=asked))
        return OK
    if left_out:
        diagnostics.say(f"the best {len(compared)} of {len(compared) + left_out} by {metric}; --top N shows more")
    if not options:
        diagnostics.say("they were asked for the same")
    _show_table(compared, options, names)
    if metric is not None:
        _show_curves(compared, metric, asked)
    return OK


def _chosen(session: Session, arguments: argparse.Namespace) -> tuple[list[Measured], int]:
    """The runs, and how many are left out; in the order they were named in, but a group best first."""
    resolved = [resolve(session, handle) for handle in arguments.runs]
    run_ids = list(dict.fromkeys(run_id for found in resolved for run_id in found))
    if len(run_ids) < 2:
        raise UsageError("compare wants two runs at least; show tells of one")
    found = [measured(session, run_id) for run_id in run_ids]
    if not any(len(one) > 1 for one in resolved):
        return found, 0
    ordered = best_first(found, metric_to_compare(found, arguments.metric))
    return ordered[: arguments.top], len(ordered[arguments.top :])


def _show_table(compared: Sequence[Measured], options: Mapping[str, list[str]], names: Sequence[str]) -> None:
    rows = [*_outcomes(compared), *options.items(), *_metrics(compared, names)]
    for begin, end in _chunks(len(compared)):
        if begin:
            output.line()
        columns = (
            tables.Column(title="RUN", least=_LABEL_LEAST, middle=True),
            *(tables.Column(title=one.record["id"], least=6, middle=True) for one in compared[begin:end]),
        )
        tables.show(columns, [(label, *cells[begin:end]) for label, cells in rows])


def _show_curves(compared: Sequence[Measured], metric: str, asked: curves.How) -> None:
    having = [(one, course) for one in compared if (course := one.metrics.get(metric)) is not None and course.buckets]
    drawn = having[: len(curves.LETTERS)]
    if not drawn:
        return
    output.line()
    named = [f"{curves.LETTERS[place]} {one.record['id']}" for place, (one, _) in enumerate(drawn)]
    legend = "  ".join(curves.painted(text, place) for place, text in enumerate(named))
    output.line(f"{tables.one_line(metric)} by {asked.by}  {legend}")
    curves.plot([curves.track_of(course, one.run, asked.by) for one, course in drawn], asked, rows=_CURVE_ROWS)


def _options(compared: Sequence[Measured], *, everything: bool) -> dict[str, list[str]]:
    asked = [options_of(one.record, one.run) for one in compared]
    names = dict.fromkeys(name for one in asked for name in one)
    found = {name: [one.get(name, tables.NOTHING) for one in asked] for name in names}
    return {name: cells for name, cells in found.items() if everything or len(set(cells)) > 1}


def _chunks(count: int) -> Iterator[tuple[int, int]]:
    """Which runs stand beside each other."""
    width = terminal.width()
    fit = count if width is None else max(1, (width - _LABEL) // _CELL)
    yield from ((begin, min(begin + fit, count)) for begin in range(0, count, fit))


def _outcomes(compared: Sequence[Measured]) -> Iterator[tuple[str, list[str]]]:
    records = [one.record for one in compared]
    yield "name", [record["name"] for record in records]
    yield "status", [record["status"] for record in records]
    yield "time", [figures.seconds(record["duration_seconds"]) for record in records]
    yield "step", [figures.count(record["step"]) for record in records]


def _metrics(compared: Sequence[Measured], names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Last and best of each; a star marks the best of all."""
    for name in names:
        series = [one.metrics.get(name) for one in compared]
        yield f"{name} last", _cells(name, [None if one is None else one.last for one in series])
        if less_is_better(name) is not None:
            yield f"{name} best", _cells(name, [None if one is None else one.best for one in series])


def _cells(name: str, extremes: Sequence[Extreme | None]) -> list[str]:
    found = [one.value for one in extremes if one is not None and math.isfinite(one.value)]
    less = less_is_better(name)
    winner = None if less is None or len(set(found)) < 2 else (min(found) if less else max(found))
    return [tables.NOTHING if one is None else _cell(one.value, winner) for one in extremes]


def _cell(value: float, winner: float | None) -> str:
    shown = figures.measure(value) if math.isfinite(value) else str(value)
    return f"{shown} *" if value == winner else shown


def _as_json(
    compared: Sequence[Measured],
    options: Mapping[str, Sequence[str]],
    names: Sequence[str],
    *,
    metric: str | None,
    tracks: Sequence[Track],
    asked: curves.How,
) -> JsonObject:
    ordered = best_first(compared, metric)
    return {
        "runs": [one.record for one in compared],
        "options": options,
        "metrics": {
            name: {
                "last": [_encoded(one.metrics.get(name), "last") for one in compared],
                "best": [_encoded(one.metrics.get(name), "best") for one in compared],
            }
            for name in names
        },
        "metric": metric,
        "best_first": [one.record["id"] for one in ordered],
        "by": asked.by,
        "curves": {one.record["id"]: _points(one, metric, tracks, asked) for one in compared},
    }


def _points(run: Measured, metric: str | None, tracks: Sequence[Track], asked: curves.How) -> list[list[float]]:
    """The means along the curve that counts; empty where the run has none."""
    course = None if metric is None else run.metrics.get(metric)
    track = next((one for one in tracks if one.course is course), None)
    if track is None:
        return []
    every = max(1, len(track.places) // _CURVE_POINTS)
    bars = [bar for piece in track.drawn(asked.stretches).pieces for bar in piece]
    return [[x, low / 2 + high / 2] for x, low, high in bars[::every]]


def _encoded(series: Course | None, which: str) -> JsonObject | None:
    return None if series is None else encoded(series.last if which == "last" else series.best)
