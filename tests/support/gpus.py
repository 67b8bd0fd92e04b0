"""GPUs for machines that have none: a `pynvml` module and an `nvidia-smi` command, both driven by one state file."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest

DOUBLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "doubles")
GB = 1 << 30
MEBIBYTE = 1 << 20
HANGS = "hangs"
ABSENT = "absent"
MISMATCH = 18  # NVML_ERROR_LIB_RM_VERSION_MISMATCH


class Gpus:
    """The fake library and command; GPUs are given by their index."""

    def __init__(self, folder: str, count: int, *, total: int = 80 * GB) -> None:
        self._path = os.path.join(folder, "fake-gpus.json")
        gpus = [_gpu(index, total) for index in range(count)]
        self._state: dict[str, Any] = {"nvml": None, "smi": None, "gpus": gpus}
        self._write()
        self._bin = os.path.join(folder, "bin")
        os.makedirs(self._bin)
        command = os.path.join(self._bin, "nvidia-smi")
        with open(command, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {sys.executable} -S {os.path.join(DOUBLES, "nvidia_smi.py")} "$@"\n')
        os.chmod(command, 0o700)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes them available to this test and all processes that it starts."""
        monkeypatch.setenv("FAKE_GPUS", self._path)
        monkeypatch.setenv("PYTHONPATH", DOUBLES)
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        monkeypatch.setenv("PATH", self._bin, prepend=os.pathsep)

    def uuid(self, index: int) -> str:
        return str(self._state["gpus"][index]["uuid"])

    def set(self, index: int, **figures: object) -> None:
        """Changes values of one GPU: celsius, utilization, total, used, watts, lost, hangs."""
        gpu = self._state["gpus"][index]
        assert figures.keys() <= gpu.keys()
        gpu.update(figures)
        self._write()

    def hold(self, index: int, pid: int, held: int) -> None:
        """Gives a process this many bytes of a GPU while it is alive."""
        processes = self._state["gpus"][index]["processes"]
        processes[:] = [[other, bytes_] for other, bytes_ in processes if other != pid] + [[pid, held]]
        self._write()

    def break_nvml(self, how: str | int) -> None:
        """`how` is HANGS, ABSENT, or the error code of nvmlInit."""
        self._state["nvml"] = how
        self._write()

    def break_smi(self, how: str) -> None:
        """`how` is HANGS, or what it prints before it fails."""
        self._state["smi"] = how
        self._write()

    def hang_everything(self) -> None:
        """Makes every probe hang."""
        self._state |= {"nvml": HANGS, "smi": HANGS}
        for gpu in self._state["gpus"]:
            gpu["hangs"] = True
        self._write()

    def _write(self) -> None:
        temporary = f"{self._path}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(self._state, file)
        os.replace(temporary, self._path)


def _gpu(index: int, total: int) -> dict[str, Any]:
    return {
        "uuid": f"GPU-{index:08x}-1111-2222-3333-444444444444",
        "name": "NVIDIA Double",
        "celsius": 40,
        "utilization": 0,
        "total": total // MEBIBYTE * MEBIBYTE,
        "used": 0,
        "watts": 70.5,
        "lost": False,
        "hangs": False,
        "processes": [],
    }
