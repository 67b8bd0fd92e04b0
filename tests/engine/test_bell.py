"""A bell that no supervisor listens to is no reason to wait for one."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from backprop_tui.engine.wakeup import Bell
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from tests.engine.machines import Host


def _copied(path: str) -> None:
    with open(path, "w", encoding="utf-8"):
        pass


@pytest.mark.parametrize("make", [_copied, os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/null", path)])
def test_a_bell_without_a_supervisor_wakes_nobody_and_is_replaced(host: Host, make: Callable[[str], None]) -> None:
    path = host.home.bell
    make(path)
    held_open = os.open(path, os.O_RDWR | os.O_NONBLOCK) if make is os.mkfifo else None  # by a foreign process
    assert not SupervisorProcess(home=host.home, config_path=host.config_path).ring()
    bell = Bell(host.home)
    assert os.path.exists(path)
    bell.remove()
    assert not os.path.lexists(path)
    if held_open is not None:
        os.close(held_open)
