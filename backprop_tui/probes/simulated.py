"""Simulated GPUs for demos, laptops and tests; their load follows the runs."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import is_hot
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.probes.gpu_record import DEFAULT_HOT_CELSIUS, ProbeUnavailable
from backprop_tui.processes.identity import DEAD_STATES, state_of

MEMORY_FILLS_SECONDS = 6.0  # how long a run takes to allocate its memory
THERMAL_SECONDS = 25.0  # time constant: 63 % of a temperature change takes this long
POWER_SECONDS = 2.0  # time constant
MIN_SHARE, MAX_SHARE = 0.15, 0.45  # of the memory, for a run that does not specify an amount


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuModel:
    """Specification of a GPU model; at full load it settles at `heat_celsius` above the ambient temperature."""

    name: str
    memory_bytes: int
    idle_watts: float
    full_watts: float
    heat_celsius: float
    has_fan: bool


_MEBIBYTE = 1 << 20
MODELS = {
    model.name.split()[0].lower(): model
    for model in (
        GpuModel(name="H100 80GB", memory_bytes=81559 * _MEBIBYTE, idle_watts=70, full_watts=690, heat_celsius=50,
                 has_fan=False),
        GpuModel(name="A100 80GB", memory_bytes=81920 * _MEBIBYTE, idle_watts=55, full_watts=395, heat_celsius=47,
                 has_fan=False),
        GpuModel(name="RTX4090 24GB", memory_bytes=24564 * _MEBIBYTE, idle_watts=20, full_watts=445, heat_celsius=48,
                 has_fan=True),
        GpuModel(name="RTX3060 12GB", memory_bytes=12288 * _MEBIBYTE, idle_watts=13, full_watts=168, heat_celsius=46,
                 has_fan=True),
        GpuModel(name="T4 16GB", memory_bytes=15360 * _MEBIBYTE, idle_watts=10, full_watts=70, heat_celsius=52,
                 has_fan=False),
    )
}  # fmt: skip


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedLoad:
    """A run on a GPU; `busy` is False while it is paused. `memory_bytes` None: a share derived from the run's id."""

    run: str
    pid: int
    busy: bool = True
    memory_bytes: int | None = None


class SimulatedGpu:
    """The state of one GPU; the same seed and times give the same values."""

    def __init__(self, model: GpuModel, *, seed: str, ambient_celsius: float) -> None:
        self.model = model
        self._seed = seed
        self._ambient_celsius = ambient_celsius
        self._phase = Random(seed).uniform(0, 2 * math.pi)
        self._allocated: dict[str, float] = {}
        self.utilization_percent = 0.0
        self.watts = model.idle_watts
        self.celsius = self._equilibrium_celsius(model.idle_watts)

    def advance(self, now: float, seconds: float, loads: Sequence[SimulatedLoad]) -> None:
        """Advances the simulation by `seconds`, up to `now`, with these loads."""
        model = self.model
        busy = sum(1 for load in loads if load.busy)
        # Training sometimes waits for data; a second run fills the gaps.
        wave = 0.5 + 0.5 * math.sin(now / 3.7 + self._phase) * math.sin(now / 11.3)
        self.utilization_percent = 0.0 if not busy else min(100.0, round(99 - 14 * wave / busy))
        target_watts = model.idle_watts + (model.full_watts - model.idle_watts) * self.utilization_percent / 100
        self.watts = _approach(self.watts, target_watts, seconds / POWER_SECONDS)
        self.celsius = _approach(self.celsius, self._equilibrium_celsius(self.watts), seconds / THERMAL_SECONDS)
        self._allocate(seconds, loads)

    def allocated_bytes(self, run: str) -> int:
        return int(self._allocated.get(run, 0))

    @property
    def used_bytes(self) -> int:
        """Memory used by all runs and the driver."""
        return self.model.memory_bytes // 200 + sum(int(size) for size in self._allocated.values())

    def _allocate(self, seconds: float, loads: Sequence[SimulatedLoad]) -> None:
        """Grows the memory of busy runs, keeps that of paused runs, and frees that of ended runs."""
        targets = {load.run: self._target_bytes(load) for load in loads}
        self._allocated = {run: size for run, size in self._allocated.items() if run in targets}
        for load in loads:
            free = self.model.memory_bytes - self.used_bytes
            size = self._allocated.get(load.run, 0.0)
            growth = targets[load.run] * seconds / MEMORY_FILLS_SECONDS if load.busy else 0.0
            self._allocated[load.run] = max(size, min(targets[load.run], size + growth, size + max(0, free)))

    def _target_bytes(self, load: SimulatedLoad) -> float:
        if load.memory_bytes is not None:
            return float(load.memory_bytes)
        share = Random(f"{self._seed} {load.run}").uniform(MIN_SHARE, MAX_SHARE)
        return self.model.memory_bytes * share

    def _equilibrium_celsius(self, watts: float) -> float:
        return self._ambient_celsius + self.model.heat_celsius * watts / self.model.full_watts


def _approach(value: float, target: float, time_constants: float) -> float:
    """Exponential approach; one long step gives the same result as many short ones."""
    return target + (value - target) * math.exp(-time_constants)


MEMORY_VARIABLE = "BACKPROP_SIMULATED_VRAM_MB"
SCANS_PER_PROGRAM = 5  # a process may first be seen before its exec, with the environment of its parent

_STOPPED = (b"T", b"t")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    run: str
    uuids: tuple[str, ...]
    memory_bytes: int | None


class LoadScanner:
    """Scans all processes when called; remembers those it has scanned while they are alive."""

    def __init__(self) -> None:
        self._scans: dict[int, tuple[str, int]] = {}  # by pid: the name of its program, and how often it was scanned
        self._members: dict[int, _Member] = {}

    def __call__(self, uuids: Sequence[str]) -> Mapping[str, Sequence[SimulatedLoad]]:
        """The loads by GPU. A run has one load per GPU, with its first pid, busy unless all processes are stopped."""
        self._scan()
        loads: dict[str, dict[str, SimulatedLoad]] = {uuid: {} for uuid in uuids}
        for pid in sorted(self._members):
            member, state = self._members[pid], state_of(pid)
            if state is None or state in DEAD_STATES:
                continue
            for uuid in member.uuids:
                if uuid in loads:
                    known = loads[uuid].get(member.run)
                    loads[uuid][member.run] = SimulatedLoad(
                        run=member.run,
                        pid=pid if known is None else known.pid,
                        busy=state not in _STOPPED or (known is not None and known.busy),
                        memory_bytes=member.memory_bytes,
                    )
        return {uuid: tuple(by_run.values()) for uuid, by_run in loads.items()}

    def _scan(self) -> None:
        pids = {int(name) for name in os.listdir("/proc") if name.isdecimal()} - {os.getpid()}
        self._scans = {pid: scanned for pid, scanned in self._scans.items() if pid in pids}
        self._members = {pid: member for pid, member in self._members.items() if pid in pids}
        for pid in pids:
            program = _program_of(pid)
            known, count = self._scans.get(pid, (program, 0))
            if (
                count < SCANS_PER_PROGRAM or program != known
            ):  # a child that was forked in advance executes its script late
                self._scans[pid] = program, count + 1 if program == known else 1
                member = _read_member(pid)
                if member is not None:
                    self._members[pid] = member


def _program_of(pid: int) -> str:
    """The kernel's name of its program, which an exec changes; empty if it has ended."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _read_member(pid: int) -> _Member | None:
    """None if the process does not belong to a run with GPUs, belongs to another user, or has ended."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    environment = dict(variable.split(b"=", 1) for variable in variables if b"=" in variable)
    run, visible = environment.get(b"BACKPROP_RUN_ID"), environment.get(b"CUDA_VISIBLE_DEVICES", b"")
    if not run or not visible:
        return None
    megabytes = environment.get(MEMORY_VARIABLE.encode(), b"")
    return _Member(
        run=os.fsdecode(run),
        uuids=tuple(os.fsdecode(visible).split(",")),
        memory_bytes=int(megabytes) * _MEBIBYTE if megabytes.isdigit() else None,
    )


GPUS_VARIABLE = "BACKPROP_SIMULATED_GPUS"
AMBIENT_VARIABLE = "BACKPROP_SIMULATED_AMBIENT_C"
DEFAULT_GPUS = "2xH100"
DEFAULT_AMBIENT_CELSIUS = 27.0
MAX_GPUS = 64

_PART = re.compile(r"(?:(\d+)\s*x\s*)?([a-z0-9]+)", re.IGNORECASE)

# Returns the loads on the GPUs with the given UUIDs, by UUID.
Loads = Callable[[Sequence[str]], Mapping[str, Sequence[SimulatedLoad]]]


def parse_gpus(text: str) -> tuple[GpuModel, ...]:
    """Parses a list of models such as `2xH100,RTX4090`. Raises: ProbeUnavailable."""
    models: list[GpuModel] = []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        model = MODELS.get(match[2].lower()) if match else None
        count = int(match[1] or 1) if match else 0
        if model is None or not 1 <= count + len(models) <= MAX_GPUS:
            known = ", ".join(sorted(name.upper() for name in MODELS))
            rule = f"write a number, x and a model, like 2xH100 or H100,RTX4090; known: {known}; at most {MAX_GPUS}"
            raise ProbeUnavailable(f"{GPUS_VARIABLE}={text!r}: {rule}")
        models.extend([model] * count)
    return tuple(models)


class SimulatedProbe:
    """Simulates GPUs deterministically: the same seed, clock and loads give the same readings."""

    name = "simulated"

    def __init__(
        self,
        environment: Mapping[str, str],
        loads: Loads,
        *,
        seed: str = "backprop",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`environment` defines the GPUs; `loads` is called at each reading."""
        self._environment = environment
        self._loads = loads
        self._seed = seed
        self._clock = clock
        self._gpus: dict[str, SimulatedGpu] = {}
        self._read_at: float | None = None

    def open(self) -> None:
        """Creates the GPUs the first time. Raises: ProbeUnavailable, if a variable is not valid."""
        models = parse_gpus(self._environment.get(GPUS_VARIABLE, "").strip() or DEFAULT_GPUS)
        ambient_celsius = _ambient_celsius(self._environment)
        for index, model in enumerate(() if self._gpus else models):
            uuid = f"SIM-{index}-{model.name.split()[0].lower()}"
            seed = f"{self._seed} {index}"
            self._gpus[uuid] = SimulatedGpu(model, seed=seed, ambient_celsius=ambient_celsius)

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        """Advances the simulation by the time since the last reading and returns the readings."""
        now = self._clock()
        elapsed = 0.0 if self._read_at is None else max(0.0, now - self._read_at)
        self._read_at = now
        loads = self._loads(tuple(self._gpus))
        readings = []
        for index, (uuid, gpu) in enumerate(self._gpus.items()):
            gpu_loads = loads.get(uuid, ())
            gpu.advance(now, elapsed, gpu_loads)
            readings.append(_simulated_reading(index, uuid, gpu, gpu_loads))
        return tuple(readings)

    def close(self) -> None:
        pass


def _ambient_celsius(environment: Mapping[str, str]) -> float:
    text = environment.get(AMBIENT_VARIABLE, "").strip()
    try:
        return float(text) if text else DEFAULT_AMBIENT_CELSIUS
    except ValueError as error:
        raise ProbeUnavailable(f"{AMBIENT_VARIABLE}={text!r}: must be degrees Celsius, like 27") from error


def _simulated_reading(index: int, uuid: str, gpu: SimulatedGpu, loads: Sequence[SimulatedLoad]) -> GpuReading:
    celsius = float(round(gpu.celsius))
    fan = max(0.0, min(100.0, round((celsius - 40) * 2.2))) if gpu.model.has_fan else None
    return GpuReading(
        index=index,
        uuid=uuid,
        name=f"{gpu.model.name} (simulated)",
        health=GpuHealth.HOT if is_hot(celsius, DEFAULT_HOT_CELSIUS) else GpuHealth.OK,
        temperature_celsius=celsius,
        utilization_percent=gpu.utilization_percent,
        memory_total_bytes=gpu.model.memory_bytes,
        memory_used_bytes=gpu.used_bytes,
        power_watts=round(gpu.watts, 1),
        power_limit_watts=float(-(-gpu.model.full_watts // 50) * 50),
        fan_percent=fan,
        processes=tuple(
            GpuProcess(pid=load.pid, memory_bytes=gpu.allocated_bytes(load.run), run=load.run)
            for load in loads
            if gpu.allocated_bytes(load.run)
        ),
    )
