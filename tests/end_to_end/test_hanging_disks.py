"""A file system that hangs: checkpoints are not found any more, and nothing else changes."""

from __future__ import annotations

import errno
import time
from dataclasses import replace

import pytest

from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import Code, StopPlan
from backprop_tui.domain.status import Status
from tests.end_to_end.crashing import Crashing
from tests.support.crashes import GUARDIAN, failing, hanging
from tests.support.sandbox import Sandbox, Submitted, script

QUICK = StopPlan(grace_seconds=0.3)
LOOK = "runner.outputs.files:OutputFiles.scan"
JUDGEMENT = "checkpoints.choice:judged_newest_first"


@pytest.fixture
def hung(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Submitted:
    """A run whose guardian scans a disk that does not answer."""
    crashing = Crashing(sandbox, monkeypatch, hanging(LOOK, GUARDIAN))
    run = sandbox.submit(*script("saves.py", 100_000, 0.05, 1000), max_run_seconds=7.0, stop=QUICK)
    crashing.wait_until_all_happened()
    run.wait_for(Status.RUNNING)
    return run


def test_the_timebox_is_kept_to_the_second(hung: Submitted) -> None:
    run = hung.wait_for_end()
    assert run.status is Status.TIMEBOXED
    assert 7.0 <= run.attempt.running_seconds < 9.0


def test_the_log_is_read_and_a_stop_takes_effect_at_once(hung: Submitted) -> None:
    hung.wait(lambda: len(hung.metrics()) > 3, "figures")
    hung.ask(StopRequest(by="person", reason="stopped by you"))
    asked = time.monotonic()
    hung.wait(lambda: "stopping" in hung.events(), "the first signal")
    assert time.monotonic() - asked < 3.0
    assert hung.wait_for_end().status is Status.STOPPED


def test_an_end_is_written_although_its_checkpoints_cannot_be_checked(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = Crashing(sandbox, monkeypatch, hanging(JUDGEMENT, GUARDIAN))
    run = sandbox.submit(*script("saves.py", 20, 0.02, 10))
    assert run.wait_for_end(seconds=60).status is Status.COMPLETED
    crashing.wait_until_all_happened()
    assert [checkpoint.step for checkpoint in run.run().checkpoints] == [10, 20]


def test_a_script_is_guarded_although_its_code_changes_cannot_be_determined(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = Crashing(sandbox, monkeypatch, hanging("store.code_state:_changes", GUARDIAN))
    run = sandbox.queue(*script("saves.py", 100_000, 0.05, 1000), max_run_seconds=2.0, stop=QUICK)
    queued = replace(run.run(), code=Code(path="/train.py", sha256="0"))
    run.directory.write(queued, durable=False)
    sandbox.call()
    crashing.wait_until_all_happened()
    ended = run.wait_for_end(seconds=60)
    assert ended.status is Status.TIMEBOXED
    assert ended.attempt.code_changes is None


def test_a_working_directory_that_hangs_keeps_no_run_from_ending(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals have no effect, as on a process that hangs in the kernel."""
    signals = [failing(at, errno.ESRCH, GUARDIAN) for at in ("signal:pidfd_send_signal", "os:killpg")]
    Crashing(sandbox, monkeypatch, hanging("os:chdir", GUARDIAN), *signals)
    run = sandbox.submit(*script("worker.py", 0, 0, 1))
    run.wait(lambda: (live := run.live()) is not None and live.problem is not None, "the problem")
    live = run.live()
    assert live is not None
    assert live.problem == f"{run.run().spec.cwd} or the program does not answer, so the script has not begun"
    run.ask(StopRequest(by="person", reason="stopped by you", kill=True))
    end = run.end()
    assert end.status is Status.STOPPED
    assert end.reason is not None
    assert end.reason.endswith(f"(pid {live.script_pid}) was killed before it began, and hangs in the kernel")
    sandbox.wait_until_all_is_indexed()
