"""The machine and its governor at this moment: as the supervisor wrote them, else measured or worked out here."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from backprop_tui.client.queueing import is_queue_held
from backprop_tui.config.load import machine_limits, machine_probe
from backprop_tui.domain.errors import ConfigError
from backprop_tui.domain.governor.governor_state import GovernorMode, GovernorState
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.telemetry import STALE_AFTER_SAMPLES, GpuReading, Readings, aged, shows_gpus_of
from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.readings import Sample, decode_sample, read_sample, write_sample
from backprop_tui.processes.linux import boot_id, existing_directory
from backprop_tui.store.codec import decode
from backprop_tui.store.fields import WrongField
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import governor_record

NO_PROBE = "none"
MIN_FRESH_SECONDS = 5.0
CPU_SECONDS = 0.1  # how long the CPU load is measured if the sampler does not do it already
SAMPLER_TIMEOUT_SECONDS = 2.5  # how long a driver may take to list its GPUs


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineSettings:
    """The user's settings for this machine; the defaults, and in `wrong` the error, if they cannot be read."""

    limits: MachineLimits
    probe: str  # the configured GPU probe
    wrong: ConfigError | None = None


def machine_settings(config_path: str) -> MachineSettings:
    """The settings, read as the supervisor reads them."""
    try:
        return MachineSettings(limits=machine_limits(config_path), probe=machine_probe(config_path))
    except ConfigError as error:
        return MachineSettings(limits=MachineLimits(), probe="auto", wrong=error)


class OwnSampler:
    """A sampler process that starts at once and prints its samples to this process; ask it for one."""

    def __init__(self, home: Home, *, probe: str, sample_seconds: float) -> None:
        self._home = home
        self._began = time.monotonic()
        self._reading, writing = os.pipe2(os.O_CLOEXEC)
        self._process = SamplerProcess(home=home, probe=probe, interval_seconds=sample_seconds, stream=writing)
        try:
            self._process.ensure(self._began)
        finally:
            os.close(writing)

    def sample(self) -> Sample | None:
        """The first sample that knows which GPUs there are; None if a driver takes too long."""
        try:
            sample = self._first_known()
        finally:
            self._process.stop()
            os.close(self._reading)
        if sample is not None and self._home.foreign_owner() is None:
            with suppress(OSError):  # only so that the next reader has it
                write_sample(self._home.readings, sample)
        return sample

    def _first_known(self) -> Sample | None:
        poll, content = select.poll(), b""
        poll.register(self._reading, select.POLLIN)
        while (left := self._began + SAMPLER_TIMEOUT_SECONDS - time.monotonic()) > 0 and poll.poll(left * 1000):
            chunk = os.read(self._reading, 1 << 16)
            *lines, content = (content + chunk).split(b"\n")
            samples = (sample for line in lines if (sample := decode_sample(line)) is not None)
            known = next((sample for sample in samples if sample.gpus_known), None)
            if known is not None or not chunk:
                return known
        return None


def known_gpus(home: Home, config_path: str, probe: str) -> tuple[GpuReading, ...] | None:
    """The GPUs of this machine, measured if need be; None if the probe cannot tell: it is off, broken or too slow.

    `auto` means the probe of the configuration file. A living sampler is not replaced by one with another probe.
    """
    settings = machine_settings(config_path)
    probe = settings.probe if probe == "auto" else probe
    if probe == NO_PROBE:
        return None
    seconds = settings.limits.sample_seconds
    sample = read_sample(home.readings)
    is_known = _has_no_gpu(sample) and sample is not None and shows_gpus_of(probe, sample.readings.probe)
    if not is_known and (sample is None or not _is_fresh(sample, seconds)):
        sample = OwnSampler(home, probe=probe, sample_seconds=seconds).sample()
    if sample is None or not sample.gpus_known or sample.readings.probe_problem is not None:
        return None
    return sample.readings.gpus if shows_gpus_of(probe, sample.readings.probe) else None


def max_parallel_here(home: Home, config_path: str) -> int:
    """How many runs may be active at a time on this machine; 0 means no limit. Measures the GPUs if need be."""
    from backprop_tui.domain.governor.snapshot import parallel_limit

    host = HostProbe(disk_path=existing_directory(home.root)).read()
    gpus = known_gpus(home, config_path, "auto") or ()
    return parallel_limit(machine_settings(config_path).limits, Readings(time=time.time(), host=host, gpus=gpus))


class MachineProbe:
    """Starts measuring when it is created, so that the caller can do other work until the sample is there."""

    def __init__(self, home: Home, settings: MachineSettings) -> None:
        self._began = time.monotonic()
        self._sample = read_sample(home.readings)
        self._sampler: OwnSampler | None = None
        seconds = settings.limits.sample_seconds
        self._sample_seconds = seconds
        self._fresh = self._sample is not None and _is_fresh(self._sample, seconds)
        if self._fresh:
            return
        self._host = HostProbe(disk_path=existing_directory(home.root))
        self._host.read()
        if settings.probe != NO_PROBE and not _has_no_gpu(self._sample):
            self._sampler = OwnSampler(home, probe=settings.probe, sample_seconds=seconds)

    def sample(self) -> Sample:
        """The readings of host and GPUs; waits for them if they are not there yet."""
        if self._fresh and self._sample is not None:
            readings = self._sample.readings
            age = round(max(0.0, time.time() - readings.time), 1)
            gpus = tuple(aged(gpu, age, self._sample_seconds) for gpu in readings.gpus)
            return replace(self._sample, readings=replace(readings, gpus=gpus))
        sample = self._sample if _has_no_gpu(self._sample) else None
        if self._sampler is not None:
            sample = self._sampler.sample()
        time.sleep(max(0.0, self._began + CPU_SECONDS - time.monotonic()))
        host = self._host.read()
        if sample is None:
            readings = Readings(time=time.time(), host=host, probe=NO_PROBE)
            return Sample(readings=readings, gpus_known=self._sampler is None, pid=os.getpid(), boot_id=boot_id())
        return replace(sample, readings=replace(sample.readings, host=host))


def _is_fresh(sample: Sample, sample_seconds: float) -> bool:
    """Whether it need not be measured again: a living sampler may measure at long intervals."""
    is_living = os.path.exists(f"/proc/{sample.pid}")
    fresh_seconds = max(MIN_FRESH_SECONDS, STALE_AFTER_SAMPLES * sample_seconds if is_living else 0.0)
    return abs(time.time() - sample.readings.time) < fresh_seconds


def _has_no_gpu(sample: Sample | None) -> bool:
    """Whether an earlier sample of this boot found no GPU; so there is none now."""
    if sample is None or not sample.gpus_known:
        return False
    return not sample.readings.gpus and sample.readings.probe_problem is None


def decode_governor(record: Mapping[str, Any]) -> GovernorState | None:
    """The state in governor.json; None if a later version wrote it in another form."""
    defaults = {"start_burst": MachineLimits().start_burst, "max_parallel": 0, "active": 0, "waiting": 0}
    try:
        return decode(GovernorState, defaults | dict(record))
    except WrongField:
        return None


def governor_now(
    home: Home, limits: MachineLimits, readings: Readings, *, is_supervised: bool, active: int
) -> GovernorState:
    """What the living supervisor decided last, else what it would start with; `active` runs count as started."""
    record = governor_record(home) if is_supervised else None
    state = None if record is None else decode_governor(record)
    state = replace(state or _without_supervisor(home, limits, readings), active=active)
    # The supervisor writes that the queue is held only while runs wait, and not before its next pass.
    reasons = tuple(reason for reason in state.reasons if reason.check is not Check.QUEUE_HELD)
    if is_queue_held(home):
        held = HoldReason(check=Check.QUEUE_HELD, message="queue held by you, nothing new starts")
        reasons = (held, *reasons)
    mode = GovernorMode.HOLDING if reasons else GovernorMode.OPEN
    mode = GovernorMode.CONSERVATIVE if state.state is GovernorMode.CONSERVATIVE else mode
    return replace(state, state=mode, reasons=reasons)


def _without_supervisor(home: Home, limits: MachineLimits, readings: Readings) -> GovernorState:
    from backprop_tui.domain.governor.snapshot import parallel_limit
    from backprop_tui.domain.governor.tokens import is_limited
    from backprop_tui.engine.capacity import read_tokens, settle_loans

    now = time.monotonic()
    bucket = settle_loans(home, read_tokens(home, now, limits), limits, {}).refilled(now, limits)
    return GovernorState(
        state=GovernorMode.OPEN,
        reasons=(),
        start_tokens=bucket.tokens if is_limited(limits) else None,
        start_burst=limits.start_burst,
        active=0,
        max_parallel=parallel_limit(limits, readings),
        waiting=0,
    )
