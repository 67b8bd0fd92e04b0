"""`export`: writes runs as CSV or JSON, all or some, or with --metrics everything they measured."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterable, Iterator, Sequence

from backprop_tui.cli import output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve_all
from backprop_tui.client.runs import all_records, created, current
from backprop_tui.domain.errors import BrokenRecord, UsageError
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.store.export import COLUMNS as METRIC_COLUMNS
from backprop_tui.store.export import cells, metric_names, rows
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory

SUMMARY = "write runs, or with --metrics all their metrics, to stdout as CSV or JSON"

# Columns of the CSV, always these and in this order; then a column `metric.NAME` for the last value of each metric.
# Tags and GPU indices are separated by spaces, `command` is quoted for a shell, attempts and checkpoints are counted.
COLUMNS = (
    *("id", "name", "status", "reason", "group", "tags", "note", "host", "script", "command", "cwd", "framework"),
    *("priority", "max_run_minutes", "created_at", "started_at", "ended_at", "duration_seconds", "paused_seconds"),
    *("exit_code", "signal", "step", "attempts", "checkpoints", "last_checkpoint"),
    *("peak_ram_bytes", "peak_vram_bytes", "peak_temperature_celsius", "gpus"),
    *("cause_kind", "cause_evidence", "git_commit", "git_dirty", "log_path"),
    *("objective_metric", "objective_direction", "objective_best", "objective_best_step"),
)
_METRIC = "metric."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=f"{HELP}; without it: every run, oldest first")
    parser.add_argument(
        "--metrics",
        action="store_true",
        help="the metrics of the runs, a row for each line printed: run, "
        f"{', '.join(METRIC_COLUMNS)}, then a column for each metric; NaN and Infinity as such",
    )
    parser.add_argument(
        "--format",
        choices=("csv", "json"),
        help=f"csv: {', '.join(COLUMNS)}, then {_METRIC}NAME for the last value of each metric; "
        "json: an array of runs, as `list --json` (csv; json with --json)",
    )
    parser.epilog = "Times are ISO 8601 in UTC; an unknown value is an empty field or null."


def execute(arguments: argparse.Namespace, session: Session) -> int:
    as_json = (arguments.format or ("json" if session.json else "csv")) == "json"
    if arguments.metrics:
        if not arguments.runs:
            raise UsageError("--metrics needs the runs whose metrics to write", "name runs, a group, or @last")
        run_ids = resolve_all(session, arguments.runs)
        (_write_metrics_json if as_json else _write_metrics_csv)(session, run_ids)
        return OK
    if arguments.runs:
        ordered = [current(session, run_id) for run_id in resolve_all(session, arguments.runs)]
    else:
        ordered = sorted(all_records(session.home).values(), key=created)
    if as_json:
        output.json_value(ordered)
    else:
        metrics = sorted({name for record in ordered for name in record["metrics"]})
        header = (*COLUMNS, *(_METRIC + name for name in metrics))
        _write_rows([header, *(_cells(record, metrics) for record in ordered)])
    return OK


def _write_rows(table: Iterable[Sequence[object]]) -> None:
    """Writes each row as it comes: everything that runs measured need not fit into memory."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="")
    for row in table:
        writer.writerow(row)
        output.data(text.getvalue())
        text.seek(0)
        text.truncate()


def _cells(record: JsonObject, metrics: Sequence[str]) -> tuple[object, ...]:
    peak, cause, git = record["peak"], record["cause"] or {}, record["git"] or {}
    checkpoints, objective = record["checkpoints"], record["objective"] or {}
    derived = {
        "tags": " ".join(record["tags"]),
        "command": shlex.join(record["command"]),
        "attempts": len(record["attempts"]),
        "checkpoints": len(checkpoints),
        "last_checkpoint": checkpoints[-1]["path"] if checkpoints else None,
        "gpus": " ".join(str(gpu["index"]) for gpu in record["gpus"]),
        **{f"peak_{name}": value for name, value in peak.items()},
        **{f"cause_{name}": cause.get(name) for name in ("kind", "evidence")},
        **{f"objective_{name}": objective.get(name) for name in ("metric", "direction", "best", "best_step")},
        **{f"git_{name}": git.get(name) for name in ("commit", "dirty")},
    }
    columns = record | derived
    return (*(columns[name] for name in COLUMNS), *(record["metrics"].get(name) for name in metrics))


def _write_metrics_csv(session: Session, run_ids: Sequence[str]) -> None:
    names = metric_names(RunDirectory(session.home.run_folder(run_id)).metrics_path for run_id in run_ids)

    def table() -> Iterator[list[object]]:
        yield ["run", *METRIC_COLUMNS, *names]
        for run_id, row in _metric_rows(session, run_ids):
            yield [run_id, *cells(row, names)]

    _write_rows(table())


def _write_metrics_json(session: Session, run_ids: Sequence[str]) -> None:
    before = "["
    for run_id, row in _metric_rows(session, run_ids):
        output.data(before + json.dumps({"run": run_id, **row}, allow_nan=False))
        before = ","
    output.data("]" if before == "," else "[]")


def _metric_rows(session: Session, run_ids: Sequence[str]) -> Iterator[tuple[str, JsonObject]]:
    for run_id in run_ids:
        directory = RunDirectory(session.home.run_folder(run_id))
        try:
            attempts = AttemptTimeline.of(directory.read())
        except BrokenRecord:  # the original tool recorded it, or its record is broken: the metrics are still useful
            attempts = AttemptTimeline()
        for row in rows(directory.metrics_path, attempts):
            yield run_id, row
