"""Lost GPUs and hanging drivers: measuring fails, and runs and queue continue."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.status import Status
from backprop_tui.launchers.sampler_process import SILENT_SECONDS, SamplerProcess
from backprop_tui.processes.identity import Identity, is_alive
from tests.end_to_end.gpu.gpu_runs import (
    ENDLESS,
    GPU_VARIABLES,
    ended,
    events,
    gigabytes,
    held_by,
    indices,
    limits,
    variables_of,
)
from tests.support import processes
from tests.support.commands import Commands
from tests.support.gpus import Gpus
from tests.support.sandbox import Sandbox, Submitted, python
from tests.support.waiting import wait_until

QUICK_SECONDS = 1.0


def samplers(sandbox: Sandbox) -> list[Identity]:
    return [
        identity
        for identity in processes.with_environment(sandbox.home.root)
        if processes.comm(identity.pid) == "bp-sampler"
    ]


def smi_calls(sandbox: Sandbox) -> list[Identity]:
    return [
        identity
        for identity in processes.with_environment(sandbox.home.root)
        if "nvidia_smi.py" in processes.describe(identity)
    ]


def health_of(obey: Commands, index: int) -> str:
    return str(obey.json("status")["gpus"][index]["health"])


def asked_quickly(obey: Commands, *words: str) -> Any:
    began = time.monotonic()
    answer = obey.json(*words)
    assert time.monotonic() - began < QUICK_SECONDS
    return answer


def test_a_gpu_lost_during_a_run_is_reported_and_other_runs_use_another_gpu(
    sandbox: Sandbox, gpus: Gpus, obey: Commands
) -> None:
    run = sandbox.submit(*python(ENDLESS), limits=limits(), gpu_ids=("0",))
    run.wait_for(Status.RUNNING)
    gpus.set(0, lost=True)
    run.wait(lambda: events(run, "told"), "told")
    assert "GPU 0 lost" in str(events(run, "told")[0]["message"])
    assert health_of(obey, 0) == "lost"
    assert health_of(obey, 1) == "ok"
    assert variables_of(sandbox.submit(*python(GPU_VARIABLES), limits=limits()))["CUDA_VISIBLE_DEVICES"] == gpus.uuid(1)
    waiting = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpu_ids=("0",))
    assert str(held_by(sandbox, waiting, "gpu_health")["message"]).startswith("GPU 0 lost")
    assert run.status() is Status.RUNNING
    gpus.set(0, lost=False)
    assert variables_of(waiting)["CUDA_VISIBLE_DEVICES"] == gpus.uuid(0)
    assert len(events(run, "told")) == 1


def test_a_gpu_that_hangs_goes_stale_alone(sandbox: Sandbox, gpus: Gpus, obey: Commands) -> None:
    run = sandbox.submit(*python(ENDLESS), limits=limits(), gpu_ids=("0",))
    run.wait_for(Status.RUNNING)
    gpus.set(0, hangs=True)
    run.wait(lambda: health_of(obey, 0) == "stale", "GPU 0 shown as stale")
    assert health_of(obey, 1) == "ok"
    assert obey.json("status")["gpus"][0]["temperature_celsius"] == 40
    assert variables_of(sandbox.submit(*python(GPU_VARIABLES), limits=limits()))["CUDA_VISIBLE_DEVICES"] == gpus.uuid(1)


@pytest.mark.parametrize(("probe", "seconds"), [("nvml", 15.0), ("nvidia-smi", 10.0)])
def test_everything_else_works_while_every_probe_hangs(
    sandbox: Sandbox, gpus: Gpus, obey: Commands, configure: Callable[..., None], probe: str, seconds: float
) -> None:
    configure(probe)
    timeboxed = sandbox.submit(*python(ENDLESS), limits=limits(), max_run_seconds=3.0)
    stays = sandbox.submit(*python(ENDLESS), limits=limits())
    timeboxed.wait_for(Status.RUNNING)
    stays.wait_for(Status.RUNNING)
    gpus.hang_everything()
    hung_at = time.monotonic()
    assert ended(timeboxed).status is Status.TIMEBOXED
    assert 2.9 < timeboxed.run().attempt.running_seconds < 4.0
    wait_until(lambda: "ok" not in (health_of(obey, 0), health_of(obey, 1)), "no GPU answers")
    needs_a_gpu = sandbox.queue(*python(GPU_VARIABLES), limits=limits())
    while time.monotonic() - hung_at < seconds:
        began = time.monotonic()
        needs_none = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpus=0)
        assert variables_of(needs_none)["CUDA_VISIBLE_DEVICES"] == ""
        assert time.monotonic() - began < 3.0
        assert asked_quickly(obey, "status")["supervisor"]["alive"]
        assert asked_quickly(obey, "status", stays.id)["status"] == "running"
        wait_until(lambda began=began: time.monotonic() - began > 2.0, "the next look")  # type: ignore[misc]
    assert needs_a_gpu.status() is Status.QUEUED
    assert stays.status() is Status.RUNNING
    assert len(samplers(sandbox)) == 1
    for run in (stays, needs_a_gpu):
        obey("stop", run.id, "--now")
    sandbox.wait_until(lambda: not processes.with_environment(sandbox.home.root), "nothing left behind")


def test_hanging_probes_end_with_the_supervisor(sandbox: Sandbox, gpus: Gpus, configure: Callable[..., None]) -> None:
    configure("nvidia-smi")
    gpus.hang_everything()
    run = sandbox.submit(*python(ENDLESS), limits=limits(), gpus=0)
    run.wait_for(Status.RUNNING)
    calls = run.wait(lambda: smi_calls(sandbox), "nvidia-smi hanging")
    (sampler,) = samplers(sandbox)
    supervisor = sandbox.supervisor()
    assert supervisor is not None
    processes.kill(supervisor)
    run.wait(lambda: not any(map(is_alive, [*calls, sampler])), "sampler and nvidia-smi gone with it")


def test_the_children_of_a_killed_sampler_are_killed_and_the_sampler_is_replaced(
    sandbox: Sandbox, gpus: Gpus, configure: Callable[..., None]
) -> None:
    configure("nvidia-smi")
    gpus.hang_everything()
    run = sandbox.submit(*python(ENDLESS), limits=limits(), gpus=0)
    run.wait_for(Status.RUNNING)
    calls = run.wait(lambda: smi_calls(sandbox), "nvidia-smi hanging")
    (sampler,) = samplers(sandbox)
    processes.kill(sampler)
    run.wait(lambda: not any(map(is_alive, calls)), "nvidia-smi gone with it", seconds=4.0)
    run.wait(lambda: samplers(sandbox), "another sampler")


def test_a_hung_sampler_is_replaced_together_with_its_children(sandbox: Sandbox, gpus: Gpus) -> None:
    gpus.break_smi("hangs")
    process = SamplerProcess(home=sandbox.home, probe="nvidia-smi", interval_seconds=0.2)
    now = time.monotonic()
    try:
        process.ensure(now)
        calls = sandbox.wait_until(lambda: smi_calls(sandbox), "nvidia-smi hanging")
        (wedged,) = samplers(sandbox)
        sandbox.wait_until(lambda: os.path.exists(process.home.readings), "readings")
        processes.kill(wedged, signal.SIGSTOP)
        process.ensure(now)  # sees the newest readings
        process.ensure(now + SILENT_SECONDS - 0.5)
        assert is_alive(wedged), "it was given its time since it was started"
        process.ensure(now + SILENT_SECONDS + 0.1)
        sandbox.wait_until(lambda: not any(map(is_alive, [wedged, *calls])), "the wedged one gone")
        sandbox.wait_until(lambda: samplers(sandbox), "another one")
    finally:
        process.stop()
    sandbox.wait_until(lambda: not processes.with_environment(sandbox.home.root), "nothing left")


def holding(sandbox: Sandbox, gpus: Gpus, count: float, limit: MemoryLimit) -> Submitted:
    run = sandbox.submit(*python(ENDLESS), limits=limits(gpu_memory_limit=limit))
    run.wait_for(Status.RUNNING)
    script = run.script()
    assert script is not None
    gpus.hold(indices(run)[0], script.pid, gigabytes(count))
    return run


def test_a_run_above_its_memory_limit_is_warned_and_then_stopped_gracefully(sandbox: Sandbox, gpus: Gpus) -> None:
    run = holding(sandbox, gpus, 41, MemoryLimit(fraction=0.5))
    end = ended(run)
    assert (end.status, end.reason) == (Status.STOPPED, "GPU 0: 41 GB used, limit 40")
    assert end.cause is not None
    assert end.cause.kind == "memory_limit"
    kinds = run.events()
    assert kinds.index("told") < kinds.index("stopping")
    assert [str(event["message"]) for event in events(run, "told")] == [
        "GPU 0: 41 GB used, limit 40, the run will be stopped if it stays above the limit"
    ]
    assert events(run, "stopping")[0]["signal"] == "SIGINT"


def test_a_run_that_returns_below_its_memory_limit_continues(sandbox: Sandbox, gpus: Gpus) -> None:
    run = holding(sandbox, gpus, 9, MemoryLimit(bytes=gigabytes(8)))
    run.wait(lambda: events(run, "told"), "told")
    script = run.script()
    assert script is not None
    gpus.hold(0, script.pid, gigabytes(7))
    other = holding(sandbox, gpus, 9, MemoryLimit(bytes=gigabytes(8)))
    assert ended(other).status is Status.STOPPED
    assert run.status() is Status.RUNNING
