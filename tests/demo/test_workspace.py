"""The demo's workspace: abandoned ones are removed; running ones and other users' files are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backprop_tui.demo import workspace as workspaces
from backprop_tui.demo.workspace import Workspace, create_workspace, remove_abandoned, tear_down


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def player(workspace: Workspace) -> subprocess.Popen[bytes]:
    """A process that was started with the store in its environment."""
    command = (sys.executable, "-S", "-c", "import sys; print(flush=True); sys.stdin.read()")
    process = subprocess.Popen(
        command, env=os.environ | {"BACKPROP_HOME": workspace.home}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()  # its environment is set by now
    return process


def test_an_abandoned_demo_is_removed_with_its_processes() -> None:
    workspace, lock = create_workspace("here")
    with player(workspace) as left:
        lock.close()
        remove_abandoned()
        assert left.wait(10) == -9
    assert not os.path.exists(workspace.folder)


def test_a_running_demo_is_left_alone() -> None:
    workspace, lock = create_workspace("here")
    with lock, player(workspace) as plays:
        remove_abandoned()
        assert os.path.isdir(workspace.home)
        assert plays.poll() is None
        plays.kill()


def test_a_process_of_another_store_is_not_touched() -> None:
    workspace, lock = create_workspace("here")
    another, another_lock = create_workspace("here")
    with lock, another_lock, player(another) as stranger:
        tear_down(workspace)
        assert stranger.poll() is None
        stranger.kill()
    assert not os.path.exists(workspace.folder)
    assert os.path.exists(another.folder)


def test_a_link_in_the_temporary_directory_is_not_followed(temporary: Path) -> None:
    target = temporary / "target"
    target.mkdir()
    (target / "file").touch()
    os.symlink(target, temporary / f"backprop-demo-{os.getuid()}-link")
    remove_abandoned()
    assert (target / "file").exists()


def test_the_store_is_private() -> None:
    workspace, lock = create_workspace("here")
    lock.close()
    assert os.stat(workspace.folder).st_mode & 0o077 == 0


def test_a_store_with_the_same_prefix_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, lock = create_workspace("here")
    with lock, player(Workspace(workspace.folder + "x")) as stranger:
        assert not workspaces._processes_of(workspace.home)
        stranger.kill()
