"""Opening files, and appending lines to them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.store import files
from backprop_tui.store.files import append_line, open_file


def test_a_line_after_one_cut_by_a_full_disk_starts_on_a_new_line(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    append_line(str(path), b"one")
    with path.open("ab") as file:
        file.write(b'{"torn')
    append_line(str(path), b"two")
    assert path.read_bytes().splitlines() == [b"one", b'{"torn', b"two"]


def test_a_file_whose_directory_disappears_leaves_no_descriptor_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("x")

    def gone(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(files, "other_owner", gone)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        open_file(str(path))
    assert os.listdir("/proc/self/fd") == before
