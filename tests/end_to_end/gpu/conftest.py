"""A sandbox on a machine with GPUs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Commands
from tests.support.gpus import Gpus
from tests.support.sandbox import Sandbox

SAMPLE_SECONDS = 0.2


@pytest.fixture
def configure(sandbox: Sandbox) -> Callable[..., None]:
    """Writes the user's config.toml: the probe, and how many runs may be active."""

    def write(probe: str, *, max_parallel: int = 8) -> None:
        with open(sandbox.config_path, "w", encoding="utf-8") as file:
            file.write(f'max_parallel = {max_parallel}\nmin_free_ram_gb = 0\n[gpu]\nprobe = "{probe}"\n')
            file.write("[governor]\nstarts_per_minute = 0\nmax_load_per_core = 0\nmin_free_disk_gb = 0\n")
            file.write(f"sample_seconds = {SAMPLE_SECONDS}\n")

    return write


@pytest.fixture
def gpus(home: Path, sandbox: Sandbox, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Gpus:
    """Two GPUs of 80 GB each, seen by NVML."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus = Gpus(str(home), 2)
    gpus.install(monkeypatch)
    configure("nvml")
    return gpus


@pytest.fixture
def obey(capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands on the sandbox."""
    return Commands(capsys)
