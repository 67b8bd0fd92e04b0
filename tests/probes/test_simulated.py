"""Simulated GPUs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.probes.gpu_record import ProbeUnavailable
from backprop_tui.probes.simulated import LoadScanner, SimulatedLoad, SimulatedProbe, parse_gpus
from tests.support.waiting import wait_until

GIGABYTE = 2**30
H100 = "SIM-0-h100"


class World:
    """A clock and runs controlled by the test."""

    def __init__(self, gpus: str = "2xH100", **environment: str) -> None:
        self.now = 1000.0
        self.loads: dict[str, tuple[SimulatedLoad, ...]] = {}
        variables = {"BACKPROP_SIMULATED_GPUS": gpus, **environment}
        self.probe = SimulatedProbe(variables, self._loads, clock=lambda: self.now)
        self.probe.open()
        self.probe.read(1.0)

    def after(self, seconds: float, step: float = 1.0) -> tuple[GpuReading, ...]:
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step)
            readings = self.probe.read(1.0)
        return readings

    def _loads(self, _uuids: Sequence[str]) -> Mapping[str, Sequence[SimulatedLoad]]:
        return self.loads


def test_names_say_that_gpus_are_simulated() -> None:
    gpus = World("H100,2xRTX4090").after(1)
    assert [gpu.uuid for gpu in gpus] == ["SIM-0-h100", "SIM-1-rtx4090", "SIM-2-rtx4090"]
    assert all("simulated" in gpu.name for gpu in gpus)


def test_an_idle_gpu_is_cool_and_empty() -> None:
    (gpu, _) = World().after(60)
    assert gpu.utilization_percent == 0.0
    assert gpu.processes == ()
    assert (gpu.temperature_celsius or 0) < 40
    assert (gpu.power_watts or 0) < 100


def test_memory_heat_and_power_follow_a_run_while_its_neighbour_stays_idle() -> None:
    world = World()
    world.loads = {H100: (SimulatedLoad(run="a", pid=7, memory_bytes=20 * GIGABYTE),)}
    soon = world.after(2)[0]
    late, idle = world.after(120)
    assert 0 < (soon.memory_used_bytes or 0) < 20 * GIGABYTE < (late.memory_used_bytes or 0) < 21 * GIGABYTE
    assert 65 < (late.temperature_celsius or 0) < 85
    assert (late.power_watts or 0) > 500
    assert [(process.pid, process.run, process.memory_bytes) for process in late.processes] == [(7, "a", 20 * GIGABYTE)]
    assert idle.utilization_percent == 0.0


def test_a_paused_run_keeps_its_memory_and_lets_the_gpu_cool() -> None:
    world = World()
    world.loads = {H100: (SimulatedLoad(run="a", pid=7),)}
    hot = world.after(120)[0]
    world.loads = {H100: (SimulatedLoad(run="a", pid=7, busy=False),)}
    cool = world.after(120)[0]
    assert cool.memory_used_bytes == hot.memory_used_bytes
    assert cool.utilization_percent == 0.0
    assert (cool.temperature_celsius or 0) < 45 < (hot.temperature_celsius or 0)


def test_an_ended_run_frees_its_memory() -> None:
    world = World()
    empty = world.after(1)[0].memory_used_bytes
    world.loads = {H100: (SimulatedLoad(run="a", pid=7),)}
    world.after(20)
    world.loads = {}
    assert world.after(1)[0].memory_used_bytes == empty


def test_a_busy_gpu_in_warm_air_gets_hot() -> None:
    world = World(BACKPROP_SIMULATED_AMBIENT_C="45")
    world.loads = {H100: (SimulatedLoad(run="a", pid=7),)}
    assert world.after(120)[0].health is GpuHealth.HOT


@given(st.lists(st.sampled_from("abcdef"), unique=True, max_size=6), st.integers(1, 300))
def test_runs_never_allocate_more_than_the_gpus_memory(runs: list[str], seconds: int) -> None:
    world = World("T4")
    world.loads = {"SIM-0-t4": tuple(SimulatedLoad(run=run, pid=1, memory_bytes=6 * GIGABYTE) for run in runs)}
    (gpu,) = world.after(seconds, step=10)
    assert (gpu.memory_used_bytes or 0) <= (gpu.memory_total_bytes or 0)


def test_the_same_clock_gives_the_same_readings() -> None:
    worlds = (World(), World())
    for world in worlds:
        world.loads = {H100: (SimulatedLoad(run="a", pid=7),)}
    assert worlds[0].after(33) == worlds[1].after(33)


@pytest.mark.parametrize("text", ["H200", "0xH100", "65xH100", "2x", "H100,,T4", "x"])
def test_an_invalid_list_of_gpus_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(ProbeUnavailable, match="like 2xH100"):
        parse_gpus(text)


def test_an_invalid_ambient_temperature_is_an_error() -> None:
    with pytest.raises(ProbeUnavailable, match="BACKPROP_SIMULATED_AMBIENT_C"):
        World(BACKPROP_SIMULATED_AMBIENT_C="warm")


def test_runs_are_found_by_the_environment_and_state_of_their_processes() -> None:
    run = f"run-{os.getpid()}"  # other runs on the machine are found as well
    environment = {
        **os.environ,
        "BACKPROP_RUN_ID": run,
        "CUDA_VISIBLE_DEVICES": f"{H100},SIM-9-t4",
        "BACKPROP_SIMULATED_VRAM_MB": "3072",
    }
    loads = LoadScanner()
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        try:
            load = SimulatedLoad(run=run, pid=process.pid, busy=True, memory_bytes=3 * GIGABYTE)
            wait_until(lambda: load in loads([H100])[H100], "the run on its GPU")
            process.send_signal(signal.SIGSTOP)
            wait_until(lambda: replace(load, busy=False) in loads([H100])[H100], "a paused run")
        finally:
            process.kill()
    assert run not in [load.run for load in loads([H100])[H100]]


def test_a_process_that_executes_its_script_long_after_it_was_forked_is_found() -> None:
    run = f"run-{os.getpid()}"
    command = f"read; exec env BACKPROP_RUN_ID={run} CUDA_VISIBLE_DEVICES={H100} sleep 60"
    loads = LoadScanner()
    with subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(10):
                loads([H100])
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            wait_until(lambda: run in [load.run for load in loads([H100])[H100]], "the run on its GPU")
        finally:
            process.kill()
