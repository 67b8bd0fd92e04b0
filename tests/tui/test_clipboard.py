"""Copying inside tmux, where the terminal's own sequence is ignored by default."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.tui.clipboard import copied_message, copy_by_tmux


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a pane in a tmux server of its own."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    socket = tmp_path / "tmux"
    command = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    subprocess.run([*command, "new-session", "-d", "-x", "80", "-y", "24", "cat"], check=True)
    yield os.environ | {"TMUX": f"{socket},0,0"}
    subprocess.run([*command, "kill-server"], check=True)


def test_a_text_arrives_in_the_buffer_of_tmux(tmux: dict[str, str]) -> None:
    assert copy_by_tmux("one\n-two ü", tmux)
    shown = subprocess.run(["tmux", "show-buffer"], env=tmux, check=True, capture_output=True).stdout
    assert shown.decode() == "one\n-two ü"


def test_nothing_is_claimed_where_nothing_is_known(tmp_path: Path) -> None:
    assert not copy_by_tmux("x", {"PATH": os.environ["PATH"]})
    assert not copy_by_tmux("x", {"PATH": os.environ["PATH"], "TMUX": f"{tmp_path}/gone,0,0"})
    assert not copy_by_tmux("x", {"PATH": "", "TMUX": "/x,0,0"})
    assert copied_message("2 lines", by_tmux=True) == "Copied 2 lines"
    assert copied_message("2 lines", by_tmux=False) == "Sent 2 lines to the terminal's clipboard"
