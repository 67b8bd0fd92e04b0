"""Opening files, and appending lines to them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_tui.store import files
from backprop_tui.store.files import append_line, failure, open_file, write_atomically


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


def test_a_durable_write_is_on_disk_before_its_name_and_its_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def sync(descriptor: int) -> None:
        steps.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))

    def rename_and_note(old: str, new: str) -> None:
        steps.append("rename")
        rename(old, new)

    rename = os.rename
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename_and_note)
    before = os.listdir("/proc/self/fd")
    write_atomically(str(tmp_path / "file"), b"x", durable=True)
    assert steps == [".file.tmp", "rename", tmp_path.name]
    write_atomically(str(tmp_path / "file"), b"y", durable=False)
    assert steps[3:] == ["rename"]
    assert (tmp_path / "file").read_bytes() == b"y"
    assert os.listdir("/proc/self/fd") == before


def _link_elsewhere(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("name", ["file", ".file.tmp"])
@pytest.mark.parametrize("make", [Path.mkdir, _link_elsewhere, Path.touch])
def test_a_file_is_written_even_if_something_else_is_in_its_place_or_its_drafts(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    write_atomically(str(tmp_path / "file"), b"x", durable=False)
    assert (tmp_path / "file").read_bytes() == b"x"
    assert not (tmp_path / "file").is_symlink()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(("number", "hint"), [(errno.ENOSPC, "MB free: "), (errno.EDQUOT, "your quota is used up (")])
def test_a_full_disk_says_what_to_do(tmp_path: Path, number: int, hint: str) -> None:
    error = failure(str(tmp_path / "file"), OSError(number, os.strerror(number)))
    assert error.hint is not None
    assert hint in error.hint
    assert failure(str(tmp_path / "file"), OSError(errno.EIO, "x")).hint is None
