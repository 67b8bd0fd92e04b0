"""Everything that runs measured, written to stdout as it is read: as CSV, or as one array of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from backprop_tui.cli import output
from backprop_tui.cli.session import Session
from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.store.export import COLUMNS, cells, metric_names, rows
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory


def write_metrics(session: Session, run_ids: Sequence[str], *, as_json: bool) -> None:
    """Run after run, each in the order in which it was printed."""
    directories = [(run_id, RunDirectory(session.home.run_folder(run_id))) for run_id in run_ids]
    if as_json:
        _write_json(directories)
    else:
        _write_csv(directories)


def _write_csv(directories: Sequence[tuple[str, RunDirectory]]) -> None:
    import csv
    import io

    names = metric_names(directory.metrics_path for _, directory in directories)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="")
    for row in _with_header(directories, names):
        writer.writerow(row)
        output.line(text.getvalue())
        text.seek(0)
        text.truncate()


def _with_header(directories: Sequence[tuple[str, RunDirectory]], names: Sequence[str]) -> Iterator[list[object]]:
    yield ["run", *COLUMNS, *names]
    for run_id, row in _all(directories):
        yield [run_id, *cells(row, names)]


def _write_json(directories: Sequence[tuple[str, RunDirectory]]) -> None:
    before = "["
    for run_id, row in _all(directories):
        output.line(before + json.dumps({"run": run_id, **row}, allow_nan=False))
        before = ","
    output.line("]" if before == "," else "[]")


def _all(directories: Sequence[tuple[str, RunDirectory]]) -> Iterator[tuple[str, JsonObject]]:
    for run_id, directory in directories:
        try:
            attempts = Attempts.of(directory.read())
        except BrokenRecord:  # the original recorded it, or what is measured is worth having without its record
            attempts = Attempts()
        for row in rows(directory.metrics_path, attempts):
            yield run_id, row
