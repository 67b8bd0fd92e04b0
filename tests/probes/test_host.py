"""Measuring the host in fake proc and cgroup file systems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.probes.host import HostProbe

KIB = 1024


class Tree:
    """Fake proc and cgroup file systems."""

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


def test_without_limits_the_machine_is_measured(tree: Tree) -> None:
    reading = tree.probe().read()
    assert (reading.ram_total_bytes, reading.ram_available_bytes) == (1000 * KIB, 600 * KIB)
    assert reading.load_1m == 1.25
    assert reading.cores == float(len(os.sched_getaffinity(0)))
    assert reading.disk_free_bytes is not None
    assert reading.disk_free_bytes > 0


def test_cpu_use_is_since_the_last_reading_and_none_at_first(tree: Tree) -> None:
    probe = tree.probe()
    assert probe.read().cpu_percent is None
    tree.put("proc/stat", "cpu 160 0 115 810 15 0 0 0 0 0\n")
    assert probe.read().cpu_percent == 75.0
    assert probe.read().cpu_percent is None


def test_values_that_cannot_be_read_are_none_not_zero(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    reading = HostProbe(disk_path=nowhere, proc=nowhere, cgroups=nowhere).read()
    assert (reading.cpu_percent, reading.load_1m, reading.ram_total_bytes, reading.ram_available_bytes) == (None,) * 4
    assert reading.disk_free_bytes is None


@pytest.mark.parametrize("text", ["", "nonsense\n", "cpu\n"])
def test_invalid_counters_are_none(tree: Tree, text: str) -> None:
    tree.put("proc/stat", text)
    tree.put("proc/loadavg", text)
    reading = tree.probe().read()
    assert (reading.cpu_percent, reading.load_1m) == (None, None)


def test_a_cgroup_with_tighter_limits_replaces_the_machines_figures(tree: Tree) -> None:
    tree.put("proc/self/cgroup", "0::/job\n")
    tree.put("cgroup/job/memory.max", f"{500 * KIB}\n")
    tree.put("cgroup/job/memory.current", f"{450 * KIB}\n")
    tree.put("cgroup/job/memory.stat", f"anon 1\ninactive_file {100 * KIB}\n")
    tree.put("cgroup/job/cpu.max", "50000 100000\n")
    reading = tree.probe().read()
    assert (reading.ram_total_bytes, reading.ram_available_bytes) == (500 * KIB, 150 * KIB)
    assert reading.cores == 0.5


def test_a_cgroup_wider_than_the_machine_changes_nothing(tree: Tree) -> None:
    tree.put("cgroup/memory.max", f"{5000 * KIB}\n")
    tree.put("cgroup/memory.current", "0\n")
    tree.put("cgroup/cpu.max", "100000000 100000\n")
    reading = tree.probe().read()
    assert (reading.ram_total_bytes, reading.ram_available_bytes) == (1000 * KIB, 600 * KIB)
    assert reading.cores == float(len(os.sched_getaffinity(0)))


def test_a_cgroup_above_its_limit_has_no_memory_available(tree: Tree) -> None:
    tree.put("cgroup/memory.max", f"{500 * KIB}\n")
    tree.put("cgroup/memory.current", f"{600 * KIB}\n")
    assert tree.probe().read().ram_available_bytes == 0
