"""The counter of memory kills, in simulated control groups of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.runner.resources import RECENT_SECONDS, MemoryKillMonitor

TREES = {
    "version 2": ("0::/user/job\n", "cgroup/user/job/memory.events"),
    "version 2, local": ("0::/user/job\n", "cgroup/user/job/memory.events.local"),
    "version 1": ("4:memory:/job\n0::/\n", "cgroup/memory/job/memory.oom_control"),
}


class Group:
    def __init__(self, root: Path, membership: str, counter: str) -> None:
        self.counter = root / counter
        self.membership = root / "proc/7/cgroup"
        self.membership.parent.mkdir(parents=True)
        self.membership.write_text(membership)
        self.counter.parent.mkdir(parents=True)
        self.count(0)
        self.kills = MemoryKillMonitor(7, proc=str(root / "proc"), mount=str(root / "cgroup"))

    def count(self, kills: int) -> None:
        self.counter.write_text(f"low 0\noom 9\noom_kill {kills}\noom_group_kill 0\n")


@pytest.fixture(params=list(TREES.values()), ids=list(TREES))
def group(request: pytest.FixtureRequest, tmp_path: Path) -> Group:
    return Group(tmp_path, *request.param)


def test_a_kill_at_the_end_is_reported_although_the_process_is_gone(group: Group) -> None:
    group.count(4)  # before this guardian came
    group.kills.sample(1.0)
    group.membership.unlink()
    group.count(5)
    assert group.kills.recent_kill(2.0) == f"{group.counter}: oom_kill went from 4 to 5"


def test_kills_before_the_run_are_no_evidence(group: Group) -> None:
    group.count(4)
    group.kills.sample(1.0)
    group.kills.sample(9.0)
    assert group.kills.recent_kill(10.0) is None


def test_a_kill_long_before_the_end_does_not_count(group: Group) -> None:
    group.kills.sample(1.0)
    group.count(1)
    group.kills.sample(9.0)
    assert group.kills.recent_kill(9.0 + RECENT_SECONDS + 1) is None


def test_without_a_counter_there_is_no_evidence(tmp_path: Path) -> None:
    kills = MemoryKillMonitor(7, proc=str(tmp_path / "proc"), mount=str(tmp_path / "cgroup"))
    kills.sample(1.0)
    assert kills.recent_kill(2.0) is None
