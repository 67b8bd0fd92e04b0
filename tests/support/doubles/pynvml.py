"""A module like pynvml, found before the real one: it answers from the state file that FAKE_GPUS names.

Each query reads the file again, so that a test can change the readings while the sampler runs.
"""

# ruff: noqa: N802, N816 - the names are those of NVML

from __future__ import annotations

import json
import os
import sys
import time
from types import SimpleNamespace
from typing import Any

NOT_SUPPORTED, TIMEOUT, GPU_IS_LOST = 3, 10, 15
HANGS = "hangs"
LOOK_SECONDS = 0.02

nvmlMemory_v2 = 2


class NVMLError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"error {value}")
        self.value = value


def state() -> dict[str, Any]:
    with open(os.environ["FAKE_GPUS"], encoding="utf-8") as file:
        gpus: dict[str, Any] = json.load(file)
    return gpus


if state()["nvml"] == "absent" and os.path.basename(sys.argv[0]) != "nvidia_smi.py":
    raise ImportError("no pynvml here")


def nvmlInit() -> None:
    while state()["nvml"] == HANGS:
        time.sleep(LOOK_SECONDS)
    if isinstance(code := state()["nvml"], int):
        raise NVMLError(code)


def nvmlShutdown() -> None:
    pass


def nvmlDeviceGetCount() -> int:
    return len(state()["gpus"])


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    gpu_of(index)
    return index


def gpu_of(index: int) -> dict[str, Any]:
    """The GPU, once it answers."""
    while (gpu := state()["gpus"][index])["hangs"]:
        time.sleep(LOOK_SECONDS)
    if gpu["lost"]:
        raise NVMLError(GPU_IS_LOST)
    answering: dict[str, Any] = gpu
    return answering


def holders(gpu: dict[str, Any]) -> list[tuple[int, int]]:
    """Pid and bytes of the processes that live."""
    return [(pid, held) for pid, held in gpu["processes"] if os.path.exists(f"/proc/{pid}")]


def used_bytes(gpu: dict[str, Any]) -> int:
    return int(gpu["used"]) + sum(held for _, held in holders(gpu))


def nvmlDeviceGetUUID(index: int) -> str:
    return str(gpu_of(index)["uuid"])


def nvmlDeviceGetName(index: int) -> str:
    return str(gpu_of(index)["name"])


def nvmlDeviceGetTemperatureThreshold(index: int, _which: int) -> int:
    raise NVMLError(NOT_SUPPORTED)


def nvmlDeviceGetMemoryInfo(index: int, version: int | None = None) -> SimpleNamespace:
    gpu = gpu_of(index)
    return SimpleNamespace(total=gpu["total"], used=used_bytes(gpu))


def nvmlDeviceGetTemperature(index: int, _sensor: int) -> int:
    return int(gpu_of(index)["celsius"])


def nvmlDeviceGetUtilizationRates(index: int) -> SimpleNamespace:
    return SimpleNamespace(gpu=gpu_of(index)["utilization"])


def nvmlDeviceGetPowerUsage(index: int) -> int:
    return int(gpu_of(index)["watts"] * 1000)


def nvmlDeviceGetEnforcedPowerLimit(index: int) -> int:
    raise NVMLError(NOT_SUPPORTED)


def nvmlDeviceGetFanSpeed(index: int) -> int:
    raise NVMLError(NOT_SUPPORTED)


def nvmlDeviceGetComputeRunningProcesses(index: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in holders(gpu_of(index))]


def nvmlDeviceGetGraphicsRunningProcesses(index: int) -> list[SimpleNamespace]:
    gpu_of(index)
    return []


def nvmlEventSetCreate() -> None:
    raise NVMLError(NOT_SUPPORTED)
