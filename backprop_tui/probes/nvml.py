"""NVIDIA GPUs through NVML, by the package nvidia-ml-py (module pynvml)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum, auto
from types import ModuleType
from typing import TypeVar

from backprop_tui.domain.formatting import duration
from backprop_tui.domain.telemetry import GpuProcess, GpuReading
from backprop_tui.probes import nvidia_driver
from backprop_tui.probes.gpu_record import (
    GpuAnswer,
    GpuFailed,
    GpuLost,
    GpuOutcome,
    GpuPoller,
    GpuRecord,
    ProbeUnavailable,
    poll_all,
)
from backprop_tui.processes.hanging_call import HangingCall, Pending

RECENT_SECONDS = 600.0  # an Xid event stays visible this long

# The errors that occur in training, from https://docs.nvidia.com/deploy/xid-errors/.
_XID_MEANINGS = {
    13: "graphics engine exception, usually caused by the program",
    31: "memory page fault, usually caused by the program",
    43: "GPU stopped processing, usually caused by the program",
    45: "preemptive cleanup after another error",
    48: "double bit ECC error",
    61: "internal micro-controller breakpoint",
    62: "internal micro-controller halt",
    63: "memory row remapping recorded",
    64: "memory row remapping failed",
    74: "NVLink error",
    79: "fallen off the bus",
    92: "high single bit ECC error rate",
    94: "contained ECC error",
    95: "uncontained ECC error, GPU needs a reset",
    119: "GPU firmware does not respond, GPU needs a reset",
    120: "GPU firmware error, GPU needs a reset",
    140: "unrecovered ECC error",
    154: "GPU recovery action changed",
}


# nvml.h, nvmlReturn_t
UNINITIALIZED = 1
NOT_SUPPORTED = 3
PERMISSION_DENIED = 4
NOT_FOUND = 6
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
OPERATING_SYSTEM = 17
LIB_RM_VERSION_MISMATCH = 18
NO_DATA = 21
ARGUMENT_VERSION_MISMATCH = 25
DEPRECATED = 26
GPU_NOT_FOUND = 28


class ErrorKind(Enum):
    """What an error code means for a query."""

    MISSING = auto()  # the GPU or driver does not have the metric, or does not permit access
    FAILED = auto()  # the metric exists but could not be read
    LOST = auto()  # this GPU is gone
    DRIVER_GONE = auto()  # no GPU can be queried


_ERROR_KINDS = {
    **dict.fromkeys((NOT_SUPPORTED, PERMISSION_DENIED, NOT_FOUND, FUNCTION_NOT_FOUND), ErrorKind.MISSING),
    **dict.fromkeys((NO_DATA, ARGUMENT_VERSION_MISMATCH, DEPRECATED), ErrorKind.MISSING),
    **dict.fromkeys((GPU_IS_LOST, RESET_REQUIRED, GPU_NOT_FOUND), ErrorKind.LOST),
    **dict.fromkeys((UNINITIALIZED, DRIVER_NOT_LOADED), ErrorKind.DRIVER_GONE),
    **dict.fromkeys((LIBRARY_NOT_FOUND, LIB_RM_VERSION_MISMATCH), ErrorKind.DRIVER_GONE),
}

_LOST_REASONS = {
    GPU_IS_LOST: "fallen off the bus: reset it (`sudo nvidia-smi --gpu-reset`) or reboot",
    RESET_REQUIRED: "the GPU needs a reset: `sudo nvidia-smi --gpu-reset`, or reboot",
    GPU_NOT_FOUND: "the GPU is gone",
}

_DRIVER_REASONS = {
    DRIVER_NOT_LOADED: nvidia_driver.NOT_LOADED,
    LIBRARY_NOT_FOUND: nvidia_driver.LIBRARY_MISSING,
    LIB_RM_VERSION_MISMATCH: nvidia_driver.MISMATCH,
    PERMISSION_DENIED: nvidia_driver.NO_PERMISSION,
    OPERATING_SYSTEM: nvidia_driver.BLOCKED,
    UNINITIALIZED: "NVML was shut down unexpectedly; it will be reopened",
}


def error_kind(code: int) -> ErrorKind:
    return _ERROR_KINDS.get(code, ErrorKind.FAILED)


def error_text(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def unavailable_error(code: int, error: Exception, *, sys_root: str) -> ProbeUnavailable:
    """Returns the exception to raise if the driver as a whole cannot be queried.

    A library without a driver is not a fault on a machine without an NVIDIA card: packages and images may include it.
    """
    problem = _DRIVER_REASONS.get(code, f"NVML fails, {error_text(error)}: {nvidia_driver.SEE_KERNEL_LOG}")
    has_no_card = code == DRIVER_NOT_LOADED and nvidia_driver.nvidia_card_present(sys_root) is False
    if has_no_card:
        problem = nvidia_driver.NO_CARD
    return ProbeUnavailable(problem, absent=has_no_card or code == LIBRARY_NOT_FOUND)


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
        self._xid = ""  # the newest Xid event, seen at this monotonic time
        self._xid_at = -RECENT_SECONDS
        self._failures: dict[str, str] = {}

    def query(self) -> GpuOutcome:
        """Queries all metrics. Raises: ProbeUnavailable, if the driver is gone for all GPUs."""
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
            number = int(event.eventData)
            meaning = _XID_MEANINGS.get(number)
            self._xid, self._xid_at = f"Xid {number}" + (f": {meaning}" if meaning else ""), time.monotonic()

    def _query_metrics(self) -> GpuAnswer:
        nvml, handle, metric = self._nvml, self._handle, self._metric
        total_bytes, used_bytes = metric("memory", self._memory) or (None, None)
        temperature = metric("temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, _TEMPERATURE_GPU))
        utilization = metric("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        milliwatts = metric("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        limit_milliwatts = self._optional(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
        fan = metric("fan", lambda: nvml.nvmlDeviceGetFanSpeed(handle))
        return GpuAnswer(
            uuid=self._uuid,
            name=self._name,
            temperature_celsius=None if temperature is None else float(temperature),
            utilization_percent=None if utilization is None else float(utilization),
            memory_total_bytes=total_bytes,
            memory_used_bytes=used_bytes,
            power_watts=None if milliwatts is None else milliwatts / 1000,
            power_limit_watts=None if limit_milliwatts is None else limit_milliwatts / 1000,
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
        """Returns the result of a query whose failure does not matter; None if it failed."""
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
        """Returns the compute and graphics processes; one that does both is in both lists, with the same memory."""
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
        match error_kind(code):
            case ErrorKind.LOST:
                self._handle = self._events = None
                xid = self._recent_xid()
                return GpuLost(problem=_LOST_REASONS[code] + (f" ({xid})" if xid else ""))
            case ErrorKind.DRIVER_GONE:
                self._handle = self._events = None
                raise unavailable_error(code, error, sys_root=self._sys_root) from error
            case ErrorKind.MISSING | ErrorKind.FAILED:
                return GpuFailed(problem=f"the driver does not give access to it: {error_text(error)}")

    def _recent_xid(self) -> str | None:
        return self._xid if time.monotonic() - self._xid_at < RECENT_SECONDS else None


OPEN_SECONDS = 12.0  # without persistence mode the first call wakes every GPU, a second or two each
CLOSE_SECONDS = 1.0


def load_pynvml() -> ModuleType:
    try:
        import pynvml
    except ImportError as error:
        problem = "Python package nvidia-ml-py not installed: `pip install nvidia-ml-py` next to backprop-tui"
        raise ProbeUnavailable(problem, absent=True) from error
    module: ModuleType = pynvml
    return module


class NvmlProbe:
    """Queries each GPU in a thread of its own; the records are kept when the driver is reopened."""

    name = "nvml"

    def __init__(
        self,
        *,
        sample_seconds: float,
        load: Callable[[], ModuleType] = load_pynvml,
        previous: Mapping[int, tuple[GpuReading, float]] | None = None,
        open_seconds: float = OPEN_SECONDS,
        sys_root: str = "/sys",
    ) -> None:
        """`previous` has the readings of an earlier process by index, each with its monotonic time."""
        self._sample_seconds = sample_seconds
        self._load = load
        self._previous = previous or {}
        self._open_seconds = open_seconds
        self._sys_root = sys_root
        self._nvml: ModuleType | None = None
        self._init_call = HangingCall(self._initialize, name="nvml-init")
        self._records: dict[int, GpuRecord] = {}
        self._pollers: list[GpuPoller] = []

    def open(self) -> None:
        """Loads the library and finds the GPUs."""
        if self._nvml is None:
            self._nvml = self._load()
        nvml = self._nvml
        self._init_call.start()
        try:
            count = self._init_call.take(self._open_seconds)
        except nvml.NVMLError as error:
            raise unavailable_error(error.value, error, sys_root=self._sys_root) from error
        if isinstance(count, Pending):
            raise ProbeUnavailable(
                f"nvmlInit has not returned for {duration(count.seconds)}: {nvidia_driver.SEE_KERNEL_LOG}"
            )
        if count == 0:
            self.close()
            raise ProbeUnavailable(nvidia_driver.NO_GPU, absent=True)
        self._pollers = [self._poller(nvml, index) for index in range(count)]

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        return poll_all(self._pollers, seconds)

    def close(self) -> None:
        """Shuts NVML down, unless a query is pending: the shutdown would hang as well, or break the query."""
        has_pending = any(poller.call.pending for poller in self._pollers)
        for poller in self._pollers:
            poller.call.end()
        self._pollers = []
        if self._nvml is None or has_pending or self._init_call.pending:
            return
        shutdown = HangingCall(self._shut_down, name="nvml-shutdown")
        shutdown.start()
        shutdown.take(CLOSE_SECONDS)
        shutdown.end()

    def _initialize(self) -> int:
        """Initializes NVML and returns the number of GPUs; called in a thread."""
        if self._nvml is None:
            raise RuntimeError("nvml opened before it was loaded")
        self._nvml.nvmlInit()
        return int(self._nvml.nvmlDeviceGetCount())

    def _shut_down(self) -> None:
        if self._nvml is not None:
            with suppress(self._nvml.NVMLError):  # the driver is already gone
                self._nvml.nvmlShutdown()

    def _poller(self, nvml: ModuleType, index: int) -> GpuPoller:
        if index not in self._records:
            previous = self._previous.get(index)
            self._records[index] = GpuRecord(index, sample_seconds=self._sample_seconds, previous=previous)
        return GpuPoller(self._records[index], NvmlDevice(nvml, index, sys_root=self._sys_root).query)
