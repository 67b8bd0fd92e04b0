"""Patterns of the user's travel with a run, and none of them hangs its guardian."""

from __future__ import annotations

from backprop_tui.domain.status import Status
from tests.support.sandbox import Sandbox, python

SOURCE = """
import time
print("a" * 4000, flush=True)
for step in range(1200):
    print(f"it.{step} L{1 / (step + 1)}", flush=True)
    time.sleep(0.05)
"""


def test_a_line_of_a_format_of_ones_own_is_read(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python("print('it.7 L0.5')"), log_patterns=(r"it\.(?P<step>\d+) L(?P<loss>\S+)",))
    end = run.wait_for_end()
    assert (end.step, end.metrics) == (7, {"loss": 0.5})


def test_one_that_would_never_end_is_switched_off_and_told_and_the_timebox_is_kept(sandbox: Sandbox) -> None:
    patterns = (r"(?P<loss>(a+)+)b", r"it\.(?P<step>\d+) L(?P<loss>\S+)")
    run = sandbox.submit(*python(SOURCE), log_patterns=patterns, max_run_seconds=4)
    end = run.wait_for_end()
    assert end.status is Status.TIMEBOXED
    assert end.step is not None
    assert "slow_pattern" in run.events()
