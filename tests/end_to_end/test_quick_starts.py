"""What makes the next start quick: a guardian that waits for its run, and a slot that is free at once."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import Identity, identify
from backprop_tui.processes.tree import children
from backprop_tui.runner.fork_server import SPARES
from tests.end_to_end.crashing import Crashing
from tests.support import processes
from tests.support.crashes import GUARDIAN, before, hanging
from tests.support.sandbox import Sandbox, Submitted, script

SPARE = "backprop-spare"
COMPLETED = Status.COMPLETED, 0, None


def spares(sandbox: Sandbox) -> list[Identity]:
    """The guardian that gets the next run and its child, then those that wait behind them; empty until all do."""
    server = sandbox.fork_server()
    guardians = [] if server is None else children(server.pid)
    pids = [pid for guardian in guardians for pid in (guardian, *children(guardian)) if processes.comm(pid) == SPARE]
    waiting = [identity for identity in map(identify, pids) if identity is not None]
    return waiting if len(waiting) == 2 * SPARES else []


def run_worker(sandbox: Sandbox) -> Submitted:
    run = sandbox.submit(*script("worker.py", 1, 0.01, 0))
    assert run.outcome() == COMPLETED
    assert run.reports() == ["begin", "end 0"]
    return run


@pytest.mark.parametrize("killed", ["guardian", "child", "both"])
def test_a_run_starts_although_what_waits_for_it_was_killed(sandbox: Sandbox, killed: str) -> None:
    run_worker(sandbox)
    guardian, child, *_ = sandbox.wait_until(lambda: spares(sandbox), "guardians that wait")
    for identity in {"guardian": [guardian], "child": [child], "both": [guardian, child]}[killed]:
        assert processes.kill(identity)
    assert len(run_worker(sandbox).run().attempts) == 1


def test_a_waiting_guardian_starts_the_next_run(sandbox: Sandbox) -> None:
    run_worker(sandbox)
    guardian, child, *_ = sandbox.wait_until(lambda: spares(sandbox), "guardians that wait")
    run = sandbox.submit(*script("worker.py", 1, 0.01, 0, "go"))
    run.wait_until_it_reports("begin")
    assert (run.guardian(), run.script()) == (guardian, child)
    open(os.path.join(run.run().spec.cwd, "go"), "w").close()
    assert run.outcome() == COMPLETED


def test_a_run_recovers_although_the_guardian_that_waited_dies_with_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = Crashing(sandbox, monkeypatch, before("runner.main:run_guardian", SPARE))
    run_worker(sandbox)
    sandbox.wait_until(lambda: spares(sandbox), "a guardian that waits")
    assert len(run_worker(sandbox).run().attempts) == 1
    crashing.wait_until_all_happened()


def test_nothing_waits_after_the_supervisor_has_left(sandbox: Sandbox) -> None:
    run_worker(sandbox)
    waiting = sandbox.wait_until(lambda: spares(sandbox), "a guardian that waits")
    sandbox.wait_until(lambda: not any(identify(process.pid) == process for process in waiting), "both gone")


def test_the_next_run_does_not_wait_until_the_end_is_written(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    Crashing(sandbox, monkeypatch, hanging("runner.guarding:write_end", GUARDIAN))
    sandbox.allow(1)
    first = sandbox.submit(*script("worker.py", 1, 0.01, 0))
    second = sandbox.submit(*script("worker.py", 1, 0.01, 0))
    assert second.outcome() == COMPLETED
    assert first.status() is Status.RUNNING
    guardian = first.guardian()
    assert guardian is not None
    processes.kill(guardian)
    first.wait_for_end()
    assert first.reports() == ["begin", "end 0"]
