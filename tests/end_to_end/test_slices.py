"""A long training in timeboxes: several runs share one slot, each resuming from its own checkpoints."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.run import Ended, Queued, Run, StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.store.run_directory import read_lines
from tests.support import processes
from tests.support.sandbox import Sandbox, Submitted, python, script
from tests.support.waiting import wait_until

QUICK = StopPlan(grace_seconds=0.3)


def end_of(run: Run) -> Ended:
    assert isinstance(run.state, Ended)
    return run.state


def beginnings(submitted: Submitted) -> list[int]:
    """The step from which each of its attempts resumed."""
    return [int(line.split()[1]) for line in submitted.reports() if line.startswith("begin")]


def test_two_runs_on_one_slot_take_turns_and_both_finish(sandbox: Sandbox) -> None:
    sandbox.allow(1)
    goals: dict[str, Any] = {"max_run_seconds": 1.0, "until": (parse_goal("step=60"),), "stop": QUICK}
    runs = [sandbox.queue(*script("saves.py", 1000, 0.05, 5), **goals) for _ in range(2)]
    sandbox.call()
    for run in runs:
        end = end_of(run.wait_for_end())
        assert (end.status, end.reason) == (Status.TIMEBOXED, "step 60 reached")
        attempts = run.run().attempts
        assert len(attempts) > 1
        assert all((attempt.resumed_from or "").startswith(run.run().spec.cwd) for attempt in attempts[1:])
        steps = beginnings(run)
        assert steps == sorted(set(steps)), "each slice resumes from a later step than the one before it"
    turns = sorted((attempt.started_at, run.id) for run in runs for attempt in run.run().attempts)
    shared = 2 * min(len(run.run().attempts) for run in runs)
    turn_of = [run_id for _, run_id in turns[:shared]]
    assert all(run_id != following for run_id, following in pairwise(turn_of))
    spans = sorted((attempt.started_at, attempt.ended_at or 0.0) for run in runs for attempt in run.run().attempts)
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))


def test_a_run_ends_at_its_timebox_or_goal_whichever_comes_first(sandbox: Sandbox) -> None:
    until = (parse_goal("step=100000"), parse_goal("loss<0.000001"))
    run = sandbox.submit(
        *script("saves.py", 1000, 0.05, 5), max_run_seconds=0.8, total_seconds=1.6, until=until, stop=QUICK
    )
    end = end_of(run.wait_for_end())
    assert end.status is Status.TIMEBOXED
    assert (end.reason or "").endswith("its total of 2s is used up")
    first = next(event for event in read_lines(run.directory.file("events.jsonl")) if event["event"] == "started")
    assert first["slice"]["number"] == 1
    assert from_iso(first["ends_at"]) == pytest.approx((from_iso(first["time"]) or 0.0) + 0.8, abs=0.8)


def test_a_metric_can_be_a_goal_and_the_script_is_stopped_gracefully(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 1000, 0.02, 5), until=(parse_goal("loss<0.06"),), stop=QUICK)
    end = end_of(run.wait_for_end())
    assert end.status is Status.TIMEBOXED
    assert (end.reason or "").startswith("loss 0.0588")
    assert "reached" in run.events()


def test_nan_reaches_no_goal(sandbox: Sandbox) -> None:
    printing = "import json; [print(json.dumps({'step': n, 'loss': float('nan')})) for n in range(20)]"
    run = sandbox.submit(*python(printing), until=(parse_goal("loss<1"),))
    assert run.wait_for_end().status is Status.COMPLETED


def test_slices_that_save_nothing_end_with_a_reason(sandbox: Sandbox) -> None:
    run = sandbox.submit(
        *script("saves.py", 1000, 0.05, 1000), max_run_seconds=0.5, until=(parse_goal("step=1000"),), stop=QUICK
    )
    assert "no intact checkpoint to resume from" in (end_of(run.wait_for_end()).reason or "")
    assert len(run.run().attempts) == 1


def test_a_script_that_does_not_resume_is_not_restarted_forever(sandbox: Sandbox) -> None:
    """The script saves the same first steps in each slice."""
    unheard = ("/usr/bin/env", "-u", "BACKPROP_RESUME_FROM", *script("saves.py", 1000, 0.05, 5))
    run = sandbox.submit(*unheard, max_run_seconds=0.7, until=(parse_goal("step=1000"),), stop=QUICK)
    reason = end_of(run.wait_for_end()).reason or ""
    assert "slice 2 restarted at step 1" in reason or "2 slices in a row saved nothing new" in reason
    assert len(run.run().attempts) <= 6


def test_the_next_slice_skips_a_damaged_checkpoint(sandbox: Sandbox) -> None:
    slow = dict(os.environ) | {"SAVES_SECONDS": "0.4"}
    run = sandbox.submit(
        *script("saves.py", 1000, 0.02, 2),
        environment=slow,
        max_run_seconds=1.8,
        total_seconds=3.6,
        stop=StopPlan(grace_seconds=0.0),
    )
    run.wait_for_end()
    first, second = run.run().attempts[:2]
    assert first.status is Status.TIMEBOXED
    resumed = int((second.resumed_from or "").rpartition("-")[2])
    saved = [
        int(word.split()[1]) for word in run.reports()[: run.reports().index(f"begin {resumed}")] if "saved" in word
    ]
    assert resumed == saved[-1]


def test_a_checkpoint_deleted_while_the_run_is_queued_is_not_used(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 40, 0.02, 10), max_run_seconds=600)
    run.wait_for_end()
    newest, before = (checkpoint.path for checkpoint in reversed(run.run().checkpoints[-2:]))
    shutil.rmtree(newest)
    again = sandbox.queue(*script("saves.py", 50, 0.02, 10), cwd=run.run().spec.cwd)
    record = again.run()
    waiting = replace(record, checkpoints=run.run().checkpoints, state=Queued(since=1.0, resume_from=newest))
    again.directory.write(waiting, durable=False)
    sandbox.call()
    assert again.wait_for_end().status is Status.COMPLETED
    assert again.run().attempt.resumed_from == before
    assert beginnings(again) == [30]
    events = Path(again.directory.file("events.jsonl")).read_text()
    assert f"{newest} does not exist; resuming from {before}" in events


@pytest.mark.parametrize("victim", ["guardian", "supervisor"])
def test_no_slice_is_lost_or_executed_twice_when_a_process_dies(sandbox: Sandbox, victim: str) -> None:
    sandbox.allow(1)
    goals: dict[str, Any] = {"max_run_seconds": 1.0, "until": (parse_goal("step=60"),), "stop": QUICK}
    run = sandbox.submit(*script("saves.py", 1000, 0.05, 5), **goals)
    run.wait(
        lambda: (len(run.run().attempts) == 2 and "begin" in run.reports()[-1]) or len(beginnings(run)) >= 2, "a slice"
    )
    identity = wait_until(run.guardian if victim == "guardian" else sandbox.supervisor, f"the {victim}")
    assert processes.kill(identity)
    sandbox.call()
    end = end_of(run.wait_for_end())
    assert (end.status, end.reason) == (Status.TIMEBOXED, "step 60 reached")
    steps = beginnings(run)
    assert steps == sorted(set(steps))
    assert len(steps) == len(run.run().attempts)
