"""What the supervisor does once all runs are in the index."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from backprop_tui.engine import supervisor
from backprop_tui.engine.guard import Guard
from backprop_tui.engine.readings import SamplerKeeper
from backprop_tui.engine.supervisor import Supervisor
from backprop_tui.engine.wakeup import Bell
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.store.index import read_newest
from tests.engine.machines import Host


@pytest.fixture
def keeper(host: Host) -> Iterator[Supervisor]:
    """A supervisor whose loop does not run."""
    bell = Bell(host.home)
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield Supervisor(
            SupervisorProcess(home=host.home, config_path=host.config_path),
            host.capacity,
            host.scheduler,
            Guard(host.home, host.capacity, host.readings_source),
            SamplerKeeper(host.home, host.readings_source),
            bell,
            ours,
        )
    bell.remove()


def test_memory_is_given_back_when_nothing_has_changed_for_a_second(
    host: Host, keeper: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[int] = []
    monkeypatch.setattr(supervisor, "return_free_memory", lambda: given_back.append(len(read_newest(host.home))))
    host.runs.queued("a")
    keeper._runs = host.passes().runs
    keeper._index()
    assert (given_back, keeper._is_unsettled()) == ([], True)
    keeper._index()
    assert (given_back, keeper._is_unsettled()) == ([1], False)


def test_a_run_that_has_ended_and_is_still_marked_is_indexed_again(host: Host, keeper: Supervisor) -> None:
    host.runs.ended("a")
    host.unfinished.refresh()
    keeper._runs = host.unfinished.runs()
    for _ in range(3):
        keeper._index()
        assert keeper._is_unsettled()
