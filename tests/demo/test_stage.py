"""The demo's workspace: abandoned ones are removed; running ones and other users' files are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backprop_tui.demo import stage as stage_module
from backprop_tui.demo.stage import Workspace, create_workspace, remove_abandoned, tear_down


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def process_in(stage: Workspace) -> subprocess.Popen[bytes]:
    """Starts a process with the store in its environment."""
    command = (sys.executable, "-S", "-c", "import sys; print(flush=True); sys.stdin.read()")
    process = subprocess.Popen(
        command, env=os.environ | {"BACKPROP_HOME": stage.home}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()  # its environment is set by now
    return process


def test_an_abandoned_demo_is_removed_with_its_processes() -> None:
    stage, lock = create_workspace("here")
    with process_in(stage) as process:
        lock.close()
        remove_abandoned()
        assert process.wait(10) == -9
    assert not os.path.exists(stage.folder)


def test_a_running_demo_is_left_alone() -> None:
    stage, lock = create_workspace("here")
    with lock, process_in(stage) as process:
        remove_abandoned()
        assert os.path.isdir(stage.home)
        assert process.poll() is None
        process.kill()


def test_a_process_of_another_store_is_not_touched() -> None:
    stage, lock = create_workspace("here")
    other, other_lock = create_workspace("here")
    with lock, other_lock, process_in(other) as process:
        tear_down(stage)
        assert process.poll() is None
        process.kill()
    assert not os.path.exists(stage.folder)
    assert os.path.exists(other.folder)


def test_a_link_in_the_temporary_directory_is_not_followed(temporary: Path) -> None:
    target = temporary / "target"
    target.mkdir()
    (target / "file").touch()
    os.symlink(target, temporary / f"backprop-demo-{os.getuid()}-link")
    remove_abandoned()
    assert (target / "file").exists()


def test_the_store_is_private() -> None:
    stage, lock = create_workspace("here")
    lock.close()
    assert os.stat(stage.folder).st_mode & 0o077 == 0


def test_a_store_whose_path_only_starts_the_same_is_another_store() -> None:
    stage, lock = create_workspace("here")
    with lock, process_in(Workspace(stage.folder + "x")) as process:
        assert not stage_module._processes_of(stage.home)
        process.kill()
