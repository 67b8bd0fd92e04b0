"""The file system of a path, and a sandbox that refuses prctl(2)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.processes import linux
from backprop_tui.processes.linux import (
    become_subreaper,
    die_with_parent,
    is_subreaper_refused,
    mount_point_of,
    mount_points,
    stop_as_subreaper,
)


def test_the_innermost_mount_point_is_returned() -> None:
    points = ("/", "/data", "/data/fast disk")
    assert mount_point_of("/data/fast disk/run", points) == "/data/fast disk"
    assert mount_point_of("/database", points) == "/"
    assert mount_point_of("/data", points) == "/data"


def test_the_mount_points_of_this_machine(tmp_path: Path) -> None:
    point = mount_point_of(os.path.realpath(tmp_path), mount_points())
    assert os.path.ismount(point)
    assert os.stat(point).st_dev == tmp_path.stat().st_dev


def test_spaces_are_unescaped_and_an_unknown_mount_point_is_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = tmp_path / "mountinfo"
    listing.write_bytes(b"36 35 98:0 / /mnt\\040two rw - ext3 /dev/root rw\n")
    monkeypatch.setattr(linux, "MOUNTS", str(listing))
    assert mount_points() == ("/mnt two",)
    monkeypatch.setattr(linux, "MOUNTS", str(tmp_path / "none"))
    assert mount_point_of("/any/where", mount_points()) == "/"


def test_a_process_works_where_it_may_be_no_subreaper(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_option: int, _value: int) -> None:
        raise PermissionError

    monkeypatch.setattr(linux, "_prctl", refuse)
    monkeypatch.setattr(linux._Subreaper, "is_refused", False)
    die_with_parent(15)
    assert not is_subreaper_refused()
    become_subreaper()
    stop_as_subreaper()
    assert is_subreaper_refused()
