"""Small files of the kernel are read as a whole, whatever a single read gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.processes import kernel_files
from backprop_tui.processes.kernel_files import read_kernel_file


def test_all_is_read_however_little_a_read_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "children"
    path.write_bytes(b"12 345 6789 ")
    monkeypatch.setattr(kernel_files, "_CHUNK_BYTES", 5)
    assert read_kernel_file(str(path)) == b"12 345 6789 "


def test_its_descriptor_is_closed(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="directory"):
        read_kernel_file(str(tmp_path))
    assert read_kernel_file("/proc/self/stat")
    assert os.listdir("/proc/self/fd") == before
