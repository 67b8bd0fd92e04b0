"""`status`: the machine, the governor, the supervisor and the unfinished runs; or everything about one run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from backprop_tui.cli import diagnostics, output, tables
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.machine import (
    GPU_COLUMNS,
    GovernorReport,
    MachineProbe,
    MachineReadings,
    governor_clauses,
    governor_report,
    gpu_row,
    machine_settings,
)
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve
from backprop_tui.client.queueing import queue_places
from backprop_tui.client.runs import record_of, split
from backprop_tui.domain.status import Status
from backprop_tui.launchers.lease import is_signed_elsewhere, supervisor_pid
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.machine import host_line, no_gpu_note
from backprop_tui.presentation.run_details import NamedValue, detail_sections
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_view import RunView, governor_record, public_record, read_view

SUMMARY = "show the machine, the governor and the unfinished runs, or everything about one run"

_MARGIN = 13


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help=f"{HELP}; without it: the machine")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    if arguments.run is None:
        _machine(session)
    else:
        _runs(session, resolve(session, arguments.run))
    return OK


def _machine(session: Session) -> None:
    settings = machine_settings(session.config_path)
    probe = MachineProbe(session.home, probe=settings.probe, sample_seconds=settings.limits.sample_seconds)
    unfinished, _ = split(session.home)
    session.ensure_supervisor(unfinished)
    machine = probe.view()
    pid = supervisor_pid(session.home)
    written = governor_record(session.home) if pid is not None else None
    governor = governor_report(session.home, written, settings.limits)
    if session.json:
        output.json_value(_as_json(session, machine, governor, pid, unfinished))
        return
    if settings.wrong is not None:
        diagnostics.complain(str(settings.wrong))
    _show(session, machine, governor, pid, unfinished)


def _as_json(
    session: Session, machine: MachineReadings, governor: GovernorReport, pid: int | None, unfinished: Sequence[RunView]
) -> JsonObject:
    records = [record_of(session.home, run) for run in unfinished]
    return {
        "host": machine.host_json(),
        "gpus": machine.gpus_json(),
        "governor": governor.as_json(),
        "supervisor": {"alive": pid is not None, "pid": pid},
        "active": [record for record in records if record["status"] != Status.QUEUED],
        "queued": [record for record in records if record["status"] == Status.QUEUED],
    }


def _show(
    session: Session, machine: MachineReadings, governor: GovernorReport, pid: int | None, unfinished: Sequence[RunView]
) -> None:
    active = [view for view in unfinished if view.status is not Status.QUEUED]
    queued = [view for view in unfinished if view.status is Status.QUEUED]
    here = sum(view.run.host == session.home.host for view in active)
    _lines([("host", session.home.host), ("", host_line(machine.readings.host))])
    _show_gpus(session, machine, unfinished)
    first, *reasons = governor_clauses(governor, here)
    _lines([("governor", first), *(("", reason) for reason in reasons)])
    _lines([("supervisor", _supervisor_words(session, pid, unfinished))])
    if active:
        output.line()
        output.line(f"active {len(active)}")
        tables.show(tables.RUN_COLUMNS, [tables.run_row(record_of(session.home, view)) for view in active])
    if queued:
        output.line()
        output.line(f"queued {len(queued)}")
        _show_queue(session, queued, unfinished)


def _show_gpus(session: Session, machine: MachineReadings, unfinished: Sequence[RunView]) -> None:
    readings = machine.readings
    if readings.gpus:
        names = {view.run.id: view.run.name for view in unfinished}
        output.line()
        tables.show(GPU_COLUMNS, [gpu_row(gpu, names) for gpu in readings.gpus])
        _lines([(f"GPU {gpu.index}", gpu.problem) for gpu in readings.gpus if gpu.problem is not None])
        output.line()
    else:
        _lines([("gpus", no_gpu_note(readings, gpus_known=machine.gpus_known))])
    if session.verbose:
        others = (("", f"not {name}: {reason}") for name, reason in machine.passed_over.items())
        _lines([("gpu probe", readings.probe), *others])


def _supervisor_words(session: Session, pid: int | None, unfinished: Sequence[RunView]) -> str:
    if pid is not None:
        return f"alive, pid {pid}"
    if is_signed_elsewhere(session.home) and unfinished:
        return "none since this boot"
    return "being started" if unfinished and not session.dry_run else "none; the next run starts one"


def _show_queue(session: Session, queued: Sequence[RunView], unfinished: Sequence[RunView]) -> None:
    home, places = session.home, queue_places(session.home, unfinished)
    cells = [tables.queue_row(record_of(home, view), places[view.run.id], home.host) for view in queued]
    tables.show(tables.QUEUE_COLUMNS, cells)


def _runs(session: Session, run_ids: Sequence[str]) -> None:
    unfinished, _ = split(session.home)
    session.ensure_supervisor(unfinished)
    known = {view.run.id: view for view in unfinished}
    places = queue_places(session.home, unfinished)
    views = [_view(session, run_id, known) for run_id in run_ids]
    records = [
        public_record(session.home, run_id) if view is None else record_of(session.home, view)
        for view, run_id in zip(views, run_ids, strict=True)
    ]
    if session.json:
        output.json_value(records[0] if len(records) == 1 else records)
        return
    if len(records) > 1:
        _group(session, records)
    for number, (run_id, record, view) in enumerate(zip(run_ids, records, views, strict=True)):
        if number or len(records) > 1:
            output.line()
        run, live = (None, None) if view is None else (view.run, view.live)
        _details(KnownRun(record=record, run=run, live=live, place=places.get(run_id)))


def _details(run: KnownRun) -> None:
    for number, section in enumerate(detail_sections(run, Moment.now())):
        if number:
            output.line()
        output.line(section.title)
        _lines((f"  {name}", text) for name, text in section.lines)


def _group(session: Session, records: Sequence[JsonObject]) -> None:
    from backprop_tui.client.run_metrics import metric_to_compare, read_compared_run
    from backprop_tui.presentation.compare import best_first, best_text

    statuses = [str(record["status"]) for record in records]
    groups = {record["group"] for record in records}
    name = next(iter(groups)) if len(groups) == 1 and None not in groups else "several"
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
    runs = [read_compared_run(session, record["id"]) for record in records]
    metric = metric_to_compare(runs, None)
    best = best_text(best_first(runs, metric)[0], metric)
    _lines([("group", f"{name}  {len(records)} runs: {counts}"), ("best", best)])


def _view(session: Session, run_id: str, known: dict[str, RunView]) -> RunView | None:
    """None for a run without a directory, which the original tool recorded."""
    if run_id in known:
        return known[run_id]
    try:
        return read_view(session.home, run_id)
    except FileNotFoundError:
        return None


def _lines(lines: Iterable[NamedValue]) -> None:
    for name, text in lines:
        output.line(f"{name:<{_MARGIN}} {tables.one_line(text)}".rstrip())
