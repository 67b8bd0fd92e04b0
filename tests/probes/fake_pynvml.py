"""A fake pynvml module with GPUs that tests create, break and let hang."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

NOT_SUPPORTED, NOT_LOADED, LOST, MISMATCH, TIMEOUT, UNKNOWN = 3, 9, 15, 18, 10, 999
GIB = 1 << 30


class NVMLError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"error {value}")
        self.value = value


@dataclass
class FakeGpu:
    """Figures as NVML gives them; `errors` by question, `hangs` until it is set."""

    uuid: str = "GPU-0"
    name: str = "NVIDIA Test"
    celsius: int = 40
    utilization: int = 10
    total: int = 80 * GIB
    used: int = 2 * GIB
    milliwatts: int = 70_500
    limit_milliwatts: int = 300_000
    fan: int = 30
    slowdown: int = 95
    compute: list[tuple[int, int | None]] = field(default_factory=list)
    graphics: list[tuple[int, int | None]] = field(default_factory=list)
    xids: list[int] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    hangs: Event | None = None


class FakeDriver:
    """The state behind the module."""

    def __init__(self, *gpus: FakeGpu) -> None:
        self.gpus = list(gpus)
        self.init_error: int | None = None
        self.init_hangs: Event | None = None
        self.initialized = 0
        self.module = ModuleType("pynvml")
        for name, function in self._functions().items():
            setattr(self.module, name, function)
        self.module.NVMLError = NVMLError  # type: ignore[attr-defined]
        self.module.nvmlMemory_v2 = 2  # type: ignore[attr-defined]

    def load(self) -> ModuleType:
        return self.module

    def _init(self) -> None:
        if self.init_hangs is not None:
            self.init_hangs.wait(10)
        if self.init_error is not None:
            raise NVMLError(self.init_error)
        self.initialized += 1

    def _shutdown(self) -> None:
        self.initialized -= 1

    def _asked(self, question: str, answer: Callable[[FakeGpu], Any]) -> Callable[..., Any]:
        def asked(handle: FakeGpu, *_: object, **__: object) -> Any:
            if handle.hangs is not None:
                handle.hangs.wait(10)
            code = handle.errors.get(question, handle.errors.get("all"))
            if code is not None:
                raise NVMLError(code)
            return answer(handle)

        return asked

    def _functions(self) -> dict[str, Callable[..., Any]]:
        asked = self._asked
        return {
            "nvmlInit": self._init,
            "nvmlShutdown": self._shutdown,
            "nvmlDeviceGetCount": lambda: len(self.gpus),
            "nvmlDeviceGetHandleByIndex": lambda index: asked("handle", lambda gpu: gpu)(self.gpus[index]),
            "nvmlDeviceGetUUID": asked("uuid", lambda gpu: gpu.uuid),
            "nvmlDeviceGetName": asked("name", lambda gpu: gpu.name),
            "nvmlDeviceGetTemperature": asked("temperature", lambda gpu: gpu.celsius),
            "nvmlDeviceGetTemperatureThreshold": asked("threshold", lambda gpu: gpu.slowdown),
            "nvmlDeviceGetUtilizationRates": asked("utilization", lambda gpu: SimpleNamespace(gpu=gpu.utilization)),
            "nvmlDeviceGetMemoryInfo": self._memory,
            "nvmlDeviceGetPowerUsage": asked("power", lambda gpu: gpu.milliwatts),
            "nvmlDeviceGetEnforcedPowerLimit": asked("power_limit", lambda gpu: gpu.limit_milliwatts),
            "nvmlDeviceGetFanSpeed": asked("fan", lambda gpu: gpu.fan),
            "nvmlDeviceGetComputeRunningProcesses": asked("processes", lambda gpu: _listed(gpu.compute)),
            "nvmlDeviceGetGraphicsRunningProcesses": asked("processes", lambda gpu: _listed(gpu.graphics)),
            "nvmlEventSetCreate": SimpleNamespace,
            "nvmlDeviceRegisterEvents": self._register,
            "nvmlEventSetWait": self._wait,
        }

    def _memory(self, handle: FakeGpu, version: int | None = None) -> SimpleNamespace:
        if version == 2 and "memory_v2" in handle.errors:
            raise NVMLError(handle.errors["memory_v2"])
        reserved = 0 if version == 2 else GIB  # as the driver does: its own share counts as used in the first version
        memory: SimpleNamespace = self._asked(
            "memory", lambda gpu: SimpleNamespace(total=gpu.total, used=gpu.used + reserved)
        )(handle)
        return memory

    def _register(self, handle: FakeGpu, _types: int, events: SimpleNamespace) -> None:
        events.gpu = handle

    def _wait(self, events: SimpleNamespace, _milliseconds: int) -> SimpleNamespace:
        if not events.gpu.xids:
            raise NVMLError(TIMEOUT)
        return SimpleNamespace(eventData=events.gpu.xids.pop(0))


def _listed(processes: list[tuple[int, int | None]]) -> list[SimpleNamespace]:
    return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in processes]
