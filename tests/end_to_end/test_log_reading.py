"""Logs are read as they grow, with the user's patterns too; slow patterns and dead guardians lose no values."""

from __future__ import annotations

from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.status import Status
from tests.support import processes
from tests.support.sandbox import Sandbox, python

SOURCE = """
import time
print("a" * 4000, flush=True)
for step in range(1200):
    print(f"it.{step} L{1 / (step + 1)}", flush=True)
    time.sleep(0.05)
"""


def test_a_users_own_log_format_is_read(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python("print('it.7 L0.5')"), log_patterns=(r"it\.(?P<step>\d+) L(?P<loss>\S+)",))
    end = run.wait_for_end()
    assert (end.step, end.metrics) == (7, {"loss": 0.5})


def test_an_endless_pattern_is_switched_off_and_reported_and_the_timebox_is_kept(sandbox: Sandbox) -> None:
    patterns = (r"(?P<loss>(a+)+)b", r"it\.(?P<step>\d+) L(?P<loss>\S+)")
    run = sandbox.submit(*python(SOURCE), log_patterns=patterns, max_run_seconds=4)
    end = run.wait_for_end()
    assert end.status is Status.TIMEBOXED
    assert end.step is not None
    assert "slow_pattern" in run.events()


KERAS = """
import sys, time
print("Epoch 1/2", flush=True)
print("Epoch 2/2", flush=True)
for batch in range(1, 17):
    print(f"{batch}/16 - 0s - 9ms/step - loss: 0.{batch:02}", flush=True)
    time.sleep(0.2)
"""


def test_a_guardian_that_takes_over_knows_the_earlier_log_lines(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(KERAS))
    run.wait(lambda: len(run.metrics()) >= 3, "three batches")
    guardian = run.guardian()
    assert guardian is not None
    assert processes.kill(guardian)
    end = run.wait_for_end()
    assert [line["step"] for line in run.metrics()] == list(range(17, 33))
    assert (end.step, end.total_steps, end.epoch, end.total_epochs) == (32, 32, 2.0, 2)


COUNTS = """
import sys, time
for step in range(1, 41):
    print(f"iter {step}: loss {1 / step:.4f}", flush=True)
    time.sleep(0.15)
"""


def test_a_total_of_the_command_line_gives_the_time_to_the_end(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(COUNTS), "--max_iters", "40")

    def eta() -> float | None:
        live = run.live()
        return None if live is None else live.eta_seconds

    assert 0 < run.wait(eta, "a time to the end") < 30
    live = run.live()
    assert live is not None
    assert live.total_steps == 40
    end = run.wait_for_end()
    assert (end.step, end.total_steps) == (40, 40)


BAR = """
import sys, time
for epoch in (1, 2, 3, 4):
    print(f"epoch {epoch}/4", flush=True)
    for done in range(epoch * 10 - 9, epoch * 10 + 1):
        clock = f"[00:{done:02}<00:{40 - done:02}, 1.00it/s, loss=0.{done}]"
        sys.stderr.write(f"\\rsteps: {done * 100 // 40:3d}%|##| {done}/40 {clock}")
        sys.stderr.flush()
        time.sleep(0.05)
"""


def test_a_bar_of_the_whole_training_reaches_a_goal_at_its_own_count(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(BAR), until=(parse_goal("step=25"),))
    end = run.wait_for_end()
    assert end.total_steps == 40
    assert 25 <= (end.step or 0) < 40
    assert end.status is Status.TIMEBOXED
