"""One pass over the queue, with given readings."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from backprop_tui.domain.governor.placement import RESERVE_AFTER_SECONDS
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.governor.snapshot import PendingDependency
from backprop_tui.domain.limits import GIGABYTE, RunLimits
from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import Dependency, Ended, Queued, Run, Starting
from backprop_tui.domain.status import Status
from backprop_tui.engine.queued_runs import pending_dependencies
from backprop_tui.engine.unfinished_runs import UnfinishedRuns
from backprop_tui.store.run_directory import read_lines
from tests.engine.machines import Host, gpu


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The monotonic clock, set by the test, and the wall clock of the scheduler."""
    fake_clock = SimpleNamespace(now=1000.0, wall=time.time())
    for module, wall in (("capacity", time.time), ("scheduler", lambda: fake_clock.wall)):
        fake_time = SimpleNamespace(monotonic=lambda: fake_clock.now, time=wall)
        monkeypatch.setattr(f"backprop_tui.engine.{module}.time", fake_time)
    return fake_clock


def record(host: Host, run_id: str) -> Run:
    run = host.unfinished.directory(run_id).read()
    assert run.id == run_id
    return run


def ends(host: Host, run_id: str) -> None:
    """Its guardian has written its end."""
    run = record(host, run_id)
    host.unfinished.directory(run_id).write(run.to(Ended(at=0.0, status=Status.STOPPED)), durable=False)


def test_a_run_is_started_on_the_gpu_with_most_free_memory_and_the_record_says_so(host: Host) -> None:
    host.readings_source.readings = replace(host.readings_source.readings, gpus=(gpu(0, used=10), gpu(1)))
    host.runs.queued("a")
    result = host.passes()
    assert list(result.guardians) == ["a"]
    assert host.launches.adopting == {"a": False}
    run = record(host, "a")
    assert run.status is Status.STARTING
    assert [device.uuid for device in run.attempt.gpus] == ["GPU-1"]
    assert run.attempt.variables == {"CUDA_VISIBLE_DEVICES": "GPU-1"}
    assert run.attempt.vram_claim_bytes == 2500 << 20
    events = read_lines(host.unfinished.directory("a").events_path)
    assert [event["message"] for event in events if event["event"] == "admitted"] == ["admitted on GPU 1"]


def test_starts_within_one_pass_see_the_claims_of_each_other(host: Host) -> None:
    for run_id in "abcde":
        spec = {"limits": RunLimits(gpu_min_free_vram_bytes=30 * GIGABYTE)}
        host.runs.queued(run_id, spec=spec)
    result = host.passes()
    assert len(result.guardians) == 4
    (hold,) = result.holds.values()
    assert {reason.check for reason in hold.reasons} == {Check.GPU_COUNT, Check.GPU_MEMORY}


def test_a_big_run_that_has_waited_long_is_no_longer_overtaken(host: Host, clock: SimpleNamespace) -> None:
    limits = RunLimits(gpu_min_free_vram_bytes=70 * GIGABYTE)
    host.runs.queued("small", spec={"limits": limits})
    host.passes()
    host.runs.queued("big", spec={"gpus": 2, "limits": limits})
    host.runs.queued("other", spec={"limits": limits})
    assert list(host.passes().guardians) == ["other"], "it may overtake at first"
    clock.now += RESERVE_AFTER_SECONDS + 1
    ends(host, "small")
    host.runs.queued("next", spec={"limits": limits})
    result = host.passes()
    assert result.guardians == {}
    assert result.holds["next"].reasons[0].message.startswith("none of 2 GPUs usable: 2 kept for big")
    ends(host, "other")
    assert list(host.passes().guardians) == ["big"]


def test_a_run_without_a_gpu_overtakes_runs_that_wait_for_one(host: Host, clock: SimpleNamespace) -> None:
    host.readings_source.readings = replace(host.readings_source.readings, gpus=(gpu(0, used=79), gpu(1, used=79)))
    host.runs.queued("a")
    host.passes()
    clock.now += RESERVE_AFTER_SECONDS + 1
    host.runs.queued("b", spec={"gpus": 0})
    assert list(host.passes().guardians) == ["b"]
    assert record(host, "b").attempt.gpus == ()


def test_a_run_whose_lock_is_busy_is_left_for_the_next_pass(host: Host) -> None:
    directory = host.runs.queued("a")
    lock = directory.try_lock()
    assert lock is not None
    with lock:
        assert host.passes().guardians == {}
    assert list(host.passes().guardians) == ["a"]


def test_requests_to_a_queued_run_are_handled_before_it_starts(host: Host) -> None:
    directory = host.runs.queued("a")
    directory.append_request(StopRequest(by="person", reason="stopped by you"))
    assert host.passes().guardians == {}
    assert record(host, "a").status is Status.STOPPED


def test_a_full_machine_holds_no_run_with_a_limit_of_its_own(host: Host) -> None:
    host.write_config("max_parallel = 1")
    for run_id, own in (("a", None), ("b", None), ("c", 2), ("d", 2)):
        host.runs.queued(run_id, spec={"gpus": 0, "limits": RunLimits(max_parallel=own)})
    assert list(host.scheduler.run_pass((), explain=False).guardians) == ["a", "c"]


def test_a_run_that_is_held_can_be_stopped(host: Host) -> None:
    host.write_config("max_parallel = 1")
    host.runs.guarded("a")
    directory = host.runs.queued("b")
    directory.append_request(StopRequest(by="person", reason="stopped by you"))
    assert host.passes().guardians == {}
    assert record(host, "b").status is Status.STOPPED


def test_a_run_whose_dependency_failed_ends_with_the_reason(host: Host) -> None:
    host.runs.ended("a", Status.FAILED, exit_code=1, name="base")
    host.runs.queued("b", spec={"after": (Dependency(run="a"),)})
    host.passes()
    end = record(host, "b").state
    assert isinstance(end, Ended)
    assert end.cause is not None
    assert (end.status, end.cause.kind) == (Status.STOPPED, "dependency")
    assert end.cause.summary == "waited for base (a), which ended failed"


def test_a_run_whose_dependency_cannot_be_read_waits_and_one_whose_dependency_is_gone_ends(host: Host) -> None:
    host.runs.ended("a", Status.COMPLETED)
    host.runs.queued("b", spec={"after": (Dependency(run="a"),)})
    path = host.unfinished.directory("a").record_path
    with open(path, "w", encoding="utf-8") as file:
        file.write("{")
    (reason,) = host.passes().holds["b"].reasons
    assert reason.message.startswith(f"cannot be started: {path}: not JSON")
    os.unlink(path)
    host.passes()
    end = record(host, "b").state
    assert isinstance(end, Ended)
    assert end.reason == "waited for a, which was removed"


def test_a_run_that_waits_for_another_names_it_among_its_namesakes(host: Host) -> None:
    host.runs.guarded("a", name="train")
    waiting = host.runs.queued("b", name="train", spec={"after": (Dependency(run="a"),)}).read()
    unfinished = UnfinishedRuns(host.home)
    unfinished.refresh()
    assert pending_dependencies(waiting, unfinished) == (PendingDependency(name="train (a)", status="running"),)


def test_a_run_whose_guardian_died_before_its_script_started_is_queued_and_started_again(host: Host) -> None:
    guardian = host.runs.guarded("a")
    guardian.edits(replace(guardian.run, state=Starting(since=guardian.run.attempt.started_at)))
    guardian.dies()
    assert list(host.passes().guardians) == ["a"]
    assert host.launches.adopting == {"a": False}


def test_a_run_with_a_living_guardian_is_left_alone(host: Host) -> None:
    guardian = host.runs.guarded("a")
    result = host.passes()
    assert result.unwatched == ["a"]
    assert host.launches.adopting == {}
    guardian.dies()


@pytest.mark.parametrize("step", [-7200, 7200])
def test_a_retry_waits_its_time_when_the_wall_clock_is_set(host: Host, clock: SimpleNamespace, step: float) -> None:
    run = host.runs.queued("a").read()
    retry = Queued(since=clock.wall, reason="retry 1 of 1", not_before=clock.wall + 5)
    host.unfinished.directory("a").write(replace(run, state=retry), durable=False)
    assert "retry 1 of 1 in 5s" in [reason.message for reason in host.passes().holds["a"].reasons]
    clock.wall += step
    clock.now += 4
    assert host.passes().guardians == {}
    clock.now += 1.01
    result = host.passes()
    assert list(result.guardians) == ["a"], result.holds


def test_a_retry_that_was_recorded_before_the_clock_was_set_back_waits_no_longer(
    host: Host, clock: SimpleNamespace
) -> None:
    run = host.runs.queued("a").read()
    retry = Queued(since=clock.wall + 7200, not_before=clock.wall + 7205)
    host.unfinished.directory("a").write(replace(run, state=retry), durable=False)
    assert host.passes().holds["a"].reasons[0].figure == 5
