"""The demo's workspace: abandoned ones are removed; running ones and other users' files are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backprop_tui.demo import stage as stages
from backprop_tui.demo.stage import Workspace, create_workspace, remove_abandoned, tear_down


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def player(stage: Workspace) -> subprocess.Popen[bytes]:
    """A process that was started with the store in its environment."""
    command = (sys.executable, "-S", "-c", "import sys; print(flush=True); sys.stdin.read()")
    started = subprocess.Popen(
        command, env=os.environ | {"BACKPROP_HOME": stage.home}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert started.stdout is not None
    started.stdout.readline()  # from here on its environment is its own
    return started


def test_an_abandoned_demo_is_removed_with_its_processes() -> None:
    stage, lock = create_workspace("here")
    with player(stage) as left:
        lock.close()
        remove_abandoned()
        assert left.wait(10) == -9
    assert not os.path.exists(stage.folder)


def test_a_running_demo_is_left_alone() -> None:
    stage, lock = create_workspace("here")
    with lock, player(stage) as plays:
        remove_abandoned()
        assert os.path.isdir(stage.home)
        assert plays.poll() is None
        plays.kill()


def test_a_process_of_another_store_is_not_touched() -> None:
    stage, lock = create_workspace("here")
    another, another_lock = create_workspace("here")
    with lock, another_lock, player(another) as stranger:
        tear_down(stage)
        assert stranger.poll() is None
        stranger.kill()
    assert not os.path.exists(stage.folder)
    assert os.path.exists(another.folder)


def test_a_link_in_the_temporary_directory_is_not_followed(temporary: Path) -> None:
    precious = temporary / "precious"
    precious.mkdir()
    (precious / "file").touch()
    os.symlink(precious, temporary / f"backprop-demo-{os.getuid()}-link")
    remove_abandoned()
    assert (precious / "file").exists()


def test_the_store_is_private() -> None:
    stage, lock = create_workspace("here")
    lock.close()
    assert os.stat(stage.folder).st_mode & 0o077 == 0


def test_a_store_with_the_same_prefix_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, lock = create_workspace("here")
    with lock, player(Workspace(stage.folder + "x")) as stranger:
        assert not stages._processes_of(stage.home)
        stranger.kill()
