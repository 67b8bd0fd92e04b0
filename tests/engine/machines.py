"""A machine with given readings, and a launcher that starts nothing."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.telemetry import GpuReading, HostReading, Readings
from backprop_tui.engine.capacity import Capacity
from backprop_tui.engine.readings import ReadingsSource
from backprop_tui.engine.scheduler import PassResult, Scheduler
from backprop_tui.engine.unfinished_runs import UnfinishedRuns
from backprop_tui.launchers.launcher import ExpectedStart, GuardianHandle, NothingExpected
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature
from tests.support.runs import Runs

CALM = HostReading(
    cpu_percent=1.0,
    load_1m=0.1,
    cores=8.0,
    ram_total_bytes=64 * GIGABYTE,
    ram_available_bytes=60 * GIGABYTE,
    disk_free_bytes=900 * GIGABYTE,
)


def gpu(index: int = 0, *, used: float = 0, **fields: object) -> GpuReading:
    """A cool GPU of 80 GB."""
    known = GpuReading(
        index=index,
        uuid=f"GPU-{index}",
        name="Test",
        temperature_celsius=40.0,
        memory_total_bytes=80 * GIGABYTE,
        memory_used_bytes=round(used * GIGABYTE),
    )
    return replace(known, **fields)  # type: ignore[arg-type]


class FakeReadings(ReadingsSource):
    """Given readings that are always current."""

    def __init__(self, home: Home, *gpus: GpuReading, probe: str = "nvml") -> None:
        super().__init__(home)
        self.readings = Readings(time=0.0, host=CALM, gpus=gpus, probe=probe)
        self.gpus_known = True
        self.written = 0

    def latest(self) -> Readings:
        return replace(self.readings, time=time.time())

    def written_at(self) -> int | None:
        return self.written


class FakeLauncher:
    """Records what it was asked to launch; the guardians count as alive."""

    def __init__(self) -> None:
        self.adopting: dict[str, bool] = {}
        self.expected: str | None = None

    def expect(self, directory: RunDirectory, _record: Signature | None) -> None:
        self.expected = os.path.basename(directory.path)

    def take_expected(self, _directory: RunDirectory, _record: Signature | None) -> ExpectedStart:
        return NothingExpected()

    def launch(self, run_folder: str, _lock: Lock, *, adopting: bool, expected: int | None = None) -> GuardianHandle:
        assert expected is None
        self.adopting[run_folder.rsplit("/", 1)[-1]] = adopting
        return GuardianHandle(pid=1, pidfd=-1)


class Host:
    """A home with its scheduler, on a machine with these GPUs."""

    def __init__(self, root: str, *gpus: GpuReading, config: str = "") -> None:
        self.home = Home(f"{root}/backprop", "testhost")
        self.home.prepare()
        self.config_path = f"{root}/config.toml"
        self.write_config(config)
        self.runs = Runs(self.home)
        self.readings_source = FakeReadings(self.home, *gpus)
        self.capacity = Capacity(self.home, self.config_path, self.readings_source)
        self.unfinished = UnfinishedRuns(self.home)
        self.launches = FakeLauncher()
        self.scheduler = Scheduler(self.unfinished, self.capacity, self.launches)

    def write_config(self, text: str) -> None:
        """The user's config.toml."""
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")

    def passes(self) -> PassResult:
        """Makes one pass; launched guardians are watched."""
        return self.scheduler.run_pass(tuple(self.launches.adopting), explain=True)
