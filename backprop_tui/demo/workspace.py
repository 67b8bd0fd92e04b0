"""The demo's workspace: a temporary folder with a store, locked while the demo runs and removed afterwards."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import stat
import tempfile
import time

from backprop_tui.demo.scenario import CONFIG
from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.processes.identity import Identity, identify, is_alive, send_signal
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, try_lock

_PREFIX = "backprop-demo"
KILL_SECONDS = 10.0
_POLL_SECONDS = 0.02


class Workspace:
    """The folder of one demo, with a store, its settings, and the working directory of the runs.

    The dashboard and the driver hold the lock.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.home = os.path.join(folder, "backprop")
        self.config_path = os.path.join(folder, "config.toml")
        self.scripts_folder = os.path.join(folder, "work")
        self.lock_path = os.path.join(folder, "demo.lock")


def create_workspace(host: str) -> tuple[Workspace, Lock]:
    """Creates and locks a workspace; raises OSError or StateUnavailable if that fails."""
    workspace = Workspace(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getuid()}-"))
    lock = try_lock(workspace.lock_path)
    if lock is None:
        raise StateUnavailable(f"{workspace.lock_path}: locked by another process, although it is new")
    os.mkdir(workspace.scripts_folder)
    with open(workspace.config_path, "w", encoding="utf-8") as file:
        file.write(CONFIG)
    Home(workspace.home, host).prepare()
    return workspace, lock


def remove_abandoned() -> None:
    """Removes demos that are no longer running, for example after a crash of the machine, with their processes."""
    pattern = os.path.join(glob.escape(tempfile.gettempdir()), f"{_PREFIX}-{os.getuid()}-*")
    for folder in glob.glob(pattern):
        if not _is_own_directory(folder):
            continue
        try:
            lock = try_lock(Workspace(folder).lock_path)
        except OSError:  # another process is removing it
            continue
        if lock is not None:
            with lock:
                tear_down(Workspace(folder))


def tear_down(workspace: Workspace) -> None:
    """Kills all processes that use the workspace's store, then removes it.

    SIGKILL is fine, since there is nothing to save. It is repeated, because a guardian whose supervisor dies starts
    another one.
    """
    end = time.monotonic() + KILL_SECONDS
    quiet_polls = 0
    while quiet_polls < 2 and time.monotonic() < end:
        processes = _processes_of(workspace.home)
        quiet_polls = 0 if processes else quiet_polls + 1
        for process in processes:
            send_signal(process, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    shutil.rmtree(workspace.folder, ignore_errors=True)


def _is_own_directory(folder: str) -> bool:
    """Whether it is a real directory of this user: other users may create links among the temporary files."""
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _processes_of(home: str) -> list[Identity]:
    """Running processes with this store in their environment, except this one."""
    variable = b"\0BACKPROP_HOME=" + os.fsencode(home) + b"\0"
    processes = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        identity = identify(int(name))
        if identity is None or not is_alive(identity):
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                uses_store = variable in b"\0" + file.read() + b"\0"
        except OSError:  # another user's process, or it has ended
            continue
        if uses_store:
            processes.append(identity)
    return processes
