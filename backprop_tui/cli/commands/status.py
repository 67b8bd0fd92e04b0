"""`status`: the machine, the governor, the supervisor and what is unfinished; or one run, whole."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from backprop_tui.cli import diagnostics, output, rows, tables
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.governor_view import GovernorReport, governor_clauses, governor_report, machine_settings
from backprop_tui.cli.handles import HELP, resolve
from backprop_tui.cli.machine_view import GPU_COLUMNS, MachineProbe, MachineReadings, gpu_row
from backprop_tui.cli.places import places
from backprop_tui.cli.records import record_of, split
from backprop_tui.cli.session import Session
from backprop_tui.cli.waking import wake
from backprop_tui.domain.status import Status
from backprop_tui.launchers.lease import is_signed_elsewhere, supervisor_pid
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.machine import host_line, no_gpu_note
from backprop_tui.presentation.run_details import NamedValue, detail_sections
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.views import View, governor, shown_run, view

SUMMARY = "show the machine, the governor and what is unfinished, or all that is known of one run"

_MARGIN = 13


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN, or none for the machine."""
    parser.add_argument("run", metavar="RUN", nargs="?", help=f"{HELP}; without it: the machine")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Shows the one or the other."""
    if arguments.run is None:
        _machine(session)
    else:
        _runs(session, resolve(session, arguments.run))
    return OK


def _machine(session: Session) -> None:
    settings = machine_settings(session.config_path)
    probe = MachineProbe(session.home, probe=settings.probe, sample_seconds=settings.limits.sample_seconds)
    unfinished, _ = split(session.home)
    wake(session, unfinished)
    machine = probe.view()
    pid = supervisor_pid(session.home)
    said = governor(session.home) if pid is not None else None
    found = governor_report(session.home, said, settings.limits)
    if session.json:
        output.json_value(_as_json(session, machine, found, pid, unfinished))
        return
    if settings.wrong is not None:
        diagnostics.complain(str(settings.wrong))
    _show(session, machine, found, pid, unfinished)


def _as_json(
    session: Session, machine: MachineReadings, found: GovernorReport, pid: int | None, unfinished: Sequence[View]
) -> JsonObject:
    records = [record_of(session.home, one) for one in unfinished]
    return {
        "host": machine.host_json(),
        "gpus": machine.gpus_json(),
        "governor": found.as_json(),
        "supervisor": {"alive": pid is not None, "pid": pid},
        "active": [record for record in records if record["status"] != Status.QUEUED],
        "queued": [record for record in records if record["status"] == Status.QUEUED],
    }


def _show(
    session: Session, machine: MachineReadings, found: GovernorReport, pid: int | None, unfinished: Sequence[View]
) -> None:
    active = [one for one in unfinished if one.status is not Status.QUEUED]
    queued = [one for one in unfinished if one.status is Status.QUEUED]
    here = sum(one.run.host == session.home.host for one in active)
    _lines([("host", session.home.host), ("", host_line(machine.readings.host))])
    _show_gpus(session, machine, unfinished)
    first, *reasons = governor_clauses(found, here)
    _lines([("governor", first), *(("", reason) for reason in reasons)])
    _lines([("supervisor", _supervisor_words(session, pid, unfinished))])
    if active:
        output.line()
        output.line(f"active {len(active)}")
        tables.show(rows.COLUMNS, [rows.row(record_of(session.home, one)) for one in active])
    if queued:
        output.line()
        output.line(f"queued {len(queued)}")
        _show_queue(session, queued, unfinished)


def _show_gpus(session: Session, machine: MachineReadings, unfinished: Sequence[View]) -> None:
    readings = machine.readings
    if readings.gpus:
        names = {one.run.id: one.run.name for one in unfinished}
        output.line()
        tables.show(GPU_COLUMNS, [gpu_row(gpu, names) for gpu in readings.gpus])
        _lines([(f"GPU {gpu.index}", gpu.problem) for gpu in readings.gpus if gpu.problem is not None])
        output.line()
    else:
        _lines([("gpus", no_gpu_note(readings, gpus_known=machine.gpus_known))])
    if session.verbose:
        over = (("", f"not {name}: {why}") for name, why in machine.passed_over.items())
        _lines([("gpu probe", readings.probe), *over])


def _supervisor_words(session: Session, pid: int | None, unfinished: Sequence[View]) -> str:
    if pid is not None:
        return f"alive, pid {pid}"
    if is_signed_elsewhere(session.home) and unfinished:
        return "none in this boot"
    return "being started" if unfinished and not session.dry_run else "none; the next run starts one"


def _show_queue(session: Session, queued: Sequence[View], unfinished: Sequence[View]) -> None:
    home, numbers = session.home, places(session.home, unfinished)
    cells = [rows.queue_row(record_of(home, one), numbers[one.run.id], home.host) for one in queued]
    tables.show(rows.QUEUE_COLUMNS, cells)


def _runs(session: Session, run_ids: Sequence[str]) -> None:
    unfinished, _ = split(session.home)
    wake(session, unfinished)
    known = {one.run.id: one for one in unfinished}
    numbers = places(session.home, unfinished)
    found = [(_view(session, run_id, known), run_id) for run_id in run_ids]
    records = [
        shown_run(session.home, run_id) if one is None else record_of(session.home, one) for one, run_id in found
    ]
    if session.json:
        output.json_value(records[0] if len(records) == 1 else records)
        return
    if len(records) > 1:
        _group(session, records)
    for number, (record, (one, run_id)) in enumerate(zip(records, found, strict=True)):
        if number or len(records) > 1:
            output.line()
        run, live = (None, None) if one is None else (one.run, one.live)
        _details(KnownRun(record=record, run=run, live=live, place=numbers.get(run_id)))


def _details(run: KnownRun) -> None:
    for number, section in enumerate(detail_sections(run, Moment.now())):
        if number:
            output.line()
        output.line(section.title)
        _lines((f"  {name}", text) for name, text in section.lines)


def _group(session: Session, records: Sequence[JsonObject]) -> None:
    """How many of the runs stand where, and which did best."""
    from backprop_tui.cli.measured import measured, metric_to_compare
    from backprop_tui.presentation.compare import best_first, best_text

    counted_as = [str(record["status"]) for record in records]
    groups = {record["group"] for record in records}
    name = next(iter(groups)) if len(groups) == 1 and None not in groups else "several"
    standing = ", ".join(f"{counted_as.count(status)} {status}" for status in dict.fromkeys(counted_as))
    runs = [measured(session, record["id"]) for record in records]
    metric = metric_to_compare(runs, None)
    _lines(
        [
            ("group", f"{name}  {len(records)} runs: {standing}"),
            ("best", best_text(best_first(runs, metric)[0], metric)),
        ]
    )


def _view(session: Session, run_id: str, known: dict[str, View]) -> View | None:
    """None where it has no directory, as what the original recorded."""
    if run_id in known:
        return known[run_id]
    try:
        return view(session.home, run_id)
    except FileNotFoundError:
        return None


def _lines(lines: Iterable[NamedValue]) -> None:
    for name, text in lines:
        output.line(f"{name:<{_MARGIN}} {tables.one_line(text)}".rstrip())
