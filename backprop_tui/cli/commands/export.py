"""`export`: every run of the history, or those that are named, as CSV or JSON; or everything they measured."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from backprop_tui.cli import output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP, resolve_all
from backprop_tui.cli.metrics_output import write_metrics
from backprop_tui.cli.records import created, current, record_of
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.store.export import COLUMNS as METRIC_COLUMNS
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.index import read_all
from backprop_tui.store.run_view import marked_views

SUMMARY = "write runs, or with --metrics all they measured, to stdout as CSV or JSON"

# Columns of the CSV, always these and in this order; then one column `metric.NAME` for the last value of each metric.
COLUMNS = (
    "id",
    "name",
    "status",
    "reason",
    "group",
    "tags",  # separated by spaces
    "note",
    "host",
    "script",
    "command",  # quoted as for a shell
    "cwd",
    "framework",
    "priority",
    "max_run_minutes",
    "created_at",
    "started_at",
    "ended_at",
    "duration_seconds",
    "paused_seconds",
    "exit_code",
    "signal",
    "step",
    "attempts",  # how many
    "checkpoints",  # how many
    "last_checkpoint",
    "peak_ram_bytes",
    "peak_vram_bytes",
    "peak_temperature_celsius",
    "gpus",  # indices, separated by spaces
    "cause_kind",
    "cause_evidence",
    "git_commit",
    "git_dirty",
    "log_path",
)
_METRIC = "metric."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, what of them, the format."""
    parser.add_argument("runs", metavar="RUN", nargs="*", help=f"{HELP}; without it: every run, oldest first")
    parser.add_argument(
        "--metrics",
        action="store_true",
        help="what the runs measured, a row for each printed line: run, "
        f"{', '.join(METRIC_COLUMNS)}, then a column for each metric; NaN and Infinity as such",
    )
    parser.add_argument(
        "--format",
        choices=("csv", "json"),
        help=f"csv: {', '.join(COLUMNS)}, then {_METRIC}NAME for the last value of each metric; "
        "json: an array of runs, as `list --json` (csv; json with --json)",
    )
    parser.epilog = "Times are ISO 8601 in UTC; what is not known is an empty field or null."


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Writes them."""
    as_json = (arguments.format or ("json" if session.json else "csv")) == "json"
    if arguments.metrics:
        if not arguments.runs:
            raise UsageError("--metrics wants the runs whose metrics are meant: RUN..., a group, or @last")
        write_metrics(session, resolve_all(session, arguments.runs), as_json=as_json)
        return OK
    if arguments.runs:
        ordered = [current(session, run_id) for run_id in resolve_all(session, arguments.runs)]
    else:
        records = read_all(session.home) | {
            one.run.id: record_of(session.home, one) for one in marked_views(session.home)
        }
        ordered = sorted(records.values(), key=created)
    if as_json:
        output.json_value(ordered)
    else:
        _write_csv(ordered)
    return OK


def _write_csv(records: Sequence[JsonObject]) -> None:
    import csv
    import io

    metrics = sorted({name for record in records for name in record["metrics"]})
    header = (*COLUMNS, *(_METRIC + name for name in metrics))
    for cells in (header, *(_cells(record, metrics) for record in records)):
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(cells)
        output.line(text.getvalue())


def _cells(record: JsonObject, metrics: Sequence[str]) -> tuple[object, ...]:
    """None is written as an empty field."""
    peak, cause, git = record["peak"], record["cause"] or {}, record["git"] or {}
    checkpoints = record["checkpoints"]
    worked_out = {
        "tags": " ".join(record["tags"]),
        "command": shlex.join(record["command"]),
        "attempts": len(record["attempts"]),
        "checkpoints": len(checkpoints),
        "last_checkpoint": checkpoints[-1]["path"] if checkpoints else None,
        "gpus": " ".join(str(gpu["index"]) for gpu in record["gpus"]),
        **{f"peak_{name}": value for name, value in peak.items()},
        **{f"cause_{name}": cause.get(name) for name in ("kind", "evidence")},
        **{f"git_{name}": git.get(name) for name in ("commit", "dirty")},
    }
    named = record | worked_out
    return (*(named[name] for name in COLUMNS), *(record["metrics"].get(name) for name in metrics))
