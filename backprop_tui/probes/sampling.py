"""The sampler's loop, which measures the host and its GPUs and writes the readings to a file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, Readings
from backprop_tui.probes.gpu_monitor import AUTO, GpuMonitor, ProbeSelector, probe_factories
from backprop_tui.probes.gpu_record import UNKNOWN_PREFIX
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.ownership import ProcessOwners
from backprop_tui.probes.readings import Sample, read_sample, remove_leftovers, write_sample
from backprop_tui.processes.linux import boot_id

GPU_TIME_SHARE = 0.8  # of the interval, for which a reading waits for the GPUs
MAX_GPU_SECONDS = 2.0
# Measure a hot GPU more often, since the guard acts on the second reading that is too hot.
HOT_INTERVAL_FACTOR = 0.5
SETTLING_SECONDS = 0.1  # between readings until the GPUs are known
# Until then unknown GPUs are not written, so that the file of an earlier sampler stays while the driver opens.
UNKNOWN_GRACE_SECONDS = 2.0
PARENT_CHECK_SECONDS = 1.0  # between checks that the parent is alive, in case the kernel's signal was missed

# These probes use the driver's GPU indices, so that an earlier sampler's GPU can be recognised by its index.
_SAME_INDICES = frozenset({"nvml", "nvidia-smi"})

# Readings by GPU index, each with the monotonic time at which it was measured.
PreviousGpus = dict[int, tuple[GpuReading, float]]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """What to measure and where to write it; `disk_path` is a path on the disk whose free space is measured."""

    out: str
    disk_path: str
    probe: str = "auto"
    interval_seconds: float = 1.0


class Sampler:
    """Runs in the main thread, which never waits without a time limit; calls that may hang run in other threads."""

    def __init__(self, options: SamplerOptions, host: HostProbe, gpus: GpuMonitor) -> None:
        self._options = options
        self._host = host
        self._gpus = gpus
        self._boot_id = boot_id()
        self._report_unknown_at = time.monotonic() + UNKNOWN_GRACE_SECONDS
        self._write_failed = False

    @classmethod
    def for_this_machine(cls, options: SamplerOptions) -> Sampler:
        """Creates a sampler with the real probes; unresponsive GPUs keep the names that an earlier sampler saw."""
        remove_leftovers(options.out)
        last_sample = read_sample(options.out)
        previous = {} if last_sample is None else _previous_gpus(last_sample, options.probe)
        factories = probe_factories(options.probe, sample_seconds=options.interval_seconds, previous=previous)
        chooser = ProbeSelector(options.probe, factories)
        gpus = GpuMonitor(
            options.probe,
            chooser.choose,
            sample_seconds=options.interval_seconds,
            owners=ProcessOwners(),
            previous=_with_common_time(previous),
        )
        return cls(options, HostProbe(disk_path=options.disk_path), gpus)

    def run(self, alive: Callable[[], bool]) -> None:
        """Measures repeatedly while `alive` returns True."""
        due = time.monotonic()
        while alive():
            due = max(due + self.measure(), time.monotonic())
            while (left := due - time.monotonic()) > 0 and alive():
                time.sleep(min(left, PARENT_CHECK_SECONDS))

    def measure(self) -> float:
        """Measures and write once; returns the seconds until the next measurement."""
        gpus = self._gpus.read(min(self._options.interval_seconds * GPU_TIME_SHARE, MAX_GPU_SECONDS))
        if not gpus.known and time.monotonic() < self._report_unknown_at:
            return SETTLING_SECONDS
        readings = Readings(
            time=round(time.time(), 3),
            host=self._host.read(),
            gpus=gpus.gpus,
            probe=gpus.probe,
            probe_problem=gpus.problem,
        )
        self._write(
            Sample(
                readings=readings,
                passed_over=gpus.passed_over,
                gpus_known=gpus.known,
                pid=os.getpid(),
                boot_id=self._boot_id,
            )
        )
        if not gpus.known:
            return SETTLING_SECONDS
        hot = any(gpu.health is GpuHealth.HOT for gpu in gpus.gpus)
        return self._options.interval_seconds * (HOT_INTERVAL_FACTOR if hot else 1.0)

    def _write(self, sample: Sample) -> None:
        # An error is reported only once, but every sample is tried.
        try:
            write_sample(self._options.out, sample)
        except OSError as error:
            if not self._write_failed:
                sys.stderr.write(f"sampler: {self._options.out}: {error.strerror}\n")
            self._write_failed = True
        else:
            self._write_failed = False


def _previous_gpus(sample: Sample, requested: str) -> PreviousGpus:
    if sample.readings.probe not in _SAME_INDICES or requested not in {AUTO, *_SAME_INDICES}:
        return {}
    written_at = time.monotonic() - max(0.0, time.time() - sample.readings.time)
    return {
        gpu.index: (gpu, written_at - gpu.age_seconds)
        for gpu in sample.readings.gpus
        if not gpu.uuid.startswith(UNKNOWN_PREFIX)
    }


def _with_common_time(previous: PreviousGpus) -> tuple[tuple[GpuReading, ...], float]:
    """Returns the readings with their ages at the time of the newest, and that time."""
    newest = max((measured_at for _, measured_at in previous.values()), default=0.0)
    return tuple(replace(gpu, age_seconds=newest - measured_at) for gpu, measured_at in previous.values()), newest
