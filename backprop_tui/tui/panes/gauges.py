"""What the machine pane shows: the GPUs of this machine and of the nodes that runs use, and the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import RunLimits, is_hot, is_nearly_hot
from backprop_tui.domain.run import SLURM
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.domain.telemetry import UNKNOWN_PREFIX, GpuHealth, GpuReading, HostReading
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.machine import foreign_process, gpu_problem, no_gpu_note, short_gpu_model, used_ram
from backprop_tui.probes.histories import HOST, History
from backprop_tui.probes.readings import Sample
from backprop_tui.tui.lines import Token
from backprop_tui.tui.snapshot import Node, Snapshot

FULL_MEMORY = 0.97
_IDLE_SHARE = 0.1  # of the utilization and the memory: a driver and a desktop use less than that
_NOT_ANSWERING = frozenset({GpuHealth.LOST, GpuHealth.STALE, GpuHealth.UNKNOWN})
_STALE_SECONDS = 5.0
_CLUSTER = "not measured: its runs are jobs of the cluster"
_NODE_SECONDS = 5.0  # clocks of machines differ, and a network file system shows a file late


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuUser:
    """`short` is shown where there is no room for the text."""

    text: str
    short: str = ""
    token: Token = Token.FG


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuRow:
    """One GPU, or the processor and memory of a node without one; shares are between 0 and 1, None is no reading.

    `node` is the machine, empty for this one. `problem` replaces the readings.
    """

    index: int | None
    node: str = ""
    model: str
    utilization: float | None
    memory_share: float | None
    memory_used: int | None
    memory_total: int | None
    celsius: float | None
    watts: float | None
    watt_limit: float | None
    fan_percent: float | None
    history: tuple[float | None, ...]
    users: tuple[GpuUser, ...]
    memory_token: Token = Token.INFO
    heat_token: Token = Token.FG
    hot: bool = False  # marked with a `!`
    problem: str | None = None

    @property
    def label(self) -> str:
        """`0`, on another machine `n1:0`, or `n1` for its processor."""
        index = "" if self.index is None else str(self.index)
        return ":".join(filter(None, (self.node, index)))


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """`note` says why there are no GPUs to show."""

    gpus: Sequence[GpuRow] = ()
    host: HostReading | None = None
    note: str | None = None

    def has(self, field: str) -> bool:
        """Whether any GPU has this reading, so that a column is made for it."""
        return any(getattr(gpu, field) is not None for gpu in self.gpus)


def machine_view(snapshot: Snapshot) -> MachineView:
    """The newest readings; those of a sampler that stopped answering are not shown as current.

    Below the GPUs of this machine come those of the nodes that runs of ours use.
    """
    sample, moment = snapshot.sample, snapshot.moment
    unfinished = snapshot.unfinished
    active = [run for run in unfinished if run.status in ACTIVE]
    nodes = [row for node in snapshot.nodes for row in _node_rows(node, active, snapshot)]
    if sample is None:
        is_login_node = bool(unfinished) and all(run.record["launcher"] == SLURM for run in unfinished)
        return MachineView(gpus=nodes, note=_CLUSTER if is_login_node else "measuring")
    readings = sample.readings
    here = {run.id: run for run in active if run.record["host"] == snapshot.host}
    stale = _stale_seconds(sample, moment, snapshot.limits.sample_seconds)
    rows = [_gpu_row(gpu, here, snapshot, snapshot.histories, stale_seconds=stale) for gpu in readings.gpus]
    note = None if readings.gpus else no_gpu_note(readings, gpus_known=sample.gpus_known)
    return MachineView(gpus=(*rows, *nodes), host=readings.host, note=note)


def _stale_seconds(sample: Sample, moment: Moment, sample_seconds: float) -> float:
    """How old the readings are, 0 if they are current."""
    age = moment.wall - sample.readings.time
    return age if age > max(_STALE_SECONDS, 3 * sample_seconds) else 0.0


def _node_rows(node: Node, active: Iterable[KnownRun], snapshot: Snapshot) -> Iterator[GpuRow]:
    """The GPUs of the node that runs of ours use; its processor and memory if they use none."""
    runs = {run.id: run for run in active if run.record["host"] == node.name}
    readings, name = node.sample.readings, sanitize(node.name.partition(".")[0])
    stale = _stale_seconds(node.sample, snapshot.moment, max(_NODE_SECONDS, snapshot.limits.sample_seconds))
    used = [gpu for gpu in readings.gpus if any(_is_on(run, gpu) for run in runs.values())]
    for gpu in used:
        row = _gpu_row(gpu, runs, snapshot, node.histories, stale_seconds=stale)
        yield replace(row, node=name)
    if used:
        return
    host, ram = readings.host, used_ram(readings.host)
    users = tuple(_user(run) for run in runs.values())
    yield GpuRow(
        index=None,
        node=name,
        model="CPU",
        utilization=share_of(host.cpu_percent, 100),
        memory_share=share_of(ram, host.ram_total_bytes),
        memory_used=ram,
        memory_total=host.ram_total_bytes,
        celsius=None,
        watts=None,
        watt_limit=None,
        fan_percent=None,
        history=node.histories.get(HOST, History()).utilization,
        users=users,
        problem=gpu_problem(None, stale, snapshot.moment.wall, is_measured=False) if stale else None,
    )


def _heat_limit(gpu: GpuReading, active: Iterable[KnownRun]) -> float:
    """The lowest limit of the runs on the GPU, or the default."""
    limits = [run.run.spec.limits.gpu_max_temp_celsius for run in active if run.run is not None and _is_on(run, gpu)]
    return min((limit for limit in limits if limit > 0), default=RunLimits().gpu_max_temp_celsius)


def share_of(used: float | None, total: float | None) -> float | None:
    return None if used is None or not total else used / total


def _gpu_row(
    gpu: GpuReading,
    active: Mapping[str, KnownRun],
    snapshot: Snapshot,
    histories: Mapping[str, History],
    *,
    stale_seconds: float,
) -> GpuRow:
    celsius, used, total = gpu.temperature_celsius, gpu.memory_used_bytes, gpu.memory_total_bytes
    share = share_of(used, total)
    limit = _heat_limit(gpu, active.values())
    problem = None
    answers = gpu.health not in _NOT_ANSWERING
    if not answers or stale_seconds:
        age = gpu.age_seconds + stale_seconds
        problem = gpu_problem(gpu.problem, age, snapshot.moment.wall, is_measured=not answers)
    users = tuple(_users(gpu, active, snapshot))
    return GpuRow(
        index=gpu.index,
        model="" if gpu.uuid.startswith(UNKNOWN_PREFIX) else short_gpu_model(gpu.name),
        utilization=share_of(gpu.utilization_percent, 100),
        memory_share=share,
        memory_used=used,
        memory_total=total,
        celsius=celsius,
        watts=gpu.power_watts,
        watt_limit=gpu.power_limit_watts,
        fan_percent=gpu.fan_percent,
        history=histories.get(gpu.uuid, History()).utilization,
        users=users if users or problem is not None else tuple(_without_process(gpu)),
        memory_token=Token.WARN if share is not None and share >= FULL_MEMORY else Token.INFO,
        heat_token=Token.BAD if is_hot(celsius, limit) else Token.WARN if is_nearly_hot(celsius, limit) else Token.FG,
        hot=is_nearly_hot(celsius, limit),
        problem=problem,
    )


def _users(gpu: GpuReading, active: Mapping[str, KnownRun], snapshot: Snapshot) -> Iterator[GpuUser]:
    """The runs on the GPU, those of several GPUs first, then processes of others."""
    measured = {process.run for process in gpu.processes}
    runs = [run for run in active.values() if _is_on(run, gpu) or run.id in measured]
    for run in sorted(runs, key=lambda run: -len(run.record.get("gpus") or ())):
        yield _user(run)
    for process in gpu.processes:
        if process.run is None or snapshot.find(process.run) is None:
            yield GpuUser(text=foreign_process(process), short=f"pid {process.pid}", token=Token.WARN)


def _without_process(gpu: GpuReading) -> Iterator[GpuUser]:
    """Whether the GPU is idle, if that is known; processes of another container or user may be invisible."""
    shares = share_of(gpu.utilization_percent, 100), share_of(gpu.memory_used_bytes, gpu.memory_total_bytes)
    highest = max((share for share in shares if share is not None), default=None)
    if highest is not None and highest >= _IDLE_SHARE:
        yield GpuUser(text="busy, no process visible", short="busy", token=Token.WARN)
    elif highest is not None:
        yield GpuUser(text="idle", token=Token.MUTED)


def _user(run: KnownRun) -> GpuUser:
    """Where there is little room, only the arguments that tell it from its namesakes, or else its name."""
    gpus = len(run.record.get("gpus") or ())
    paused = run.status is Status.PAUSED
    what = f" ×{gpus}" if gpus > 1 else ""
    return GpuUser(
        text=sanitize(run.label) + what + (" paused" if paused else ""),
        short=sanitize(run.arguments or run.label) + what,
        token=Token.WARN if paused else Token.FG,
    )


def _is_on(run: KnownRun, gpu: GpuReading) -> bool:
    return any(of_run.get("uuid") == gpu.uuid for of_run in run.record.get("gpus") or ())
