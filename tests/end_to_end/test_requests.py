"""Requests to a running run: pause, continue, stop, kill, change of the timebox, edits."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.requests import (
    ContinueRequest,
    EditRequest,
    NoticeRequest,
    PauseRequest,
    StopRequest,
    TimeboxRequest,
)
from backprop_tui.domain.run import Ended, StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.domain.thresholds import Thresholds
from backprop_tui.processes.identity import state_of
from tests.support import processes
from tests.support.sandbox import Sandbox, Submitted, python, script

PAUSE = PauseRequest(by="person", reason="paused by you")
CONTINUE = ContinueRequest(by="person", reason="continued by you")
STOP = StopRequest(by="person", reason="stopped by you")
KILL = StopRequest(by="person", reason="stopped by you", kill=True)
QUICK = StopPlan(grace_seconds=0.3)

# A script with a child, and a grandchild in a session of its own; each waits forever.
FAMILY = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
while True: time.sleep(0.01)
"""


def family(sandbox: Sandbox, **spec: Any) -> Submitted:
    """A run of three processes, all started."""
    run = sandbox.submit(*python(FAMILY), **spec)
    run.wait(lambda: run.status() is Status.RUNNING and len(states(run)) == 3, "its three processes")
    return run


def states(run: Submitted) -> list[bytes | None]:
    """The states of its processes."""
    return [state_of(identity.pid) for identity in processes.with_environment(f"BACKPROP_RUN_ID={run.id}")]


def ended(run: Submitted) -> Ended:
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    return state


def test_a_pause_stops_every_process_and_continue_resumes_them(sandbox: Sandbox) -> None:
    run = family(sandbox)
    run.ask(PAUSE)
    run.wait(lambda: states(run) == [b"T"] * 3, "all three stopped")
    assert run.status() is Status.PAUSED
    run.ask(CONTINUE)
    run.wait(lambda: b"T" not in states(run), "none stopped")
    assert run.status() is Status.RUNNING
    run.ask(KILL)
    assert ended(run).status is Status.STOPPED


def test_paused_time_is_not_counted_in_the_timebox(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=0.9)
    run.wait_until_it_reports("begin")
    run.ask(PAUSE)
    run.wait_for(Status.PAUSED)
    paused_at = time.monotonic()
    run.wait(lambda: time.monotonic() - paused_at > 1.2, "paused for longer than its timebox")
    assert run.status() is Status.PAUSED
    run.ask(CONTINUE)
    assert ended(run).status is Status.TIMEBOXED
    attempt = run.run().attempt
    assert 0.9 <= attempt.running_seconds < 1.9
    assert attempt.paused_seconds >= 1.2
    assert run.reports() == ["begin", "SIGINT"]


def test_a_paused_run_can_be_stopped_and_gets_its_signal(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    run.ask(PAUSE)
    run.wait_for(Status.PAUSED)
    run.ask(STOP)
    end = ended(run)
    assert (end.status, end.exit_code, end.reason) == (Status.STOPPED, 1, "stopped by you")
    assert run.reports() == ["begin", "SIGINT"]


def test_the_guard_does_not_continue_a_run_that_a_person_paused(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    run.ask(PauseRequest(by="ram", reason="memory nearly gone"))
    run.wait_for(Status.PAUSED)
    run.ask(PAUSE)
    run.ask(ContinueRequest(by="ram", reason="memory again"))
    run.ask(NoticeRequest(message="all read"))
    run.wait(lambda: "told" in run.events(), "all requests handled")
    assert run.status() is Status.PAUSED
    run.ask(KILL)
    assert ended(run).status is Status.STOPPED


def test_an_ignored_stop_goes_through_all_stages_and_a_kill_does_not_wait_for_them(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("ignores_signals.py"))
    run.wait(lambda: len(run.reports()) == 2, "both of its processes are there")
    run.ask(STOP)
    run.wait_for(Status.STOPPING)
    run.ask(KILL)
    end = ended(run)
    assert (end.status, end.exit_code, end.signal) == (Status.STOPPED, None, "SIGKILL")
    assert processes.with_environment(f"BACKPROP_RUN_ID={run.id}") == []


def test_two_stop_requests_send_one_signal(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py", 0.5))
    run.wait_until_it_reports("begin")
    run.ask(STOP)
    run.wait_until_it_reports("SIGINT")
    run.ask(STOP)
    assert ended(run).status is Status.STOPPED
    assert run.reports() == ["begin", "SIGINT"]


def test_a_timebox_can_be_extended_and_removed_during_the_run(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=0.8)
    run.wait_until_it_reports("begin")
    run.ask(TimeboxRequest(max_run_seconds=None))
    run.wait(lambda: run.run().spec.max_run_seconds is None, "no limit")
    began = run.run().attempt.started_at
    run.wait(lambda: time.time() - began > 1.2, "beyond its first limit")
    assert run.reports() == ["begin"]
    run.ask(TimeboxRequest(max_run_seconds=1.0))
    assert ended(run).status is Status.TIMEBOXED


def test_a_running_run_can_be_edited_and_keeps_the_edits(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    run.ask(EditRequest(name="better", tags=("a", "b"), note="so", priority=3))
    run.wait(lambda: run.run().name == "better", "renamed")
    run.ask(STOP)
    run.ask(EditRequest(note="and so"))
    assert ended(run).status is Status.STOPPED
    record = run.run()
    assert (record.name, record.tags, record.note, record.priority) == ("better", ("a", "b"), "and so", 3)
    sandbox.wait_until_all_is_indexed()
    assert sandbox.index()[run.id]["name"] == "better"


def test_sigterm_to_the_guardian_ends_the_run_gracefully(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    guardian = run.wait(run.guardian, "its guardian")
    assert processes.kill(guardian, signal.SIGTERM)
    end = ended(run)
    assert (end.status, end.exit_code) == (Status.STOPPED, 1)
    assert "session" in (end.reason or "")
    assert run.reports() == ["begin", "SIGINT"]


def test_a_stop_requested_during_the_start_takes_effect(sandbox: Sandbox) -> None:
    run = sandbox.queue(*script("exits_on_signal.py"))
    lock = run.directory.try_lock()
    assert lock is not None
    with lock:
        sandbox.call()
        run.ask(STOP)
    end = ended(run)
    assert end.status is Status.STOPPED
    assert run.reports() == []


def test_a_held_run_can_be_stopped(sandbox: Sandbox) -> None:
    sandbox.allow(1)
    first = sandbox.submit(*script("exits_on_signal.py"))
    first.wait_until_it_reports("begin")
    second = sandbox.submit(*script("exits_on_signal.py"))
    second.ask(STOP)
    end = ended(second)
    assert (end.status, end.reason) == (Status.STOPPED, "stopped by you")
    second.wait(lambda: "ended" in second.events(), "told")
    first.ask(KILL)
    assert ended(first).status is Status.STOPPED


@pytest.mark.parametrize("request_", [PAUSE, CONTINUE])
def test_requests_that_do_not_apply_are_ignored(sandbox: Sandbox, request_: PauseRequest | ContinueRequest) -> None:
    run = sandbox.submit(*script("exits_on_signal.py", 0.3))
    run.wait_until_it_reports("begin")
    with open(run.directory.file("requests.jsonl"), "ab") as file:
        file.write(b'not json\n{"request": "dance"}\n\xff\n')
    run.ask(STOP)
    run.wait_until_it_reports("SIGINT")
    run.ask(request_)
    assert ended(run).status is Status.STOPPED


def test_a_run_that_has_started_takes_over_only_the_temperature_of_its_thresholds(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    before = run.run().spec.limits
    run.ask(EditRequest(thresholds=Thresholds(gpu_max_temp_celsius=70.0, max_load_per_core=9.0)))
    run.wait(lambda: run.run().spec.limits.gpu_max_temp_celsius == 70.0, "another temperature")
    assert run.run().spec.limits == replace(before, gpu_max_temp_celsius=70.0)
    run.wait(lambda: "edited" in run.events(), "the event")
    run.ask(STOP)
    ended(run)
