"""Guardians and supervisors that fail again and again: with growing pauses, and front ends say why."""

from __future__ import annotations

import errno

import pytest

from backprop_tui.client.runs import guardian_problem
from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.store.failures import SUPERVISOR, failure_of
from backprop_tui.store.run_view import read_view
from tests.end_to_end.crashing import Crashing
from tests.support.crashes import GUARDIAN, failing
from tests.support.sandbox import Sandbox, script


def test_failing_guardians_are_started_ever_later(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    Crashing(sandbox, monkeypatch, failing("runner.guardian:Guardian.wait_for_end", errno.EIO, GUARDIAN))
    run = sandbox.submit(*script("worker.py", 0, 60, 1))
    failure = run.wait(
        lambda: failure if (failure := failure_of(sandbox.home, run.id)) and failure.count == 3 else None, "3 failures"
    )
    assert failure.reason.startswith("OSError: [Errno 5] Input/output error (crashes.py, line ")
    with open(sandbox.home.supervisor_log, encoding="utf-8") as file:
        assert file.read().count("Traceback") <= 3
    problem = run.wait(lambda: guardian_problem(sandbox.home, read_view(sandbox.home, run.id)), "a problem")
    assert problem.startswith("its guardian failed 3 times: OSError")


def test_a_failing_supervisor_is_reported(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = failing("engine.main:_supervise", errno.EIO)
    Crashing(sandbox, monkeypatch, fails, failing("runner.fork_server:_replace", errno.EIO))
    sandbox.submit(*script("worker.py", 0, 0, 1))
    await_failure(sandbox, 1)
    sandbox.call()
    await_failure(sandbox, 2)
    with pytest.raises(StateUnavailable, match=r"the supervisor failed 2 times: OSError: .*; runs wait until then"):
        sandbox.call()


def test_a_pass_that_fails_ends_no_supervisor(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    Crashing(sandbox, monkeypatch, failing("engine.scheduler:Scheduler.run_pass", errno.EIO))
    sandbox.submit(*script("worker.py", 0, 0, 1))
    first = sandbox.wait_until(sandbox.supervisor, "a supervisor")
    sandbox.wait_until(lambda: failure_of(sandbox.home, SUPERVISOR), "a failure")
    count = getattr(failure_of(sandbox.home, SUPERVISOR), "count", 0)
    sandbox.wait_until(lambda: getattr(failure_of(sandbox.home, SUPERVISOR), "count", 0) > count, "another failure")
    assert sandbox.supervisor() == first


def await_failure(sandbox: Sandbox, count: int) -> None:
    """Waits until this is the number of supervisors that have failed, and none is left."""

    def has_failed() -> bool:
        failure = failure_of(sandbox.home, SUPERVISOR)
        return failure is not None and failure.count == count and sandbox.supervisor() is None

    sandbox.wait_until(has_failed, f"{count} failures")
