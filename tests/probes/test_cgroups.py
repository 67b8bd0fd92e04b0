"""Limits of cgroups in fake file systems of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.probes.cgroups import NO_LIMIT, Cgroups

V1 = "11:cpu,cpuacct:/slurm/job_7\n9:memory:/slurm/job_7\n1:name=systemd:/other\n"


class Tree:
    """A fake cgroup file system."""

    def __init__(self, root: Path, membership: str) -> None:
        self.root = root
        self.put("proc/self/cgroup", membership)

    def put(self, name: str, text: object) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    @property
    def cgroups(self) -> Cgroups:
        return Cgroups(proc=str(self.root / "proc"), mount=str(self.root / "cgroup"))


def test_every_group_with_a_limit_up_to_the_root_is_returned(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "0::/user/session/job")
    tree.put("cgroup/user/memory.max", 900)
    tree.put("cgroup/user/memory.current", 500)
    tree.put("cgroup/user/session/memory.max", "max")
    tree.put("cgroup/user/session/job/memory.max", 300)
    tree.put("cgroup/user/session/job/memory.current", 250)
    tree.put("cgroup/user/session/job/cpu.max", "max 100000")
    tree.put("cgroup/user/session/cpu.max", "150000 100000")
    assert list(tree.cgroups.memory()) == [(300, 250), (900, 500)]
    assert list(tree.cgroups.cpu_quotas()) == [1.5]


def test_a_process_that_is_moved_is_found_in_its_new_group(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "0::/shell")
    tree.put("cgroup/shell/memory.max", 900)
    tree.put("cgroup/job/memory.max", 300)
    cgroups = tree.cgroups
    assert list(cgroups.memory()) == [(900, 0)]
    tree.put("cgroup/shell/memory.max", 800)
    assert list(cgroups.memory()) == [(800, 0)]
    tree.put("proc/self/cgroup", "0::/job")
    assert list(cgroups.memory()) == [(300, 0)]


def test_reclaimable_page_cache_is_not_usage(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "0::/")
    tree.put("cgroup/memory.max", 900)
    tree.put("cgroup/memory.current", 500)
    tree.put("cgroup/memory.stat", "anon 100\ninactive_file 380\nactive_file 20")
    assert list(tree.cgroups.memory()) == [(900, 120)]


def test_version_1_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    tree = Tree(tmp_path, V1)
    tree.put("cgroup/memory/slurm/job_7/memory.limit_in_bytes", 800)
    tree.put("cgroup/memory/slurm/job_7/memory.usage_in_bytes", 700)
    tree.put("cgroup/memory/slurm/job_7/memory.stat", "inactive_file 1\ntotal_inactive_file 200")
    tree.put("cgroup/memory/memory.limit_in_bytes", (1 << 63) - 4096)
    tree.put("cgroup/cpu/slurm/job_7/cpu.cfs_quota_us", 250_000)
    tree.put("cgroup/cpu/slurm/job_7/cpu.cfs_period_us", 100_000)
    tree.put("cgroup/cpu/cpu.cfs_quota_us", -1)
    tree.put("cgroup/cpu/cpu.cfs_period_us", 100_000)
    assert list(tree.cgroups.memory()) == [(800, 500)]
    assert list(tree.cgroups.cpu_quotas()) == [2.5]


def test_version_2_next_to_version_1_is_read_from_its_mount_point(tmp_path: Path) -> None:
    tree = Tree(tmp_path, f"{V1}0::/job\n")
    tree.put("cgroup/unified/job/memory.max", 400)
    tree.put("cgroup/unified/job/memory.current", 100)
    assert list(tree.cgroups.memory()) == [(400, 100)]


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    """The path is the host's and does not exist below the container's mount."""
    tree = Tree(tmp_path, "0::/docker/abc123")
    tree.put("cgroup/memory.max", 700)
    tree.put("cgroup/memory.current", 10)
    tree.put("cgroup/cpu.max", "200000 100000")
    assert list(tree.cgroups.memory()) == [(700, 10)]
    assert list(tree.cgroups.cpu_quotas()) == [2.0]


def test_a_nested_container_is_found_by_the_existing_part_of_the_path(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "0::/outer/inner/gone")
    tree.put("cgroup/outer/inner/memory.max", 200)
    tree.put("cgroup/outer/inner/memory.current", 20)
    tree.put("cgroup/memory.max", 900)
    tree.put("cgroup/memory.current", 90)
    assert list(tree.cgroups.memory()) == [(200, 20), (900, 90)]


@pytest.mark.parametrize("text", ["max", "", "nonsense", NO_LIMIT * 8 - 4096])
def test_an_absent_limit_is_not_returned(tmp_path: Path, text: object) -> None:
    tree = Tree(tmp_path, V1 + "0::/\n")
    tree.put("cgroup/memory/memory.limit_in_bytes", text)
    tree.put("cgroup/cpu/cpu.cfs_quota_us", text if text != NO_LIMIT * 8 - 4096 else -1)
    tree.put("cgroup/cpu.max", "")
    assert list(tree.cgroups.memory()) == []
    assert list(tree.cgroups.cpu_quotas()) == []


@pytest.mark.parametrize("membership", ["", "garbage", "0::"])
def test_a_machine_without_control_groups_has_no_limits(tmp_path: Path, membership: str) -> None:
    cgroups = Tree(tmp_path, membership).cgroups
    assert list(cgroups.memory()) == []
    assert list(cgroups.cpu_quotas()) == []


def test_limits_are_read_again_each_time(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "0::/")
    tree.put("cgroup/memory.max", 900)
    tree.put("cgroup/memory.current", 1)
    cgroups = tree.cgroups
    before = list(cgroups.memory())
    tree.put("cgroup/memory.max", 800)
    assert (before, list(cgroups.memory())) == ([(900, 1)], [(800, 1)])
