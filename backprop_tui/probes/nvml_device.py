"""Asks NVML everything about one GPU; called in that GPU's own thread, since any question may hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

from backprop_tui.domain.telemetry import GpuProcess
from backprop_tui.probes.gpu_record import GpuAnswer, GpuFailed, GpuLost, GpuOutcome
from backprop_tui.probes.nvml_errors import ErrorKind, error_kind, lost_reason, unavailable, error_text
from backprop_tui.probes.xid import Xid

Figure = TypeVar("Figure")

_TEMPERATURE_GPU = 0  # nvml.h: NVML_TEMPERATURE_GPU
_THRESHOLD_SLOWDOWN = 1  # NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
_EVENT_XID = 8  # nvmlEventTypeXidCriticalError


class NvmlDevice:
    """What does not change is asked once; a GPU that was lost is asked anew."""

    def __init__(self, nvml: ModuleType, index: int, *, sys_root: str = "/sys") -> None:
        self._nvml = nvml
        self._index = index
        self._sys_root = sys_root
        self._memory_version: int | None = getattr(nvml, "nvmlMemory_v2", None)
        self._handle: object = None
        self._uuid = self._name = ""
        self._hot_at: int | None = None
        self._events: object = None
        self._xid: Xid | None = None
        self._failures: dict[str, str] = {}

    def ask(self) -> GpuOutcome:
        """Every figure; of those that fail, the reason.

        Raises:
            ProbeUnavailable: the driver is gone for all GPUs.
        """
        self._failures = {}
        try:
            self._meet()
            self._hear()
            return self._figures()
        except self._nvml.NVMLError as error:
            return self._outcome_of(error, error.value)

    def _meet(self) -> None:
        if self._handle is not None:
            return
        nvml = self._nvml
        handle = nvml.nvmlDeviceGetHandleByIndex(self._index)
        self._uuid, self._name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
        self._handle = handle
        self._hot_at = self._optional(lambda: nvml.nvmlDeviceGetTemperatureThreshold(handle, _THRESHOLD_SLOWDOWN))
        self._events = self._optional(self._listen)

    def _listen(self) -> object:
        """Subscribes to the GPU's Xid events."""
        events: object = self._nvml.nvmlEventSetCreate()
        self._nvml.nvmlDeviceRegisterEvents(self._handle, _EVENT_XID, events)
        return events

    def _hear(self) -> None:
        """Whether the driver has reported a fault; without waiting: no event is a TIMEOUT error."""
        if self._events is None:
            return
        event = self._optional(lambda: self._nvml.nvmlEventSetWait(self._events, 0))
        if event is not None:
            self._xid = Xid(number=int(event.eventData), seen_at=time.monotonic())

    def _figures(self) -> GpuAnswer:
        nvml, handle, figure = self._nvml, self._handle, self._figure
        total_bytes, used_bytes = figure("memory", self._memory) or (None, None)
        temperature = figure("temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, _TEMPERATURE_GPU))
        utilization = figure("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        milliwatts = figure("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        fan = figure("fan", lambda: nvml.nvmlDeviceGetFanSpeed(handle))
        return GpuAnswer(
            uuid=self._uuid,
            name=self._name,
            temperature_celsius=None if temperature is None else float(temperature),
            utilization_percent=None if utilization is None else float(utilization),
            memory_total_bytes=total_bytes,
            memory_used_bytes=used_bytes,
            power_watts=None if milliwatts is None else milliwatts / 1000,
            fan_percent=None if fan is None else float(fan),
            processes=self._processes(),
            hot_at_celsius=self._hot_at or None,
            failures=self._failures,
            warning=self._fault(),
        )

    def _figure(self, name: str, question: Callable[[], Figure]) -> Figure | None:
        """The figure; None where the GPU has none, or failed to give it, which is noted."""
        try:
            return question()
        except self._nvml.NVMLError as error:
            match error_kind(error.value):
                case ErrorKind.MISSING:
                    return None
                case ErrorKind.FAILED:
                    self._failures[name] = error_text(error)
                    return None
                case ErrorKind.LOST | ErrorKind.DRIVER_GONE:
                    raise

    def _optional(self, question: Callable[[], Figure]) -> Figure | None:
        """What a probe can do without: None for every failure."""
        try:
            return question()
        except self._nvml.NVMLError:
            return None

    def _memory(self) -> tuple[int, int]:
        """Total and used as nvidia-smi shows it: without what the driver reserves, where the driver can tell."""
        nvml, version = self._nvml, self._memory_version
        if version is not None:
            try:
                memory = nvml.nvmlDeviceGetMemoryInfo(self._handle, version=version)
                return int(memory.total), int(memory.used)
            except nvml.NVMLError as error:
                if error_kind(error.value) is not ErrorKind.MISSING:
                    raise
        memory = nvml.nvmlDeviceGetMemoryInfo(self._handle)
        self._memory_version = None  # the second version was in vain, and would be each time
        return int(memory.total), int(memory.used)

    def _processes(self) -> tuple[GpuProcess, ...]:
        """Those that compute and those that draw; one that does both is in both lists, with the same memory."""
        nvml, handle = self._nvml, self._handle
        lists = (
            self._figure("processes", lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)),
            self._figure("processes", lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)),
        )
        held: dict[int, int | None] = {}
        for process in (process for listed in lists for process in listed or ()):
            known = [
                held_bytes for held_bytes in (held.get(process.pid), process.usedGpuMemory) if held_bytes is not None
            ]
            held[process.pid] = max(known, default=None)
        return tuple(GpuProcess(pid=pid, memory_bytes=held[pid]) for pid in sorted(held))

    def _outcome_of(self, error: Exception, code: int) -> GpuOutcome:
        """What it means when the GPU cannot be asked at all."""
        match error_kind(code):
            case ErrorKind.LOST:
                self._handle = self._events = None
                fault = self._fault()
                return GpuLost(problem=lost_reason(code) + (f" ({fault})" if fault else ""))
            case ErrorKind.DRIVER_GONE:
                self._handle = self._events = None
                raise unavailable(code, error, sys_root=self._sys_root) from error
            case ErrorKind.MISSING | ErrorKind.FAILED:
                return GpuFailed(problem=f"the driver does not hand it out: {error_text(error)}")

    def _fault(self) -> str | None:
        """The newest Xid, while it is worth telling."""
        return str(self._xid) if self._xid is not None and self._xid.recent else None
