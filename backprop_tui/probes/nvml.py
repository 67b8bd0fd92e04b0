"""GPU probe for NVIDIA cards, which uses NVML through the package `nvidia-ml-py` (module `pynvml`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType

from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import GpuRecord
from backprop_tui.probes.gpu_watch import GpuPoller, poll_all
from backprop_tui.probes.nvidia_driver import NO_GPU, SEE_KERNEL_LOG
from backprop_tui.probes.nvml_device import NvmlDevice
from backprop_tui.probes.nvml_errors import unavailable_error
from backprop_tui.processes.hanging_call import HangingCall, Pending

OPEN_SECONDS = 12.0  # without persistence mode the first call wakes every GPU, a second or two each
CLOSE_SECONDS = 1.0


def load_pynvml() -> ModuleType:
    """Import pynvml.

    Raises:
        ProbeUnavailable: the package is not installed.
    """
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
        """Load the library and find the GPUs.

        Raises:
            ProbeUnavailable: the library is not installed, the driver is not usable, it hangs, or there is no GPU.
        """
        if self._nvml is None:
            self._nvml = self._load()
        nvml = self._nvml
        self._init_call.start()
        try:
            count = self._init_call.take(self._open_seconds)
        except nvml.NVMLError as error:
            raise unavailable_error(error.value, error, sys_root=self._sys_root) from error
        if isinstance(count, Pending):
            raise ProbeUnavailable(f"nvmlInit has not returned for {count.seconds:.0f} s: {SEE_KERNEL_LOG}")
        if count == 0:
            self.close()
            raise ProbeUnavailable(NO_GPU, absent=True)
        self._pollers = [self._poller(nvml, index) for index in range(count)]

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Readings of all GPUs that were present when the driver was opened.

        Raises:
            ProbeUnavailable: the driver is gone.
        """
        return poll_all(self._pollers, seconds)

    def close(self) -> None:
        """Shut NVML down, unless a query is pending: the shutdown would hang as well, or break the query."""
        has_pending = any(poller.pending for poller in self._pollers)
        for poller in self._pollers:
            poller.end()
        self._pollers = []
        if self._nvml is None or has_pending or self._init_call.pending:
            return
        shutdown = HangingCall(self._shut_down, name="nvml-shutdown")
        shutdown.start()
        shutdown.take(CLOSE_SECONDS)
        shutdown.end()

    def _initialize(self) -> int:
        """Initialize NVML and return the number of GPUs; called in a thread."""
        if self._nvml is None:
            raise RuntimeError("nvml opened before it was loaded")
        self._nvml.nvmlInit()
        return int(self._nvml.nvmlDeviceGetCount())

    def _shut_down(self) -> None:
        if self._nvml is not None:
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError:
                pass  # the driver is already gone

    def _poller(self, nvml: ModuleType, index: int) -> GpuPoller:
        record = self._records.get(index)
        if record is None:
            record = GpuRecord(index, sample_seconds=self._sample_seconds, previous=self._previous.get(index))
            self._records[index] = record
        return GpuPoller(record, NvmlDevice(nvml, index, sys_root=self._sys_root).query)
