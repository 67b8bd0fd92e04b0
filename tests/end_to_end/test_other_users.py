"""Processes that a guardian may not signal, as those that sudo starts: they are named and left, and the run ends."""

from __future__ import annotations

import errno

import pytest

from backprop_tui.domain.requests import PauseRequest, StopRequest
from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from tests.end_to_end.crashing import Crashing
from tests.support.crashes import GUARDIAN, failing
from tests.support.sandbox import Sandbox, Submitted, shell

PROCESSES = failing("signal:pidfd_send_signal", errno.EPERM, GUARDIAN)
GROUPS = failing("os:killpg", errno.EPERM, GUARDIAN)


def end_of(run: Submitted) -> Ended:
    """Its end, which another guardian would not have written: all that one did not know."""
    end = run.end()
    assert "adopted" not in run.events()
    return end


def test_the_run_ends_with_the_exit_code_of_its_script(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    Crashing(sandbox, monkeypatch, PROCESSES)
    run = sandbox.submit(*shell("setsid sleep 300 & until grep -q sleep /proc/$!/comm; do :; done"), leftovers="kill")
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.COMPLETED, 0)
    assert end.reason is not None
    assert end.reason.startswith("sleep 300 of ")
    assert end.reason.endswith(" could not be signaled: not permitted")
    assert run.events().count("leftovers") == 1


def test_a_script_out_of_reach_neither_pauses_nor_keeps_its_run_from_ending(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    Crashing(sandbox, monkeypatch, PROCESSES, GROUPS)
    run = sandbox.submit(*shell("sleep 300; true"))
    run.wait_for(Status.RUNNING)
    run.ask(PauseRequest(by="person", reason="paused by you"))
    run.wait(lambda: "continued" in run.events(), "the pause given up")
    run.ask(StopRequest(by="person", reason="stopped by you", kill=True))
    end = end_of(run)
    assert end.status is Status.STOPPED
    assert end.reason is not None
    assert end.reason.startswith("stopped by you; ")
    assert "bash -c sleep 300; true of " in end.reason
