"""Only regular files are opened, and at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.processes.regular_files import WrongFile, open_regular, read_regular


def _socket(path: Path) -> None:
    os.mknod(path, 0o140600)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a FIFO"),
        (os.mkdir, "a directory"),
        (_socket, "a socket"),
        (lambda path: path.symlink_to(path.name), "a symbolic link"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
    ],
)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: object, kind: str, flags: int) -> None:
    path = tmp_path / "x"
    make(path)  # type: ignore[operator]
    with pytest.raises(WrongFile, match=f"{kind}, not a regular file"):
        open_regular(str(path), flags)


def test_a_link_is_followed_unless_it_must_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(str(tmp_path / "link"), 10) == b"x"
    with pytest.raises(WrongFile, match="a symbolic link"):
        open_regular(str(tmp_path / "link"), follow=False)


def test_a_longer_file_is_refused_or_cut(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(WrongFile, match="more than the 5 that are read"):
        read_regular(str(path), 5)
    assert read_regular(str(path), 5, cut=True) == bytes(5)
