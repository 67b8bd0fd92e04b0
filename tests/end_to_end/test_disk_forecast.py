"""A run that will fill the disk gets a warning, and runs that would fill it sooner are held."""

from __future__ import annotations

import json

from backprop_tui.domain.limits import GIGABYTE, RunLimits
from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from tests.support.sandbox import Sandbox, Submitted, python

LIMITS = RunLimits(min_free_ram_bytes=0, max_load_per_core=0, min_free_disk_bytes=GIGABYTE)
QUICK = StopPlan(grace_seconds=0.2)
# Holes count as written, so that no disk is filled by the test.
FILLS = """
import time
for step in range(1000):
    with open(f"ckpt_step_{step}.state", "wb") as file:
        file.write(b"state")
        file.truncate(100 << 30)
    time.sleep(0.5)
"""


def held_by(run: Submitted) -> list[str]:
    with open(run.sandbox.home.host_file("governor.json"), encoding="ascii") as file:
        content = json.load(file)
    return [reason["message"] for reason in content["held"].get(run.id, []) if reason["check"] == "disk"]


def submit_until_held(sandbox: Sandbox) -> Submitted | None:
    """A run that the disk holds; None if it was admitted: a supervisor looks at live records every few seconds."""
    run = sandbox.submit(*python("pass"), limits=LIMITS)
    run.wait(lambda: held_by(run) or run.status() is Status.COMPLETED, "held or over")
    return run if held_by(run) else None


def test_a_run_that_fills_the_disk_holds_the_next_one_until_it_has_ended(sandbox: Sandbox) -> None:
    filling = sandbox.submit(
        *python(FILLS), limits=LIMITS, max_run_seconds=3600, stop=QUICK, checkpoint_globs=("ckpt_step_*.state",)
    )
    filling.wait(lambda: "disk" in filling.events(), "warned of the disk")
    warning = filling.wait(lambda: (live := filling.live()) and live.disk_warning, "the warning on the run")
    assert "it writes 107 GB every" in str(warning)
    following = filling.wait(lambda: submit_until_held(sandbox), "the next run held by the disk")
    assert f"{filling.run().name} writes" in held_by(following)[0]
    assert following.status() is Status.QUEUED
    filling.ask(StopRequest(by="person", reason="stopped by you", kill=True))
    filling.wait_for_end()
    assert following.wait_for_end().status is Status.COMPLETED
