"""The exit status of an orphaned script stays readable until its next guardian has read it."""

from __future__ import annotations

import os

import pytest

from backprop_tui.engine import supervisor
from backprop_tui.engine.supervisor import OrphanReaper
from backprop_tui.processes.identity import state_of
from tests.support.waiting import wait_until


def test_a_script_that_is_awaited_is_not_reaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "REAP_DELAY_SECONDS", 0.0)
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    monkeypatch.setattr(supervisor, "children", lambda _: [pid])
    wait_until(lambda: state_of(pid) == b"Z", "a zombie")
    awaited = {pid}
    reaper = OrphanReaper(lambda: awaited)
    reaper.reap()
    assert state_of(pid) == b"Z"
    awaited.clear()
    reaper.reap()
    assert state_of(pid) is None
