"""A GPU that overheats during a run: the run is paused and continued, stopped or warned."""

from __future__ import annotations

import time
from typing import Any

import pytest

from backprop_tui.domain.requests import ContinueRequest, PauseRequest
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import state_of
from tests.end_to_end.gpu.gpu_runs import ENDLESS, FAMILY, ended, events, given, held_by, limits
from tests.support import processes
from tests.support.gpus import Gpus
from tests.support.sandbox import Sandbox, Submitted, python

HOT, WARM, COOL = 91, 82, 60


def states(run: Submitted) -> list[bytes | None]:
    return [state_of(identity.pid) for identity in processes.with_environment(f"BACKPROP_RUN_ID={run.id}")]


def family(sandbox: Sandbox, **spec: Any) -> Submitted:
    run = sandbox.submit(*python(FAMILY), limits=limits(), **spec)
    run.wait(lambda: run.status() is Status.RUNNING and len(states(run)) == 3, "its three processes")
    return run


def test_heat_stops_every_process_until_the_gpu_is_cooler_by_the_margin(sandbox: Sandbox, gpus: Gpus) -> None:
    run = family(sandbox)
    hot_at = time.monotonic()
    gpus.set(0, celsius=HOT)
    run.wait(lambda: states(run) == [b"T"] * 3, "all three stopped")
    assert time.monotonic() - hot_at < 2.5
    run.wait_for(Status.PAUSED)
    gpus.set(0, celsius=WARM)
    held_by(sandbox, sandbox.submit(*python("pass"), limits=limits(), gpu_ids=("0",)), "gpu_temperature")
    assert states(run) == [b"T"] * 3
    gpus.set(0, celsius=COOL)
    run.wait(lambda: b"T" not in states(run), "none stopped")
    assert run.status() is Status.RUNNING
    (paused,), (continued,) = events(run, "paused"), events(run, "continued")
    assert paused["by"] == continued["by"] == "heat"
    assert paused["message"] == f"GPU 0 at {HOT} °C, limit 85, continues below 80"
    assert continued["message"] == f"GPU 0 at {COOL} °C, below 80"


def test_on_overheat_warn_only_warns(sandbox: Sandbox, gpus: Gpus) -> None:
    run = sandbox.submit(*python(ENDLESS), limits=limits(on_overheat="warn"))
    run.wait_for(Status.RUNNING)
    gpus.set(0, celsius=HOT)
    run.wait(lambda: events(run, "told"), "told")
    assert [event["message"] for event in events(run, "told")] == [f"GPU 0 at {HOT} °C, limit 85"]
    assert run.status() is Status.RUNNING


def test_time_paused_for_heat_is_not_in_the_timebox(sandbox: Sandbox, gpus: Gpus) -> None:
    run = sandbox.submit(*python(ENDLESS), limits=limits(), max_run_seconds=2.0)
    run.wait_for(Status.RUNNING)
    gpus.set(0, celsius=HOT)
    run.wait_for(Status.PAUSED)
    paused_at = time.monotonic()
    run.wait(lambda: time.monotonic() - paused_at > 2.2, "paused for longer than its timebox")
    assert run.status() is Status.PAUSED
    gpus.set(0, celsius=COOL)
    assert ended(run).status is Status.TIMEBOXED
    attempt = run.run().attempt
    assert attempt.paused_seconds > 2.0
    assert 1.9 < attempt.running_seconds < 3.5


def test_on_overheat_stop_stops_the_run_which_can_be_resumed_later(sandbox: Sandbox, gpus: Gpus) -> None:
    run = sandbox.submit(*python(ENDLESS), limits=limits(on_overheat="stop"))
    run.wait_for(Status.RUNNING)
    gpus.set(0, celsius=HOT)
    end = ended(run)
    assert (end.status, end.reason) == (Status.STOPPED, f"GPU 0 at {HOT} °C, limit 85")
    assert end.cause is not None
    assert end.cause.kind == "overheated"


def test_a_pause_that_lasts_too_long_ends_the_run_resumably(sandbox: Sandbox, gpus: Gpus) -> None:
    run = sandbox.submit(*python(ENDLESS), limits=limits(max_pause_seconds=0.5))
    run.wait_for(Status.RUNNING)
    gpus.set(0, celsius=HOT)
    end = ended(run)
    assert end.status is Status.STOPPED
    assert end.cause is not None
    assert end.cause.kind == "overheated"
    assert "at most" in (end.reason or "")


@pytest.mark.parametrize("first", ["person", "guard"])
def test_the_guard_does_not_undo_a_persons_pause(sandbox: Sandbox, gpus: Gpus, first: str) -> None:
    """Neither an earlier pause nor one during a pause by the guard."""
    run = sandbox.submit(*python(ENDLESS), limits=limits())
    witness = sandbox.submit(*python(ENDLESS), limits=limits(), gpu_ids=("0",))
    run.wait_for(Status.RUNNING)
    witness.wait_for(Status.RUNNING)
    gpus.set(1, used=10)
    assert {gpu.index for gpu in given(witness)} == {0}
    on = given(run)[0].index
    if first == "guard":
        gpus.set(on, celsius=HOT)
        run.wait_for(Status.PAUSED)
    run.ask(PauseRequest(by="person", reason="paused by you"))
    run.wait(lambda: (live := run.live()) is not None and live.pause and live.pause.by == "person", "paused by you")
    gpus.set(0, celsius=HOT)
    gpus.set(on, celsius=HOT)
    witness.wait_for(Status.PAUSED)
    gpus.set(0, celsius=COOL)
    gpus.set(on, celsius=COOL)
    witness.wait_for(Status.RUNNING)
    assert run.status() is Status.PAUSED
    run.ask(ContinueRequest(by="person", reason="continued by you"))
    run.wait_for(Status.RUNNING)


def test_stale_readings_lead_to_no_action(sandbox: Sandbox, gpus: Gpus) -> None:
    """GPU 0 gets hot and hangs at once, so the guard acts on GPU 1 only."""
    run = sandbox.submit(*python(ENDLESS), limits=limits(), gpu_ids=("0",))
    other = sandbox.submit(*python(ENDLESS), limits=limits(), gpu_ids=("1",))
    run.wait_for(Status.RUNNING)
    other.wait_for(Status.RUNNING)
    gpus.set(0, celsius=HOT, hangs=True)
    gpus.set(1, celsius=HOT)
    other.wait_for(Status.PAUSED)
    assert run.status() is Status.RUNNING
    gpus.set(0, hangs=False)
    run.wait_for(Status.PAUSED)
