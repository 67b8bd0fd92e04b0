"""A script that asks whether to stop saves and exits on its own, without being interrupted by a signal."""

from __future__ import annotations

import json
from pathlib import Path

from backprop_tui.domain.requests import PauseRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import Ended, StopPlan
from backprop_tui.domain.status import Status
from tests.support.sandbox import Sandbox, Submitted, script

ENDLESS = 100_000
BY_PERSON = StopRequest(by="person", reason="stopped by you")
PATIENT = StopPlan(grace_seconds=60.0)


def end_of(run: Submitted) -> Ended:
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    return state


def kinds_and_messages(run: Submitted) -> list[tuple[str, str]]:
    lines = Path(run.directory.file("events.jsonl")).read_text().splitlines()
    return [(event["event"], event["message"]) for event in map(json.loads, lines)]


def test_a_listening_script_saves_and_exits_at_its_timebox_without_a_signal(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("asks_whether_to_stop.py", ENDLESS), stop=PATIENT)
    run.wait_until_it_reports("asked")
    run.ask(TimeboxRequest(max_run_seconds=0.06))
    end = end_of(run)
    assert (end.status, end.exit_code, end.signal) == (Status.TIMEBOXED, 0, None)
    assert run.reports() == ["asked", "saved"]
    (checkpoint,) = run.run().checkpoints
    assert checkpoint.step == run.run().step
    assert Path(checkpoint.path).read_text() == str(checkpoint.step)
    assert ("stopping", "reached its limit of 0s: the script was asked to save and exit") in kinds_and_messages(run)


def test_a_listening_script_saves_and_exits_when_a_person_stops_it(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("asks_whether_to_stop.py", ENDLESS), stop=PATIENT)
    run.wait_until_it_reports("asked")
    run.ask(BY_PERSON)
    assert end_of(run).status is Status.STOPPED
    assert run.reports() == ["asked", "saved"]


def test_a_paused_listening_script_is_continued_so_that_it_notices(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("asks_whether_to_stop.py", ENDLESS), stop=PATIENT)
    run.wait_until_it_reports("asked")
    run.ask(PauseRequest(by="person", reason="paused by you"))
    run.wait_for(Status.PAUSED)
    run.ask(BY_PERSON)
    assert end_of(run).status is Status.STOPPED
    assert run.reports() == ["asked", "saved"]


def test_a_listening_script_that_does_not_exit_is_signalled_after_the_grace(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("asks_whether_to_stop.py", ENDLESS, "deaf"), stop=StopPlan(grace_seconds=0.5))
    run.wait_until_it_reports("asked")
    run.ask(BY_PERSON)
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.STOPPED, 1)
    assert run.reports() == ["asked", "SIGINT"]


def test_the_signal_is_sent_at_once_if_the_listening_process_has_exited(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("asks_whether_to_stop.py", ENDLESS, "over"), stop=PATIENT)
    run.wait_until_it_reports("asked")
    listeners = Path(run.directory.file("listeners"))
    run.wait(lambda: not Path(f"/proc/{listeners.read_text().split()[0]}").exists(), "the asking child is gone")
    run.ask(BY_PERSON)
    assert end_of(run).status is Status.STOPPED
    assert run.reports() == ["asked", "SIGINT"]


def test_all_ranks_notice_the_stop_and_the_first_one_reports(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("asks_whether_to_stop.py", ENDLESS, "ranks"), stop=PATIENT)
    run.wait(lambda: run.reports() == ["asked", "asked"], "both ranks asked")
    run.ask(BY_PERSON)
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.STOPPED, 0)
    assert run.reports() == ["asked", "asked", "saved", "saved"]
    (checkpoint,) = run.run().checkpoints
    assert checkpoint.path.endswith("-of-0")
    steps = [line["step"] for line in run.metrics()]
    assert len(steps) == len(set(map(str, steps)))
