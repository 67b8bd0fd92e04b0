"""Queries NVML for one GPU; called in a thread per GPU, since any call may hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

from backprop_tui.domain.telemetry import GpuProcess
from backprop_tui.probes.gpu_record import GpuAnswer, GpuFailed, GpuLost, GpuOutcome
from backprop_tui.probes.nvml_errors import ErrorKind, error_kind, error_text, lost_reason, unavailable_error
from backprop_tui.probes.xid import Xid

Value = TypeVar("Value")

_TEMPERATURE_GPU = 0  # nvml.h: NVML_TEMPERATURE_GPU
_THRESHOLD_SLOWDOWN = 1  # NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
_EVENT_XID = 8  # nvmlEventTypeXidCriticalError


class NvmlDevice:
    """One GPU. Constant properties are queried once, and again after the GPU was lost."""

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

    def query(self) -> GpuOutcome:
        """Query all metrics, with the reason for each that fails.

        Raises:
            ProbeUnavailable: the driver is gone for all GPUs.
        """
        self._failures = {}
        try:
            self._identify()
            self._poll_xid_events()
            return self._query_metrics()
        except self._nvml.NVMLError as error:
            return self._outcome_of(error, error.value)

    def _identify(self) -> None:
        if self._handle is not None:
            return
        nvml = self._nvml
        handle = nvml.nvmlDeviceGetHandleByIndex(self._index)
        self._uuid, self._name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
        self._handle = handle
        self._hot_at = self._optional(lambda: nvml.nvmlDeviceGetTemperatureThreshold(handle, _THRESHOLD_SLOWDOWN))
        self._events = self._optional(self._subscribe_to_xid_events)

    def _subscribe_to_xid_events(self) -> object:
        events: object = self._nvml.nvmlEventSetCreate()
        self._nvml.nvmlDeviceRegisterEvents(self._handle, _EVENT_XID, events)
        return events

    def _poll_xid_events(self) -> None:
        if self._events is None:
            return
        # This does not wait: without an event it raises a TIMEOUT error.
        event = self._optional(lambda: self._nvml.nvmlEventSetWait(self._events, 0))
        if event is not None:
            self._xid = Xid(number=int(event.eventData), seen_at=time.monotonic())

    def _query_metrics(self) -> GpuAnswer:
        nvml, handle, metric = self._nvml, self._handle, self._metric
        total_bytes, used_bytes = metric("memory", self._memory) or (None, None)
        temperature = metric("temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, _TEMPERATURE_GPU))
        utilization = metric("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        milliwatts = metric("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        fan = metric("fan", lambda: nvml.nvmlDeviceGetFanSpeed(handle))
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
            warning=self._recent_xid(),
        )

    def _metric(self, name: str, query: Callable[[], Value]) -> Value | None:
        """The metric; None if the GPU does not have it, or it could not be read, which is recorded as a failure."""
        try:
            return query()
        except self._nvml.NVMLError as error:
            match error_kind(error.value):
                case ErrorKind.MISSING:
                    return None
                case ErrorKind.FAILED:
                    self._failures[name] = error_text(error)
                    return None
                case ErrorKind.LOST | ErrorKind.DRIVER_GONE:
                    raise

    def _optional(self, query: Callable[[], Value]) -> Value | None:
        """The result of a query whose failure does not matter; None if it failed."""
        try:
            return query()
        except self._nvml.NVMLError:
            return None

    def _memory(self) -> tuple[int, int]:
        """Total and used bytes as nvidia-smi shows them: without memory the driver reserves, if it reports that."""
        nvml, version = self._nvml, self._memory_version
        if version is not None:
            try:
                memory = nvml.nvmlDeviceGetMemoryInfo(self._handle, version=version)
                return int(memory.total), int(memory.used)
            except nvml.NVMLError as error:
                if error_kind(error.value) is not ErrorKind.MISSING:
                    raise
        memory = nvml.nvmlDeviceGetMemoryInfo(self._handle)
        self._memory_version = None  # version 2 is not supported, so it is not tried again
        return int(memory.total), int(memory.used)

    def _processes(self) -> tuple[GpuProcess, ...]:
        """Compute and graphics processes; one that does both is in both lists, with the same memory."""
        nvml, handle = self._nvml, self._handle
        lists = (
            self._metric("processes", lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)),
            self._metric("processes", lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)),
        )
        memory: dict[int, int | None] = {}
        for process in (process for processes in lists for process in processes or ()):
            amounts = [size for size in (memory.get(process.pid), process.usedGpuMemory) if size is not None]
            memory[process.pid] = max(amounts, default=None)
        return tuple(GpuProcess(pid=pid, memory_bytes=memory[pid]) for pid in sorted(memory))

    def _outcome_of(self, error: Exception, code: int) -> GpuOutcome:
        """The outcome if the GPU could not be queried at all."""
        match error_kind(code):
            case ErrorKind.LOST:
                self._handle = self._events = None
                xid = self._recent_xid()
                return GpuLost(problem=lost_reason(code) + (f" ({xid})" if xid else ""))
            case ErrorKind.DRIVER_GONE:
                self._handle = self._events = None
                raise unavailable_error(code, error, sys_root=self._sys_root) from error
            case ErrorKind.MISSING | ErrorKind.FAILED:
                return GpuFailed(problem=f"the driver does not give access to it: {error_text(error)}")

    def _recent_xid(self) -> str | None:
        return str(self._xid) if self._xid is not None and self._xid.recent else None
