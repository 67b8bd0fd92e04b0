"""The host, measured in made-up proc and cgroup trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.probes.host import HostProbe

KIB = 1024


class Tree:
    """The roots of both file systems, in a directory of the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.put("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\nHugePages_Total: 0\n")
        self.put("proc/stat", "cpu 100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n")
        self.put("proc/loadavg", "1.25 0.80 0.40 1/234 5678\n")
        self.put("proc/self/cgroup", "0::/\n")

    def put(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def probe(self) -> HostProbe:
        return HostProbe(disk_path=str(self.root), proc=str(self.root / "proc"), cgroups=str(self.root / "cgroup"))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_without_limits_the_machine_itself_is_told(tree: Tree) -> None:
    found = tree.probe().read()
    assert (found.ram_total_bytes, found.ram_available_bytes) == (1000 * KIB, 600 * KIB)
    assert found.load_1m == 1.25
    assert found.cores == float(len(os.sched_getaffinity(0)))
    assert found.disk_free_bytes is not None
    assert found.disk_free_bytes > 0


def test_cpu_use_is_that_since_the_last_reading_and_none_at_first(tree: Tree) -> None:
    probe = tree.probe()
    assert probe.read().cpu_percent is None
    tree.put("proc/stat", "cpu 160 0 115 810 15 0 0 0 0 0\n")
    assert probe.read().cpu_percent == 75.0
    assert probe.read().cpu_percent is None


def test_what_cannot_be_read_is_none_and_never_zero(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    found = HostProbe(disk_path=nowhere, proc=nowhere, cgroups=nowhere).read()
    assert (found.cpu_percent, found.load_1m, found.ram_total_bytes, found.ram_available_bytes) == (None,) * 4
    assert found.disk_free_bytes is None


@pytest.mark.parametrize("text", ["", "nonsense\n", "cpu\n"])
def test_counters_that_make_no_sense_are_none(tree: Tree, text: str) -> None:
    tree.put("proc/stat", text)
    tree.put("proc/loadavg", text)
    found = tree.probe().read()
    assert (found.cpu_percent, found.load_1m) == (None, None)


def test_a_tighter_cgroup_is_the_machine(tree: Tree) -> None:
    tree.put("proc/self/cgroup", "0::/job\n")
    tree.put("cgroup/job/memory.max", f"{500 * KIB}\n")
    tree.put("cgroup/job/memory.current", f"{450 * KIB}\n")
    tree.put("cgroup/job/memory.stat", f"anon 1\ninactive_file {100 * KIB}\n")
    tree.put("cgroup/job/cpu.max", "50000 100000\n")
    found = tree.probe().read()
    assert (found.ram_total_bytes, found.ram_available_bytes) == (500 * KIB, 150 * KIB)
    assert found.cores == 0.5


def test_a_cgroup_wider_than_the_machine_changes_nothing(tree: Tree) -> None:
    tree.put("cgroup/memory.max", f"{5000 * KIB}\n")
    tree.put("cgroup/memory.current", "0\n")
    tree.put("cgroup/cpu.max", "100000000 100000\n")
    found = tree.probe().read()
    assert (found.ram_total_bytes, found.ram_available_bytes) == (1000 * KIB, 600 * KIB)
    assert found.cores == float(len(os.sched_getaffinity(0)))


def test_a_cgroup_above_its_limit_has_nothing_left(tree: Tree) -> None:
    tree.put("cgroup/memory.max", f"{500 * KIB}\n")
    tree.put("cgroup/memory.current", f"{600 * KIB}\n")
    assert tree.probe().read().ram_available_bytes == 0
