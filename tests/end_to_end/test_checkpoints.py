"""Checkpoints that a script writes without announcing them: found by the guardian, and resumed from."""

from __future__ import annotations

import os

from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from tests.support import processes
from tests.support.sandbox import Sandbox, Submitted, script
from tests.support.waiting import wait_until

QUICK = StopPlan(grace_seconds=0.5)


def steps(submitted: Submitted) -> list[int | None]:
    return [checkpoint.step for checkpoint in submitted.run().checkpoints]


def live_steps(submitted: Submitted) -> list[int | None]:
    live = submitted.live()
    return [] if live is None else [checkpoint.step for checkpoint in live.checkpoints]


def test_checkpoints_that_are_not_announced_are_recorded_with_step_size_and_soundness(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 6, 0.02, 2))
    assert run.wait_for_end().status is Status.COMPLETED
    assert steps(run) == [2, 4, 6]
    assert all(saved.sound and (saved.size_bytes or 0) > 1000 for saved in run.run().checkpoints)
    assert run.events().count("checkpoint") == 3


def test_checkpoints_are_recorded_during_the_run(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 1000, 0.1, 2))
    run.wait(lambda: len(live_steps(run)) >= 2, "two checkpoints in the live record")
    live = run.live()
    assert live is not None
    assert live.pace is not None
    assert live.pace.every_seconds is not None


def test_checkpoints_that_the_script_deletes_leave_the_record(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 12, 0.02, 2, 2))
    run.wait_for_end()
    assert steps(run) == [10, 12]


def test_a_checkpoint_cut_short_by_the_end_is_reported_and_not_used(sandbox: Sandbox) -> None:
    slow = dict(os.environ) | {"SAVES_SECONDS": "60"}
    run = sandbox.submit(*script("saves.py", 4, 0.02, 2))
    run.wait_for_end()
    torn = sandbox.submit(
        *script("saves.py", 1000, 0.02, 1), environment=slow, max_run_seconds=1.5, stop=QUICK, cwd=run.run().spec.cwd
    )
    end = torn.wait_for_end()
    assert end.status is Status.TIMEBOXED
    assert [(saved.step, saved.sound) for saved in end.checkpoints][-1] == (1, False)
    assert "torn_checkpoint" in torn.events()


def test_two_runs_in_one_directory_do_not_record_each_others_checkpoints(sandbox: Sandbox) -> None:
    shared = os.path.join(sandbox.folder, "shared")
    os.makedirs(shared)
    runs = [
        sandbox.submit(
            *script("saves.py", 1000, 0.05, 5),
            environment=dict(os.environ) | {"SAVES_INTO": name},
            cwd=shared,
            checkpoint_globs=(f"{name}/checkpoint-*",) if name == "first" else (),
        )
        for name in ("first", "second")
    ]
    runs[0].wait(lambda: len(live_steps(runs[0])) >= 2, "checkpoints of the run with a named directory")
    runs[1].wait_until_it_reports("saved 20")
    for run in runs:
        named = run.script()
        assert named is not None
        assert processes.kill(named)
        run.wait_for_end()
    first, second = (run.run().checkpoints for run in runs)
    assert first
    assert all("/first/" in saved.path for saved in first)
    assert all("/second/" in saved.path for saved in second)


def test_a_guardian_that_dies_loses_no_checkpoint(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 60, 0.1, 10))
    run.wait_until_it_reports("saved 20")
    guardian = wait_until(run.guardian, "its guardian")
    assert processes.kill(guardian)
    run.wait_for_end()
    assert steps(run) == [10, 20, 30, 40, 50, 60]
    assert run.events().count("checkpoint") <= 8
