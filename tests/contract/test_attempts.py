"""Checkpoints, and the attempts that continue from them: by hand, after a failure, and in slices."""

from __future__ import annotations

from typing import Any

from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from tests.support.commands import Commands
from tests.support.sandbox import Sandbox, Submitted, python, script

QUICK = StopPlan(grace_seconds=0.3)
# Saves a checkpoint and fails, but only in its first attempt.
FAILS_ONCE = """
import json, os, sys
resumed = os.environ.get("BACKPROP_RESUME_FROM", "")
print(f"attempt {os.environ['BACKPROP_ATTEMPT']} from {os.path.basename(resumed)}", flush=True)
if os.environ["BACKPROP_ATTEMPT"] == "1":
    with open("saved.json", "w") as file:
        json.dump({"step": 1}, file)
    print(json.dumps({"event": "checkpoint_saved", "path": "saved.json", "step": 1}), flush=True)
    raise ConnectionError("the network is away")
"""


def beginnings(run: Submitted) -> list[int]:
    """The step from which each of its attempts resumed."""
    return [int(line.split()[1]) for line in run.reports() if line.startswith("begin")]


def test_a_stopped_run_resumes_from_its_newest_checkpoint(sandbox: Sandbox, commands: Commands) -> None:
    run = sandbox.submit(*script("saves.py", 2000, 0.05, 5), stop=QUICK)
    run.wait_until_it_reports("saved 10")
    run.wait(lambda: (live := run.live()) is not None and len(live.checkpoints) >= 2, "its checkpoints are recorded")
    assert commands("stop", run.id).code == 0
    assert run.end().status is Status.STOPPED
    assert commands("resume", run.id, "-d").code == 0
    run.wait(lambda: len(beginnings(run)) == 2, "resumed")
    first, second = beginnings(run)
    assert first == 0
    assert second >= 10
    assert run.run().attempt.resumed_from == f"{run.run().spec.cwd}/out/checkpoint-{second}"
    assert commands("stop", "--now", run.id).code == 0
    assert run.end().status is Status.STOPPED


def test_a_failure_that_may_be_temporary_is_tried_again(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(FAILS_ONCE), retries=1)
    assert run.outcome(seconds=30) == (Status.COMPLETED, 0, None)
    assert run.log().count(b"attempt") == 2
    assert b"attempt 2 from saved.json" in run.log()
    assert [attempt.status for attempt in run.run().attempts] == [Status.FAILED, Status.COMPLETED]


def test_slices_continue_one_another_until_the_goal(sandbox: Sandbox) -> None:
    # The goal is several timeboxes away: on a busy machine a slice lasts longer than its timebox.
    goals: dict[str, Any] = {"max_run_seconds": 1.0, "until": (parse_goal("step=80"),), "stop": QUICK}
    by_goal = sandbox.submit(*script("saves.py", 1000, 0.05, 5), **goals)
    by_total = sandbox.submit(*script("saves.py", 1000, 0.05, 5), max_run_seconds=1.0, total_seconds=2.0, stop=QUICK)
    end = by_goal.end(seconds=60)
    assert (end.status, end.reason) == (Status.TIMEBOXED, "step 80 reached")
    assert by_total.end(seconds=60).status is Status.TIMEBOXED
    assert "used up" in (by_total.end().reason or "")
    for run in (by_goal, by_total):
        steps = beginnings(run)
        assert len(steps) == len(run.run().attempts) > 1
        assert steps == sorted(set(steps)), "each slice resumes from a later step than the one before it"
