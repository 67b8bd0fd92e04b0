"""A simulated week: what a supervisor and a sampler keep in memory and on disk is the same after each day."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.causes.cause import cause_of_stop
from backprop_tui.domain.lifecycle import Outcome, finish_attempt
from backprop_tui.domain.run import Peak, Queued, Run, Running
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import HostReading
from backprop_tui.engine import queued_runs
from backprop_tui.engine.guard import Guard
from backprop_tui.engine.unfinished_runs import index_runs
from backprop_tui.probes.gpu_monitor import GpuMonitor, GpuSample
from backprop_tui.probes.histories import HISTORY_POINTS, read_histories
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.sampler import Sampler, SamplerOptions
from backprop_tui.store.failures import note_failure
from backprop_tui.store.home import Home
from tests.engine.machines import CALM, Host, gpu

DAYS, DAY, TURN_SECONDS = 7, 86_400.0, 3 * 3600.0
TURNS_PER_DAY = 8
SAMPLES_PER_DAY = 144


class Clock:
    """Both clocks, of which hours pass at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0.0
        wall, monotonic = time.time(), time.monotonic()
        monkeypatch.setattr(time, "time", lambda: wall + self.passed)
        monkeypatch.setattr(time, "monotonic", lambda: monotonic + self.passed)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Nothing is synced: it is not the disk that is simulated."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    with monkeypatch.context() as patch:
        yield Clock(patch)


def kept(*objects: object) -> int:
    """How many objects of ours and containers these keep, without texts and numbers."""
    seen: dict[int, object] = {}
    waiting = list(objects)
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, str | bytes | int | float | type | Home):
            continue
        seen[id(value)] = value
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        elif type(value).__module__.startswith("backprop_tui."):
            slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
            waiting += [getattr(value, name, None) for name in slots] + [*getattr(value, "__dict__", {}).values()]
    return len(seen)


def files_of(home: Home) -> list[str]:
    """The files of the store without those of the runs and the months."""
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(home.root) for name in names)
    names = (os.path.relpath(path, home.root) for path in paths if not path.startswith(f"{home.runs}/"))
    return sorted(name for name in names if not name.startswith("experiments-"))


class Days:
    """Runs that come and go on one machine."""

    def __init__(self, host: Host, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._guard = Guard(host.home, host.capacity, host.readings_source)
        self._number = 0

    def pass_one(self) -> tuple[int, list[str]]:
        """What is kept in memory, and the files, after another day with a run of each kind in every turn."""
        for _ in range(TURNS_PER_DAY):
            self._clock.passed += TURN_SECONDS
            self._turn()
        self._host.passes()
        host = self._host
        return kept(host.scheduler, host.capacity, host.unfinished, self._guard), files_of(host.home)

    def _turn(self) -> None:
        host = self._host
        self._number += 1
        run_ids = [f"{kind}{self._number}" for kind in ("works", "retries", "fails", "breaks")]
        for run_id in run_ids:
            host.runs.queued(run_id, spec={"command": ("true", run_id), "retries": 1})
        host.launches.adopting.clear()
        host.passes()
        host.readings_source.written += 1
        self._guard.check(host.unfinished.runs())
        works, retries, fails, breaks = run_ids
        self._end(works, Status.COMPLETED)
        self._end(retries, Status.FAILED)
        note_failure(host.home, fails, "no memory")
        note_failure(host.home, fails, "no memory")
        host.launches.adopting.pop(fails)
        host.passes()
        for waiting in (retries, fails):
            self._stop(waiting)
        with open(host.unfinished.directory(breaks).record_path, "w", encoding="ascii") as file:
            file.write("garbage")
        host.launches.adopting.pop(breaks)
        host.passes()
        self._remove(breaks)
        host.passes()
        index_runs(host.home, host.unfinished.runs())

    def _end(self, run_id: str, status: Status) -> None:
        directory = self._host.unfinished.directory(run_id)
        run = directory.read()
        running = replace(run.to(Running(since=time.time())), peak=Peak(vram_bytes=self._number))
        outcome = Outcome(status=status, exit_code=0 if status is Status.COMPLETED else 1, reason="r")
        ended = finish_attempt(running, outcome, now=time.time() + 100.0, resume_from=None)
        directory.write(ended, durable=False)
        self._host.capacity.vram_history.record(ended)

    def _stop(self, run_id: str) -> None:
        directory = self._host.unfinished.directory(run_id)
        run: Run = directory.read()
        assert isinstance(run.state, Queued), "it waits for its retry, or for another guardian"
        queued_runs.stop_queued(directory, run, "r", cause_of_stop(by="you", reason="r", kind=None))

    def _remove(self, run_id: str) -> None:
        os.rename(self._host.home.run_folder(run_id), f"{self._host.home.root}/../{run_id}")
        os.unlink(self._host.home.marker(run_id))


def test_a_supervisor_keeps_nothing_of_the_runs_of_earlier_days(host: Host, clock: Clock) -> None:
    days = Days(host, clock)
    first, files = days.pass_one()
    later = [days.pass_one() for _ in range(DAYS - 1)]
    assert [memory for memory, _ in later] == [first] * (DAYS - 1)
    assert [names for _, names in later] == [files] * (DAYS - 1)


class FakeHost(HostProbe):
    def __init__(self) -> None:
        """Reads nothing."""

    def read(self) -> HostReading:
        return CALM


class FakeGpus(GpuMonitor):
    """Four GPUs, one of which is another one each day."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def read(self, _seconds: float) -> GpuSample:
        day = int(self._clock.passed // DAY)
        gpus = [gpu(index, uuid=f"GPU-{index}" if index else f"GPU-of-day-{day}") for index in range(4)]
        return GpuSample(gpus=tuple(gpus), probe="nvml")


def test_a_sampler_keeps_an_hour_and_no_gpu_of_earlier_days(tmp_path: Path, clock: Clock) -> None:
    out, histories = str(tmp_path / "readings.json"), str(tmp_path / "histories.json")
    gpus = FakeGpus(clock)
    sampler = Sampler(SamplerOptions(out=out, disk_path=str(tmp_path), histories=histories), FakeHost(), gpus)
    sizes: list[tuple[int, int]] = []
    for sample in range(DAYS * SAMPLES_PER_DAY):
        clock.passed = sample * DAY / SAMPLES_PER_DAY
        sampler.measure()
        if sample % SAMPLES_PER_DAY == SAMPLES_PER_DAY - 1:
            sizes.append((kept(sampler), os.path.getsize(histories)))
    assert sorted(os.listdir(tmp_path)) == ["histories.json", "readings.json"]
    assert max(memory for memory, _ in sizes) - min(memory for memory, _ in sizes) < 100
    assert max(size for _, size in sizes) < 100_000
    assert len(read_histories(histories, time.time()).of["GPU-1"].utilization) == HISTORY_POINTS
    assert "GPU-of-day-4" not in read_histories(histories, time.time()).of
