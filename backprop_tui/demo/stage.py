"""Where a demo plays: a temporary store, held by a lock while anybody of the demo lives, and swept afterwards."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import stat
import tempfile
import time

from backprop_tui.demo.programme import CONFIG
from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.processes.identity import Identity, identify, is_alive, send_signal
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, try_lock

_PREFIX = "backprop-demo"
_LOCK = "demo.lock"
SWEEP_SECONDS = 10.0
_LOOK_SECONDS = 0.02


class Stage:
    """The folder of one demo."""

    __slots__ = ("folder",)

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @property
    def home(self) -> str:
        """The root of its store."""
        return os.path.join(self.folder, "backprop")

    @property
    def config_path(self) -> str:
        """Its config.toml."""
        return os.path.join(self.folder, "config.toml")

    @property
    def scripts_folder(self) -> str:
        """Where its runs work."""
        return os.path.join(self.folder, "work")

    @property
    def lock_path(self) -> str:
        """Held by whoever plays it."""
        return os.path.join(self.folder, _LOCK)


def set_up(host: str) -> tuple[Stage, Lock]:
    """A new stage, and its lock.

    Raises:
        OSError: there is no room for temporary files.
        StateUnavailable: no locks there, or it cannot be written.
    """
    stage = Stage(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getuid()}-"))
    lock = try_lock(stage.lock_path)
    if lock is None:
        raise StateUnavailable(f"{stage.lock_path}: locked by somebody else, although it is new")
    os.mkdir(stage.scripts_folder)
    with open(stage.config_path, "w", encoding="utf-8") as file:
        file.write(CONFIG)
    Home(stage.home, host).prepare()
    return stage, lock


def sweep_abandoned() -> None:
    """Ends and removes what is left of demos that nobody plays any more, the machine having crashed, say."""
    pattern = os.path.join(glob.escape(tempfile.gettempdir()), f"{_PREFIX}-{os.getuid()}-*")
    for folder in glob.glob(pattern):
        if not _is_ours(folder):
            continue
        try:
            lock = try_lock(Stage(folder).lock_path)
        except OSError:  # another one sweeps it
            continue
        if lock is not None:
            with lock:
                take_down(Stage(folder))


def take_down(stage: Stage) -> None:
    """Kills everything that knows the store, then removes it.

    By force: there is nothing to save. Repeated, because a guardian that sees its supervisor die starts another.
    """
    end = time.monotonic() + SWEEP_SECONDS
    quiet_looks = 0
    while quiet_looks < 2 and time.monotonic() < end:
        found = _players(stage.home)
        quiet_looks = 0 if found else quiet_looks + 1
        for one in found:
            send_signal(one, signal.SIGKILL)
        time.sleep(_LOOK_SECONDS)
    shutil.rmtree(stage.folder, ignore_errors=True)


def _is_ours(folder: str) -> bool:
    """Whether it is a directory of this user and no link: others may write where temporary files are."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _players(home: str) -> list[Identity]:
    """Living processes that were started with this store in their environment, this one excepted."""
    mark = b"\0BACKPROP_HOME=" + os.fsencode(home) + b"\0"
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        identity = identify(int(name))
        if identity is None or not is_alive(identity):
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                knows = mark in b"\0" + file.read() + b"\0"
        except OSError:  # another user's, or gone
            continue
        if knows:
            found.append(identity)
    return found
