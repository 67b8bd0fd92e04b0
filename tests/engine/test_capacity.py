"""The machine and its runs as the governor sees them."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.lifecycle import Outcome, finish_attempt
from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.live import Pause
from backprop_tui.domain.run import Gpu, Peak, Run
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuProcess, GpuReading
from backprop_tui.engine import capacity
from backprop_tui.engine.capacity import MAX_COMMANDS, Capacity, VramHistory, active_of, read_tokens, snapshot_for
from backprop_tui.processes.linux import boot_id
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
    restarted = Capacity(host.home, host.config_path, host.readings_source)
    assert restarted.snapshot(()).bucket.tokens < 1


def test_starts_that_are_not_limited_write_no_tokens(host: Host) -> None:
    touch(host, "max_parallel = 0\n[governor]\nstarts_per_minute = 0")
    restart(host)
    host.runs.queued("a")
    assert host.passes().guardians
    assert not Path(host.home.start_tokens).exists()


@pytest.fixture
def rationed(host: Host) -> Host:
    """Two starts, and practically no more."""
    touch(host, "max_parallel = 0\n[governor]\nstart_burst = 2\nstarts_per_minute = 0.001")
    restart(host)
    return host


def restart(host: Host) -> None:
    """Another supervisor, which knows what is on disk."""
    host.capacity = Capacity(host.home, host.config_path, host.readings_source)
    host.scheduler._capacity = host.capacity


def end(host: Host, run_id: str, *, running: float = 0.0, paused: float = 0.0, retries: int = 0) -> None:
    directory = host.unfinished.directory(run_id)
    run = directory.read()
    run = replace(run, spec=replace(run.spec, retries=retries))
    run = run.with_attempt(replace(run.attempt, running_seconds=running, paused_seconds=paused))
    failed = Outcome(status=Status.FAILED, exit_code=1)
    directory.write(finish_attempt(run, failed, now=time.time(), resume_from=None), durable=False)


def tokens(host: Host) -> int:
    return round(host.capacity.snapshot(()).bucket.tokens)


def test_an_attempt_of_less_than_a_minute_gives_its_token_back(rationed: Host) -> None:
    for run_id in "abcd":
        rationed.runs.queued(run_id)
    assert list(rationed.passes().holds) == ["c", "d"]
    end(rationed, "a", running=59.0)
    end(rationed, "b", running=59.0, paused=1.0)
    assert list(rationed.passes().holds) == ["d"]


def test_the_next_supervisor_gives_a_token_back_if_the_last_one_did_not(rationed: Host) -> None:
    for run_id in "ab":
        rationed.runs.queued(run_id)
    rationed.passes()
    end(rationed, "a", running=1.0)
    restart(rationed)
    assert tokens(rationed) == 1


@pytest.mark.parametrize("noticed", [False, True])
def test_no_token_is_given_back_twice(rationed: Host, *, noticed: bool) -> None:
    """Each supervisor is killed at once, whether it had started a run with the token or not."""
    rationed.runs.queued("a")
    rationed.passes()
    end(rationed, "a", running=1.0)
    if noticed:
        assert tokens(rationed) == 2
    restart(rationed)
    for run_id in "bc":
        rationed.runs.queued(run_id)
    assert not rationed.passes().holds
    for _ in range(3):
        restart(rationed)
        assert tokens(rationed) == 0


def test_an_attempt_whose_script_was_never_started_gives_its_token_back(rationed: Host) -> None:
    """Its guardian died, so the run is queued again, and starts again at once."""
    rationed.runs.queued("a")
    rationed.passes()
    rationed.launches.adopting.clear()
    rationed.passes()
    assert rationed.unfinished.directory("a").read().attempt.number == 1
    assert tokens(rationed) == 1


def test_a_retried_run_does_not_hide_that_its_earlier_attempt_was_short(rationed: Host) -> None:
    rationed.runs.queued("a")
    rationed.passes()
    end(rationed, "a", running=1.0, retries=1)
    assert tokens(rationed) == 2


def test_a_removed_run_gives_nothing_back(rationed: Host) -> None:
    rationed.runs.queued("a")
    rationed.passes()
    shutil.rmtree(rationed.home.run_folder("a"))
    restart(rationed)
    assert tokens(rationed) == 1


def test_a_start_that_took_no_token_gives_none_back(rationed: Host) -> None:
    touch(rationed, "max_parallel = 0\n[governor]\nstart_burst = 2\nstarts_per_minute = 0")
    for run_id in "abc":
        rationed.runs.queued(run_id)
    assert not rationed.passes().holds
    touch(rationed, "max_parallel = 0\n[governor]\nstart_burst = 9\nstarts_per_minute = 0.001")
    end(rationed, "a", running=1.0)
    assert tokens(rationed) == 2


def test_a_dry_run_gives_nothing_back_for_others(rationed: Host) -> None:
    """Looking changes no file."""
    rationed.runs.queued("a")
    rationed.passes()
    end(rationed, "a", running=1.0)
    before = Path(rationed.home.start_tokens).read_bytes()
    restart(rationed)
    tokens(rationed)
    assert Path(rationed.home.start_tokens).read_bytes() == before


def test_tokens_of_an_earlier_version_are_read(host: Host) -> None:
    written = {"tokens": 1.0, "as_of": time.monotonic(), "boot_id": boot_id()}
    Path(host.home.start_tokens).write_text(json.dumps(written))
    assert read_tokens(host.home, time.monotonic(), host.capacity.limits).loans == ()


def test_automatic_max_parallel_goes_by_the_gpus(host: Host) -> None:
    touch(host, 'max_parallel = "auto"')
    host.readings_source.readings = replace(host.readings_source.readings, gpus=(gpu(0), gpu(1), gpu(2)))
    assert host.capacity.snapshot(()).max_parallel == 3


def test_the_queue_is_held_by_a_file(host: Host) -> None:
    with open(host.home.host_file("queue-held"), "w", encoding="utf-8"):
        pass
    assert host.capacity.snapshot(()).queue_held


def asking(host: Host, probe: str) -> Run:
    run = host.runs.queued("a").read()
    return replace(run, spec=replace(run.spec, gpu_probe=probe))


@pytest.mark.parametrize(
    ("asked", "machine", "measured", "seen"),
    [
        ("auto", "auto", "nvml", (True, 2)),
        ("auto", "simulated", "simulated", (True, 2)),
        ("auto", "auto", "simulated", (False, 0)),
        ("nvml", "none", "none", (False, 0)),
        ("nvml", "auto", "nvidia-smi", (True, 2)),
        ("simulated", "auto", "nvml", (False, 0)),
        ("none", "auto", "nvml", (True, 0)),
        ("auto", "none", "nvml", (True, 0)),
    ],
)
def test_a_run_sees_the_gpus_of_the_probe_it_asks_for(
    host: Host, asked: str, machine: str, measured: str, seen: tuple[bool, int]
) -> None:
    host.readings_source.readings = replace(host.readings_source.readings, probe=measured)
    snapshot = snapshot_for(asking(host, asked), host.capacity.snapshot(()), machine)
    assert (snapshot.gpus_known, len(snapshot.readings.gpus)) == seen


def test_an_active_run_knows_who_paused_it_and_since_when(host: Host) -> None:
    guardian = host.runs.guarded("a")
    guardian.says(pause=Pause(since=1e9, by="heat", reason="hot", mark=100.0))
    seen = active_of(guardian.run, guardian.live, 160.0)
    assert (seen.paused_by, seen.paused_seconds, seen.stopping) == ("heat", 60.0, False)
    earlier = active_of(guardian.run, replace(guardian.live, attempt=7), 160.0)
    assert earlier.paused_by is None
    guardian.dies()


def run(host: Host, run_id: str, *command: str, peak: int | None = None) -> Run:
    queued = host.runs.queued(run_id, spec={"command": command or ("train.py",)}).read()
    return replace(queued, peak=Peak(vram_bytes=peak))


def test_the_peak_is_that_of_the_newest_run_of_the_same_command(host: Host) -> None:
    history = VramHistory(host.home)
    assert history.peak_of(run(host, "a")) is None
    history.record(run(host, "b", peak=7))
    history.record(run(host, "c", peak=5))
    assert history.peak_of(run(host, "d")) == 5
    assert history.peak_of(run(host, "e", "train.py", "--lr=1")) is None


def test_a_run_that_was_not_measured_changes_nothing(host: Host) -> None:
    history = VramHistory(host.home)
    history.record(run(host, "a", peak=7))
    history.record(run(host, "b"))
    assert history.peak_of(run(host, "c")) == 7


def test_the_next_supervisor_knows_the_peak_too(host: Host) -> None:
    VramHistory(host.home).record(run(host, "a", peak=7))
    assert VramHistory(host.home).peak_of(run(host, "b")) == 7


def test_a_broken_file_counts_as_missing(host: Host) -> None:
    with open(host.home.vram_history, "w", encoding="utf-8") as file:
        file.write("{")
    history = VramHistory(host.home)
    history.record(run(host, "a", peak=7))
    assert VramHistory(host.home).peak_of(run(host, "b")) == 7


def test_a_file_that_cannot_be_read_stops_no_supervisor(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise StorageFailed(f"{path}: Input/output error")

    monkeypatch.setattr(capacity, "read_object", fail)
    assert Capacity(host.home, host.config_path, host.readings_source).vram_history.peak_of(run(host, "a")) is None


def test_the_oldest_peak_is_forgotten_first(host: Host) -> None:
    history = VramHistory(host.home)
    history.peaks = {str(number): 1 for number in range(MAX_COMMANDS)}
    history.record(run(host, "a", peak=7))
    assert len(history.peaks) == MAX_COMMANDS
    assert "0" not in history.peaks
