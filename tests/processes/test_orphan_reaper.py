"""Zombies of dead guardians: they are reaped, except for scripts whose exit status is still needed."""

from __future__ import annotations

import os

import pytest

from backprop_tui.processes import tree
from backprop_tui.processes.identity import state_of
from backprop_tui.processes.tree import OrphanReaper
from tests.support.waiting import wait_until


@pytest.fixture
def zombie() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    wait_until(lambda: state_of(pid) == b"Z", "a zombie")
    return pid


def test_a_zombie_is_reaped(zombie: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "REAP_DELAY_SECONDS", 0.0)
    OrphanReaper(set).reap()
    assert state_of(zombie) is None


def test_there_is_work_only_while_there_are_zombies(zombie: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "REAP_DELAY_SECONDS", 0.0)
    reaper = OrphanReaper(set)
    assert reaper.has_work()
    reaper.reap()
    assert not reaper.has_work()


def test_the_script_of_an_unfinished_run_stays_until_the_run_has_ended(
    zombie: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "REAP_DELAY_SECONDS", 0.0)
    scripts = {zombie}
    reaper = OrphanReaper(lambda: scripts)
    reaper.reap()
    assert state_of(zombie) == b"Z"
    scripts.clear()
    reaper.reap()
    assert state_of(zombie) is None
