"""VRAM claims: memory that a run is granted and has not allocated yet, estimated from earlier runs."""

from __future__ import annotations

import json
import os
from collections import Counter

from backprop_tui.domain.limits import MEGABYTE
from backprop_tui.domain.status import Status
from tests.end_to_end.gpu.gpu_runs import ENDLESS, ended, gigabytes, given, held, held_by, indices, limits
from tests.support import processes
from tests.support.gpus import Gpus
from tests.support.sandbox import Sandbox, Submitted, python

STAYS = python(ENDLESS)


def hold(gpus: Gpus, run: Submitted, count: float) -> None:
    """The run's script allocates this many GB on each of its GPUs."""
    script = run.wait(run.script, "its script's pid")
    for gpu in given(run):
        gpus.hold(gpu.index, script.pid, gigabytes(count))


def end(run: Submitted) -> None:
    script = run.script()
    assert script is not None
    processes.kill(script)
    run.wait_for_end()


def active(runs: list[Submitted]) -> list[Submitted]:
    return [run for run in runs if run.status() is Status.RUNNING]


def test_four_runs_queued_at_once_never_oversubscribe_one_of_two_gpus(sandbox: Sandbox, gpus: Gpus) -> None:
    large = limits(gpu_min_free_vram_bytes=gigabytes(30))
    runs = [sandbox.queue(*STAYS, limits=large) for _ in range(5)]
    sandbox.call()
    sandbox.wait_until(lambda: len(active(runs)) == 4, "four of five running")
    assert Counter(indices(run) for run in active(runs)) == {(0,): 2, (1,): 2}
    fifth = next(run for run in runs if run.status() is Status.QUEUED)
    held_by(sandbox, fifth, "gpu_memory")
    messages = [str(reason["message"]) for reason in held(sandbox, fifth)]
    assert messages[0] == "none of 2 GPUs has 30 GB (best: GPU 0, 20 unclaimed; gpu.min_free_vram_mb 30720)"
    assert len(messages) == 3
    assert all("claimed by" in message and "still loading" in message for message in messages[1:])


def test_a_claim_ends_when_the_memory_is_used(sandbox: Sandbox, gpus: Gpus) -> None:
    first = sandbox.submit(*STAYS, limits=limits(gpu_min_free_vram_bytes=gigabytes(60)), gpu_ids=("0",))
    first.wait_for(Status.RUNNING)
    second = sandbox.submit(*STAYS, limits=limits(gpu_min_free_vram_bytes=gigabytes(30)), gpu_ids=("0",))
    assert "claimed by" in str(held_by(sandbox, second, "gpu_memory")["message"])
    hold(gpus, first, 60)
    second.wait(
        lambda: any("20 GB free" in str(reason["message"]) for reason in held(sandbox, second)), "held by the use"
    )
    hold(gpus, first, 40)
    second.wait_for(Status.RUNNING)


def test_a_claim_ends_with_its_run(sandbox: Sandbox, gpus: Gpus) -> None:
    large = limits(gpu_min_free_vram_bytes=gigabytes(60))
    first = sandbox.submit(*STAYS, limits=large, gpu_ids=("0",))
    first.wait_for(Status.RUNNING)
    second = sandbox.submit(*STAYS, limits=large, gpu_ids=("0",))
    held_by(sandbox, second, "gpu_memory")
    end(first)
    second.wait_for(Status.RUNNING)


def test_claims_outlive_the_supervisor_that_made_them(sandbox: Sandbox, gpus: Gpus) -> None:
    large = limits(gpu_min_free_vram_bytes=gigabytes(60))
    first = sandbox.submit(*STAYS, limits=large, gpu_ids=("0",))
    first.wait_for(Status.RUNNING)
    supervisor = sandbox.supervisor()
    assert supervisor is not None
    processes.kill(supervisor)
    second = sandbox.submit(*STAYS, limits=large, gpu_ids=("0",))
    assert "claimed by" in str(held_by(sandbox, second, "gpu_memory")["message"])


def test_the_measured_peak_of_a_run_is_the_claim_of_the_next_one_of_its_command(sandbox: Sandbox, gpus: Gpus) -> None:
    cwd = sandbox.folder
    first = sandbox.submit(*STAYS, limits=limits(), cwd=cwd, gpu_ids=("0",))
    hold(gpus, first, 40)
    first.wait(lambda: (live := first.live()) is not None and live.peak.vram_bytes, "its peak measured")
    hold(gpus, first, 10)
    end(first)
    assert first.run().peak.vram_bytes == gigabytes(40)
    learned = sandbox.home.host_file("learned.json")
    first.wait(lambda: os.path.exists(learned), "its peak learned")
    with open(learned, encoding="utf-8") as file:
        assert list(json.load(file).values()) == [gigabytes(40)]
    second = sandbox.submit(*STAYS, limits=limits(), cwd=cwd, gpu_ids=("0",))
    other = sandbox.submit(*python("import time\nwhile True: time.sleep(1)"), limits=limits(), cwd=cwd, gpu_ids=("0",))
    third = sandbox.submit(*STAYS, limits=limits(), cwd=cwd, gpu_ids=("0",))
    second.wait_for(Status.RUNNING)
    assert second.run().attempt.vram_claim_bytes == gigabytes(44)
    other.wait_for(Status.RUNNING)
    assert other.run().attempt.vram_claim_bytes == 2500 * MEGABYTE
    reason = held_by(sandbox, third, "gpu_memory")
    assert reason["limit"] == gigabytes(44)


def test_the_gpu_share_of_a_run_is_recorded_and_shown(sandbox: Sandbox, gpus: Gpus) -> None:
    run = sandbox.submit(*STAYS, limits=limits(), gpus=2)
    hold(gpus, run, 7)
    gpus.set(1, celsius=66, watts=412.5, utilization=93)

    def line() -> list[dict[str, object]]:
        path = run.directory.file("resources.jsonl")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line)["gpus"] for line in file]
        return next((line for line in lines if len(line) == 2 and line[1]["temperature_celsius"] == 66), [])

    recorded = run.wait(line, "both GPUs in resources.jsonl")
    assert recorded[1] == {
        "uuid": gpus.uuid(1),
        "memory_bytes": gigabytes(7),
        "temperature_celsius": 66,
        "utilization_percent": 93,
        "power_watts": 412.5,
    }
    end(run)
    peak = run.run().peak
    assert (peak.vram_bytes, peak.temperature_celsius) == (gigabytes(7), 66)
    assert ended(run).status is Status.FAILED
