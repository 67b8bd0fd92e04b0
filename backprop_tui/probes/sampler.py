"""The sampler process, which measures the host and the GPUs. It is disposable: a driver that hangs blocks only it.

    python -m backprop_tui.probes.sampler --out FILE --disk-path DIR [--histories FILE] [--probe auto] [--interval 1.0]
        [--parent PID] [--stream 1]

With `--stream` the samples are printed, one per line, and FILE is only read, for what an earlier sampler saw.
It holds no locks or file descriptors of its parent and ends with its parent. It is the leader of a process group that
contains the commands it runs, so that killing the group leaves nothing behind.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import UNKNOWN_PREFIX, GpuHealth, GpuReading, Readings
from backprop_tui.probes.gpu_monitor import AUTO, GpuMonitor, ProbeSelector, probe_factories
from backprop_tui.probes.histories import HistoryRecorder
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.ownership import ProcessOwners
from backprop_tui.probes.readings import (
    Sample,
    boot_seconds,
    encode_sample,
    read_sample,
    remove_leftovers,
    write_sample,
)
from backprop_tui.processes.linux import boot_id, die_with_parent, rename_process
from backprop_tui.store.files import write_all

MIN_INTERVAL_SECONDS = 0.1
_REQUIRED = {"--out", "--disk-path"}
_OPTIONS = _REQUIRED | {"--histories", "--probe", "--interval", "--parent", "--stream"}
GPU_TIME_SHARE = 0.8  # of the interval, for which a reading waits for the GPUs
MAX_GPU_SECONDS = 2.0
# Measure a hot GPU more often, since the guard acts on the second reading that is too hot.
HOT_INTERVAL_FACTOR = 0.5
SETTLING_SECONDS = 0.1  # between readings until the GPUs are known
# Until then unknown GPUs are not written, so that the file of an earlier sampler stays while the driver opens.
UNKNOWN_GRACE_SECONDS = 2.0
PARENT_CHECK_SECONDS = 1.0  # between checks that the parent is alive, in case the kernel's signal was missed

# These probes use the driver's GPU indices, so that an earlier sampler's GPU can be recognized by its index.
_SAME_INDICES = frozenset({"nvml", "nvidia-smi"})

# Readings by GPU index, each with the monotonic time at which it was measured.
PreviousGpus = dict[int, tuple[GpuReading, float]]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """What to measure and where to write it; `disk_path` is a path on the disk whose free space is measured.

    `histories` is the file of the last hour; None: it is not recorded.
    `stream` is the descriptor to which the samples are printed; None: they are written to `out`.
    """

    out: str
    disk_path: str
    probe: str = "auto"
    interval_seconds: float = 1.0
    stream: int | None = None
    histories: str | None = None


class Sampler:
    """Runs in the main thread, which never waits without a time limit; calls that may hang run in other threads."""

    def __init__(self, options: SamplerOptions, host: HostProbe, gpus: GpuMonitor) -> None:
        self._options = options
        self._host = host
        self._gpus = gpus
        self._boot_id = boot_id()
        self._report_unknown_at = time.monotonic() + UNKNOWN_GRACE_SECONDS
        self._write_failed = False
        self._history = None if options.histories is None else HistoryRecorder(options.histories, os.getpid())

    @classmethod
    def for_this_machine(cls, options: SamplerOptions) -> Sampler:
        """Creates a sampler with the real probes; unresponsive GPUs keep the names that an earlier sampler saw."""
        if options.stream is None:
            for path in (options.out, options.histories):
                remove_leftovers(path or options.out)
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
        """Measures and writes once; returns the seconds until the next measurement."""
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
                mark=round(boot_seconds(), 3),
            )
        )
        if not gpus.known:
            return SETTLING_SECONDS
        if self._history is not None:
            self._history.add(readings, time.monotonic())
        hot = any(gpu.health is GpuHealth.HOT for gpu in gpus.gpus)
        return self._options.interval_seconds * (HOT_INTERVAL_FACTOR if hot else 1.0)

    def _write(self, sample: Sample) -> None:
        # An error is reported only once, but every sample is tried.
        try:
            if self._options.stream is None:
                write_sample(self._options.out, sample)
            else:
                write_all(self._options.stream, encode_sample(sample) + b"\n")
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


def main(arguments: Sequence[str]) -> None:
    """Runs the sampler until the parent ends."""
    parent = os.getppid()
    options, expected_parent = _parse_arguments(arguments)
    die_with_parent(signal.SIGTERM)
    if expected_parent not in (None, parent) or os.getppid() != parent:
        return  # the parent ended before die_with_parent took effect
    _detach(options.stream)
    rename_process("bp-sampler")
    Sampler.for_this_machine(options).run(lambda: os.getppid() == parent)
    _end_group(signal.SIGTERM, None)


def _parse_arguments(arguments: Sequence[str]) -> tuple[SamplerOptions, int | None]:
    """Returns the options and the expected parent's pid; importing argparse takes longer than a whole measurement."""
    named = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or named.keys() - _OPTIONS or _REQUIRED - named.keys():
        raise SystemExit(__doc__)
    try:
        interval, parent = float(named.get("--interval", "1.0")), int(named.get("--parent", "0"))
        stream = int(named["--stream"]) if "--stream" in named else None
    except ValueError as error:
        raise SystemExit(f"sampler: {error}") from error
    options = SamplerOptions(
        out=os.path.abspath(named["--out"]),
        disk_path=os.path.abspath(named["--disk-path"]),
        probe=named.get("--probe", "auto"),
        interval_seconds=max(MIN_INTERVAL_SECONDS, interval),
        stream=stream,
        histories=os.path.abspath(named["--histories"]) if "--histories" in named else None,
    )
    return options, parent or None


def _detach(stream: int | None) -> None:
    """Releases everything inherited from the parent but the stream, and ignores the signals of its terminal."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    os.chdir("/")
    os.umask(0o077)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _end_group)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.closerange(3, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in {0, 1} - {stream}:
        os.dup2(null, descriptor)
    os.close(null)


def _end_group(_number: int, _frame: FrameType | None) -> None:
    """Kills the process group, including the commands it runs, even if threads hang."""
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
