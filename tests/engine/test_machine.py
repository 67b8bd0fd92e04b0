"""The machine as the governor sees it."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.run import Gpu, Run
from backprop_tui.domain.telemetry import GpuProcess, GpuReading
from backprop_tui.engine.capacity import Capacity
from tests.engine.machines import Host, gpu


def touch(host: Host, text: str) -> None:
    host.write_config(text)
    later = os.stat(host.config_path).st_mtime + 2
    os.utime(host.config_path, (later, later))


def active(host: Host, claim: int) -> Run:
    run = host.runs.guarded("a").run
    attempt = replace(run.attempt, gpus=(Gpu(index=0, uuid="GPU-0"),), vram_claim_bytes=claim)
    return replace(run, attempts=(attempt,))


def using(run: Run, used: int) -> GpuReading:
    return gpu(0, processes=(GpuProcess(pid=1, memory_bytes=used, owner="mika", run=run.id),))


def test_limits_are_read_again_when_their_file_changes(host: Host) -> None:
    assert host.capacity.snapshot(()).limits.max_parallel == 10
    touch(host, 'max_parallel = 3\n[gpu]\nprobe = "nvml"\n[governor]\nsample_seconds = 4')
    assert host.capacity.snapshot(()).limits.max_parallel == 3
    assert host.capacity.probe == "nvml"
    assert host.readings_source.sample_seconds == 4


def test_an_invalid_configuration_file_changes_nothing(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    touch(host, "max_parallel = 'many'")
    assert host.capacity.snapshot(()).limits.max_parallel == 10
    assert "the previous limits stay in force" in capfd.readouterr().err


def test_a_claim_of_an_earlier_supervisor_counts_until_the_memory_is_used(host: Host) -> None:
    run = active(host, 30 * GIGABYTE)
    (claim,) = host.capacity.snapshot((run,)).claims
    assert (claim.run_id, claim.gpu_uuid, claim.bytes) == ("a", "GPU-0", 30 * GIGABYTE)
    readings = host.readings_source.readings
    host.readings_source.readings = replace(readings, gpus=(using(run, 10 * GIGABYTE),))
    assert len(host.capacity.snapshot((run,)).claims) == 1
    host.readings_source.readings = replace(readings, gpus=(using(run, 30 * GIGABYTE),))
    assert host.capacity.snapshot((run,)).claims == ()
    host.readings_source.readings = replace(readings, gpus=(using(run, 0),))
    assert host.capacity.snapshot((run,)).claims == (), "it is met once and for all"


def test_a_claim_ends_with_its_run(host: Host) -> None:
    run = active(host, 30 * GIGABYTE)
    assert host.capacity.snapshot((run,)).claims
    assert host.capacity.snapshot(()).claims == ()


def test_start_tokens_are_kept_for_the_next_supervisor(host: Host) -> None:
    touch(host, "[governor]\nstart_burst = 2\nstarts_per_minute = 0.001")
    host.capacity = Capacity(host.home, host.config_path, host.readings_source)
    host.scheduler._capacity = host.capacity
    for run_id in "abc":
        host.runs.queued(run_id)
    held = host.passes().holds
    assert list(held) == ["c"]
    next_one = Capacity(host.home, host.config_path, host.readings_source)
    assert next_one.snapshot(()).bucket.tokens < 1


def test_the_queue_is_held_by_a_file(host: Host) -> None:
    with open(host.home.host_file("queue-held"), "w", encoding="utf-8"):
        pass
    assert host.capacity.snapshot(()).queue_held
