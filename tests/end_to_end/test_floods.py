"""A script that prints more than can be read: its end is on time, and what matters for a resume is known."""

from __future__ import annotations

import os
import time

from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import is_alive
from tests.support.sandbox import Sandbox, python

ENDS = """
import sys
lines = (f"step {step}/600000 loss {1 / step:.5f} time {step % 97 / 10:.3f}s" for step in range(1, 600_001))
print("\\n".join(lines))
"""
SOURCE = """
import sys, time
states = [f"\\rstep {step}/1000000 loss {1 / (step + 1):.5f}" for step in range(150_000)]
sys.stdout.write("".join(states[:75_000]) + "\\nsaved checkpoint to out/model.pt\\n" + "".join(states[75_000:]))
print(flush=True)
open("printed", "w").close()
time.sleep(300)
"""


def test_a_script_that_ends_by_itself_is_over_although_much_is_unread(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(ENDS))
    run.wait(lambda: "started" in run.events(), "started")
    script = run.wait(run.script, "the script")
    run.wait(lambda: not is_alive(script), "everything printed")
    began = time.monotonic()
    end = run.wait_for_end()
    assert time.monotonic() - began < 8.0, "reading all of it takes several times as long"
    assert end.status is Status.COMPLETED
    assert end.step == 600_000
    assert "log_skipped" in run.events()


def test_the_end_is_on_time_whatever_was_printed(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(SOURCE), stop=StopPlan(grace_seconds=0.2))
    run.wait(lambda: os.path.exists(f"{run.run().spec.cwd}/printed"), "everything printed")
    run.ask(StopRequest(by="person", reason="stopped by you"))
    began = time.monotonic()
    end = run.wait_for_end()
    assert time.monotonic() - began < 8.0, "reading all of it takes several times as long"
    assert end.status is Status.STOPPED
    assert end.step == 149_999
    assert [checkpoint.path.rsplit("/", 1)[1] for checkpoint in end.checkpoints] == ["model.pt"]
    metrics = run.metrics()
    assert (
        ("log_skipped" in run.events()) == (len(metrics) < 150_000) == any("skipped_bytes" in line for line in metrics)
    )
