"""`show`: the curves of a run in the terminal."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence

from backprop_tui.cli import diagnostics, figures, output, rows, tables, terminal
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP, resolve_one
from backprop_tui.cli.session import Session
from backprop_tui.cli.several import current
from backprop_tui.domain.course import Course, Extreme
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.plotting import plain
from backprop_tui.store.fields import JsonObject, encode_metrics
from backprop_tui.store.metrics_file import history
from backprop_tui.store.run_directory import RunDirectory

SUMMARY = "show the curves of a run's metrics in the terminal"

_USUAL_WIDTH = 80
_LABEL = 9
_ROWS = 8
_LINE_WIDTH = 16

_COLUMNS = (
    tables.Column(title="METRIC", least=8, middle=True),
    tables.Column(title="FIRST", right=True),
    tables.Column(title="LAST", right=True),
    tables.Column(title="LEAST", right=True),
    tables.Column(title="MOST", right=True),
    tables.Column(title="BEST AT", right=True),
    tables.Column(title="CURVE"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN, which metrics, how."""
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument(
        "--metric", metavar="NAME", action="append", default=[], help="plot this one; repeatable (the loss)"
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Prints what kind of curves there are, then the plots."""
    run_id = resolve_one(session, arguments.run)
    record = current(session, run_id)
    found = history(RunDirectory(session.home.run_folder(run_id)))
    chosen = _chosen(found, arguments.metric, run_id)
    if session.json:
        output.json_value({"run": run_id, "metrics": {name: _as_json(one) for name, one in found.items()}})
        return OK
    output.line(_heading(record))
    if not found:
        diagnostics.say("it has printed no metrics that we can read; backprop-tui logs shows what it printed")
        return OK
    unicode = terminal.shows_unicode() and not arguments.ascii
    for series in chosen:
        _plot(series, unicode=unicode)
    output.line()
    tables.show(_COLUMNS, [_row(series, unicode=unicode) for series in found.values()])
    return OK


def _heading(record: JsonObject) -> str:
    why = rows.why(record)
    parts = [f"{record['id']}  {record['name']}  {record['status']}", figures.seconds(record["duration_seconds"])]
    return tables.one_line("  ".join([*parts, *([why] if why else [])]))


def _chosen(found: Mapping[str, Course], names: Sequence[str], run_id: str) -> list[Course]:
    """What is plotted large: what was asked for, else the loss, else the first.

    Raises:
        UsageError: there is no such metric.
    """
    for name in names:
        if name not in found:
            known = f"it has {', '.join(found)}" if found else "it has none"
            raise UsageError(f"--metric {name}: run {run_id} has no such metric; {known}")
    loss = main_loss(found)
    usual = [loss] if loss is not None else list(found)[:1]
    return [found[name] for name in (list(dict.fromkeys(names)) or usual)]


def _plot(series: Course, *, unicode: bool) -> None:
    points = series.drawn()
    output.line()
    if not points:
        output.line(f"{series.name}: no finite value")
        return
    width = max(10, (terminal.width() or _USUAL_WIDTH) - _LABEL - 2)
    values = [value for _, value in points]
    labels = {0: max(values), _ROWS - 1: min(values)}
    output.line(f"{tables.one_line(series.name)}  {_words(series)}")
    edge = "┤" if unicode else "|"
    for number, row in enumerate(plain.plot(points, width=width, height=_ROWS, unicode=unicode)):
        label = figures.measure(labels[number]) if number in labels else ""
        output.line(f"{label:>{_LABEL}} {edge}{row}".rstrip())
    left, right = f"{points[0][0]:g}", f"{max(x for x, _ in points):g}"
    output.line(" " * (_LABEL + 2) + left + right.rjust(width - len(left)))


def _words(series: Course) -> str:
    parts = [f"last {_value(series.last)}"]
    if series.best is not None:
        parts.append(f"best {_value(series.best)}" + _at(series.best))
    if series.not_finite:
        parts.append(f"{series.not_finite} not finite")
    return ", ".join(parts)


def _value(extreme: Extreme | None) -> str:
    if extreme is None:
        return tables.NOTHING
    return figures.measure(extreme.value) if math.isfinite(extreme.value) else str(extreme.value)


def _at(extreme: Extreme) -> str:
    return "" if extreme.step is None else f" at step {extreme.step}"


def _row(series: Course, *, unicode: bool) -> tuple[str, ...]:
    points = series.drawn()
    best = series.best
    return (
        series.name,
        *(_value(one) for one in (series.first, series.last, series.least, series.most)),
        figures.count(None if best is None else best.step),
        plain.line(points, width=_LINE_WIDTH, unicode=unicode) if points else "",
    )


def _as_json(series: Course) -> JsonObject:
    return {
        "count": series.count,
        **{name: _extreme(one) for name, one in (("first", series.first), ("last", series.last))},
        **{name: _extreme(one) for name, one in (("least", series.least), ("most", series.most))},
        "best": _extreme(series.best),
        "points": [list(point) for point in series.drawn()],
    }


def _extreme(extreme: Extreme | None) -> JsonObject | None:
    return None if extreme is None else {"step": extreme.step, **encode_metrics({"value": extreme.value})}
