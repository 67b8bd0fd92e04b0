"""At the stop signal a training can save, and no other training starts."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from tests.end_to_end.crashing import Crashing
from tests.support.crashes import GUARDIAN, after
from tests.support.sandbox import Sandbox, Submitted, python, script, shell

PLAN = StopPlan(grace_seconds=15.0)  # longer than a test that works takes
TRAIN = " ".join(script("trains.py", 1000, 0.05))
FORMAT = " ".join(script("passes_on.py"))


def stop(run: Submitted, *, after_report: str = "begin 1") -> Submitted:
    run.wait_until_it_reports(after_report)
    run.wait(lambda: run.live() is not None and run.status() is Status.RUNNING, "running")
    run.ask(StopRequest(by="person", reason="stopped by you"))
    assert run.wait_for_end(seconds=40).status is Status.STOPPED
    return run


def exists(run: Submitted, name: str) -> bool:
    return os.path.exists(os.path.join(run.run().spec.cwd, name))


def seconds_to_stop(run: Submitted) -> float:
    attempt, live = run.run().attempt, run.live()
    assert live is not None
    assert live.stopping is not None
    assert attempt.ended_at is not None
    return attempt.ended_at - live.stopping.since


@pytest.mark.parametrize(
    "code",
    [
        f"{TRAIN} 1 | tee train.log",
        f"{TRAIN} 1 2>&1 | tee train.log | grep --line-buffered step | cat",
        f"exec > >(tee -a train.log) 2>&1; {TRAIN} 1",
        f'{TRAIN} 1 2>&1 | while read -r line; do echo "$line"; done',
        f"{TRAIN} 1 | {FORMAT}",
    ],
    ids=["tee", "two filters", "tee of the whole script", "shell", "filter in Python"],
)
def test_a_training_in_a_pipeline_can_save(sandbox: Sandbox, code: str) -> None:
    run = stop(sandbox.submit(*shell(code), stop=PLAN))
    assert run.reports() == ["begin 1", "saved 1"]
    assert b"checkpoint_saved" in run.log() or exists(run, "seed-1.pt")
    assert seconds_to_stop(run) < PLAN.grace_seconds


def test_a_training_that_is_fed_by_a_pipe_gets_the_signal_when_its_writer_has_ended(sandbox: Sandbox) -> None:
    run = stop(sandbox.submit(*shell(f"yes | {TRAIN} 1"), stop=PLAN))
    assert run.reports() == ["begin 1", "saved 1"]
    assert seconds_to_stop(run) < PLAN.grace_seconds


@pytest.mark.parametrize(
    "code",
    [
        f"for seed in 1 2 3; do echo seed $seed; {TRAIN} $seed; done",
        f"{TRAIN} 1; {' '.join(script('worker.py', 1000, 0.05, 0))}; {TRAIN} 3",
        f"for seed in 1 2 3; do bash -c '{TRAIN} '$seed'; true'; done; true",
        f"trap 'sleep 0.5; cp seed-1.pt copy.pt' INT; for seed in 1 2 3; do {TRAIN} $seed; done",
    ],
    ids=["loop", "one after the other", "shells in a shell", "loop with a trap"],
)
@pytest.mark.parametrize("guardian_dies", [False, True])
def test_no_training_starts_after_the_stop_signal(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, code: str, *, guardian_dies: bool
) -> None:
    if guardian_dies:
        Crashing(sandbox, monkeypatch, after("runner.tree:Tree.signal_group", GUARDIAN))
    run = stop(sandbox.submit(*shell(code), stop=PLAN))
    assert "saved 1" in run.reports()
    assert not [report for report in run.reports() if report.startswith(("saved 2", "saved 3", "end", "begin 3"))]
    record = run.run()
    assert [os.path.basename(saved.path) for saved in record.checkpoints if "seed" in saved.path] == ["seed-1.pt"]
    assert "trap" not in code or exists(run, "copy.pt")
    assert seconds_to_stop(run) < PLAN.grace_seconds
    if not guardian_dies:
        assert record.metrics["seed"] == 1
        assert record.step == max(line["step"] for line in run.metrics())


def test_the_commands_of_a_trap_may_take_their_time_and_run_python(sandbox: Sandbox) -> None:
    save = " ".join(script("waits_for_go.py", 0))
    code = f"trap '(sleep 1.5; touch go) & {save}; touch saved' EXIT; {TRAIN} 1"
    run = stop(sandbox.submit(*shell(code), stop=PLAN))
    assert run.reports() == ["begin 1", "saved 1", "begin", "end 0"]
    assert exists(run, "saved")


def test_workers_that_a_training_starts_while_it_saves_are_left_alone(sandbox: Sandbox) -> None:
    code = (
        "import os, signal, subprocess, sys, time\n"
        "def save(*_):\n"
        '    code = \'import time; time.sleep(1); open("saved", "w")\'\n'
        "    subprocess.run([sys.executable, '-S', '-c', code], check=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, save)\n"
        "print('step 1 loss 0.5', flush=True)\n"
        "while True: time.sleep(0.05)\n"
    )
    run = sandbox.submit(*python(code), stop=PLAN)
    run.wait(run.metrics, "its first step")
    run.ask(StopRequest(by="person", reason="stopped by you"))
    run.wait_for_end()
    assert exists(run, "saved")
    assert "started_after_stop" not in run.events()
