"""`status`: the machine, the governor, the supervisor and the unfinished runs; or everything about one run."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from backprop_tui.cli import output, tables
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve
from backprop_tui.client.machine import MachineProbe, governor_now, machine_settings
from backprop_tui.client.queueing import queue_positions
from backprop_tui.client.runs import record_of, split
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.governor.governor_state import GovernorState
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Run
from backprop_tui.domain.run_names import spelled
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.launchers.lease import is_signed_elsewhere, supervisor_pid
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.machine import foreign_process, host_line, no_gpu_note, status_clauses
from backprop_tui.presentation.remedies import how_to_change
from backprop_tui.presentation.run_details import NamedValue, detail_sections
from backprop_tui.presentation.states import status_word
from backprop_tui.probes.readings import Sample, read_sample
from backprop_tui.store.failures import SUPERVISOR, repeated_failure
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import needs_supervisor
from backprop_tui.store.run_view import RunView, public_record, read_view

SUMMARY = "show the machine, the governor and the unfinished runs, or everything about one run"

_WATCH_SECONDS = 2.0
_CURRENT_SECONDS = 10.0
_MARGIN = 13
GPU_COLUMNS = (
    tables.Column(title="GPU"),
    tables.Column(title="NAME", least=8, spare=4),
    tables.Column(title="HEALTH", least=6),
    tables.Column(title="UTIL", right=True, spare=2),
    tables.Column(title="MEMORY", right=True, spare=1),
    tables.Column(title="TEMP", right=True, spare=3),
    tables.Column(title="POWER", right=True, spare=5),
    tables.Column(title="RUNS", least=8),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help=f"{HELP}; without it: the machine")
    parser.add_argument("--watch", action="store_true", help="show it again every 2 seconds until Ctrl-C")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    try:
        _show(arguments, session)
        while arguments.watch:
            output.next_screen(_WATCH_SECONDS)
            _show(arguments, session)
    except KeyboardInterrupt:
        if not arguments.watch:
            raise
    return OK


def _show(arguments: argparse.Namespace, session: Session) -> None:
    session.warn_of_settings()
    if arguments.run is None:
        _show_machine(session)
    else:
        _show_runs(session, resolve(session, arguments.run))


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineStatus:
    """The machine, its governor and supervisor, and the unfinished runs."""

    sample: Sample
    governor: GovernorState
    supervisor_pid: int | None
    unfinished: Sequence[RunView]
    nodes: Mapping[str, Sample]  # other machines with active runs, as their samplers wrote them

    @property
    def active(self) -> list[RunView]:
        return [view for view in self.unfinished if view.status is not Status.QUEUED]

    @property
    def queued(self) -> list[RunView]:
        return [view for view in self.unfinished if view.status is Status.QUEUED]


def read_status(session: ClientSession) -> MachineStatus:
    """Measures the machine and reads the rest; starts a supervisor if one is needed."""
    settings = machine_settings(session.config_path)
    probe = MachineProbe(session.home, settings)
    unfinished, unindexed = split(session.home)
    session.ensure_supervisor([*unfinished, *unindexed])
    sample = probe.sample()
    pid = supervisor_pid(session.home)
    active_here = sum(view.status is not Status.QUEUED and view.run.host == session.home.host for view in unfinished)
    return MachineStatus(
        sample=sample,
        governor=governor_now(
            session.home, settings.limits, sample.readings, is_supervised=pid is not None, active=active_here
        ),
        supervisor_pid=pid,
        unfinished=unfinished,
        nodes=_read_nodes(session, unfinished),
    )


def _read_nodes(session: ClientSession, unfinished: Sequence[RunView]) -> dict[str, Sample]:
    hosts = {view.run.current_host for view in unfinished if view.status is not Status.QUEUED} - {session.home.host}
    samples = {host: read_sample(Home(session.home.root, host).readings, of_this_boot=False) for host in sorted(hosts)}
    return {host: sample for host, sample in samples.items() if sample is not None}


def status_json(session: ClientSession, status: MachineStatus) -> JsonObject:
    """The object that `--json` prints."""
    return {
        "host": asdict(status.sample.readings.host),
        "gpus": [_gpu_json(gpu) for gpu in status.sample.readings.gpus],
        "nodes": [_node_json(name, sample) for name, sample in status.nodes.items()],
        "governor": _governor_json(status.governor),
        "supervisor": {"alive": status.supervisor_pid is not None, "pid": status.supervisor_pid},
        "active": [record_of(session.home, view) for view in status.active],
        "queued": [record_of(session.home, view) for view in status.queued],
    }


def _show_machine(session: Session) -> None:
    status = read_status(session)
    if session.json:
        output.json_value(status_json(session, status))
        return
    home, unfinished = session.home, status.unfinished
    _print_lines([("host", home.host), ("", host_line(status.sample.readings.host))])
    _print_gpus(session, status.sample, unfinished)
    for name, node in status.nodes.items():
        _print_node(name, node, [view.run for view in unfinished if view.run.current_host == name])
    first, *reasons = status_clauses(status.governor)
    _print_lines([("governor", first), *(("", reason) for reason in reasons)])
    _print_lines(("", line) for line in _how_to_start(session, status))
    _print_lines([("supervisor", _supervisor_text(session, status.supervisor_pid, unfinished))])
    if status.active:
        output.line(f"\nactive {len(status.active)}")
        runs = (KnownRun(record=record_of(home, view), run=view.run, live=view.live) for view in status.active)
        tables.show_runs(list(runs), home.host)
    if status.queued:
        output.line(f"\nwaiting {len(status.queued)}")
        tables.show_queue(home, status.queued, queue_positions(unfinished))


def _how_to_start(session: Session, status: MachineStatus) -> list[str]:
    """What to type so that the first run that is held starts sooner, or its whole group."""
    records = [record_of(session.home, view) for view in status.queued]
    held = next((record for record in records if record["hold_reasons"]), None)
    if held is None:
        return how_to_change(map(asdict, status.governor.reasons), None)
    is_group = held["group"] and sum(record["group"] == held["group"] for record in records) > 1
    return how_to_change(held["hold_reasons"], held["group"] if is_group else held["id"])


def _gpu_json(gpu: GpuReading) -> JsonObject:
    processes = [
        {"pid": process.pid, "memory_bytes": process.memory_bytes, "run": process.run} for process in gpu.processes
    ]
    return asdict(replace(gpu, processes=())) | {"processes": processes}


def _node_json(name: str, sample: Sample) -> JsonObject:
    return {
        "name": name,
        "measured_at": iso(sample.readings.time),
        "host": asdict(sample.readings.host),
        "gpus": [_gpu_json(gpu) for gpu in sample.readings.gpus],
    }


def _governor_json(governor: GovernorState) -> JsonObject:
    reasons = [asdict(reason) for reason in governor.reasons]
    return {
        "state": governor.state,
        "reasons": reasons,
        "start_tokens": governor.start_tokens,
        "max_parallel": governor.max_parallel,
    }


def _print_gpus(session: Session, sample: Sample, unfinished: Sequence[RunView]) -> None:
    readings = sample.readings
    if readings.gpus:
        names = {view.run.id: view.run.label for view in unfinished}
        output.line()
        tables.show(GPU_COLUMNS, [_gpu_row(gpu, names) for gpu in readings.gpus])
        _print_lines([(f"GPU {gpu.index}", gpu.problem) for gpu in readings.gpus if gpu.problem is not None])
        output.line()
    else:
        _print_lines([("gpus", no_gpu_note(readings, gpus_known=sample.gpus_known))])
    if session.verbose:
        others = (("", f"not {name}: {reason}") for name, reason in sample.passed_over.items())
        _print_lines([("gpu probe", readings.probe), *others])


def _print_node(name: str, sample: Sample, runs: Sequence[Run]) -> None:
    """Another machine, with the GPUs that runs use, and how old that is if it is not current."""
    readings = sample.readings
    age = time.time() - readings.time
    old = f", measured {durations.ago(age)}" if age > _CURRENT_SECONDS else ""
    _print_lines([("node", f"{name}{old}"), ("", host_line(readings.host))])
    used = {gpu.uuid for run in runs if run.attempts for gpu in run.attempt.gpus}
    gpus = [gpu for gpu in readings.gpus if gpu.uuid in used]
    if gpus:
        names = {run.id: run.label for run in runs}
        output.line()
        tables.show(GPU_COLUMNS, [_gpu_row(gpu, names) for gpu in gpus])
        output.line()


def _gpu_row(gpu: GpuReading, names: Mapping[str, str]) -> tuple[str, ...]:
    """The cells of a GPU; `names` has the names of the runs by id."""
    runs = dict.fromkeys(names.get(process.run, process.run) for process in gpu.processes if process.run is not None)
    foreign = [foreign_process(process) for process in gpu.processes if process.run is None]
    return (
        str(gpu.index),
        gpu.name,
        gpu.health + (f" for {durations.elapsed(gpu.age_seconds)}" if gpu.health is GpuHealth.STALE else ""),
        numbers.percent(gpu.utilization_percent),
        numbers.memory(gpu.memory_used_bytes, gpu.memory_total_bytes),
        numbers.celsius(gpu.temperature_celsius),
        numbers.watts(gpu.power_watts, gpu.power_limit_watts),
        ", ".join([*runs, *foreign]),
    )


def _supervisor_text(session: Session, pid: int | None, unfinished: Sequence[RunView]) -> str:
    failure = repeated_failure(session.home, SUPERVISOR)
    if failure is not None:
        return f"{'none' if pid is None else f'alive, pid {pid}'}; it {failure}"
    if pid is not None:
        return f"alive, pid {pid}"
    if is_signed_elsewhere(session.home) and unfinished:
        return "none since this boot"
    is_needed = any(needs_supervisor(session.home, view.run) for view in unfinished)
    return "being started" if is_needed and not session.dry_run else "none; the next run starts one"


def _show_runs(session: Session, run_ids: Sequence[str]) -> None:
    unfinished, unindexed = split(session.home)
    session.ensure_supervisor([*unfinished, *unindexed])
    unfinished_by_id = {view.run.id: view for view in unfinished}
    positions = queue_positions(unfinished)
    runs = [_known_run(session, run_id, unfinished_by_id.get(run_id), positions) for run_id in run_ids]
    records = [run.record for run in runs]
    if session.json:
        output.json_value(records[0] if len(records) == 1 else records)
        return
    if len(records) > 1:
        _print_group(session, records)
    for number, run in enumerate(runs):
        if number or len(runs) > 1:
            output.line()
        _print_details(run)


def _known_run(session: Session, run_id: str, view: RunView | None, positions: Mapping[str, int]) -> KnownRun:
    try:
        view = view or read_view(session.home, run_id)
    except FileNotFoundError:  # the original tool recorded it: it has no directory
        return KnownRun(record=public_record(session.home, run_id))
    return KnownRun(
        record=record_of(session.home, view), run=view.run, live=view.live, queue_position=positions.get(run_id)
    )


def _print_details(run: KnownRun) -> None:
    for number, section in enumerate(detail_sections(run, Moment.now())):
        if number:
            output.line()
        output.line(section.title)
        _print_lines((f"  {name}", text) for name, text in section.lines)


def _print_group(session: Session, records: Sequence[JsonObject]) -> None:
    from backprop_tui.client.run_metrics import ranked, read_compared_run
    from backprop_tui.domain.objective import meaning
    from backprop_tui.presentation.objective import value_at

    statuses = [str(record["status"]) for record in records]
    groups = {record["group"] for record in records}
    name = next(iter(groups)) if len(groups) == 1 and None not in groups else "several"
    counts = ", ".join(f"{statuses.count(status)} {status_word(status)}" for status in dict.fromkeys(statuses))
    ranking = ranked([read_compared_run(session, record["id"]) for record in records], None)
    best = f"none: {ranking.problem}"
    if ranking.best is not None and ranking.objective is not None:
        run_id, value = ranking.best
        named = next(spelled(record["name"]) for record in records if record["id"] == run_id)
        best = f"{value_at(ranking.objective.metric, value)}, {meaning(ranking.objective)}: {run_id} {named}"
    _print_lines([("group", f"{name}  {len(records)} runs: {counts}"), ("best", best)])


def _print_lines(lines: Iterable[NamedValue]) -> None:
    for name, text in lines:
        output.line(f"{name:<{_MARGIN}} {tables.one_line(text)}".rstrip())
