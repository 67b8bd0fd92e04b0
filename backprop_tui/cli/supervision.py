"""Whether a supervisor lives, found out by looking alone: to try its lease could keep another from starting one."""

from __future__ import annotations

import os

from backprop_tui.launchers.supervisor_process import LOCK, lease_owner
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home


def supervisor_pid(home: Home) -> int | None:
    """The pid of this machine's supervisor; None where none lives."""
    owner = lease_owner(home)
    if owner is None or owner[1] != boot_id() or owner[0] <= 0:
        return None
    return owner[0] if holds_open(owner[0], home.host_file(LOCK)) else None


def is_held_elsewhere(home: Home) -> bool:
    """Whether the lease was signed in another boot, or on another machine of the same name."""
    owner = lease_owner(home)
    return owner is not None and owner[1] != boot_id()


def holds_open(pid: int, path: str) -> bool:
    """Whether a process of this user has a file open; False where either is gone."""
    folder = f"/proc/{pid}/fd"
    try:
        wanted = os.stat(path)
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            found = os.stat(f"{folder}/{name}")
        except OSError:  # closed meanwhile
            continue
        if (found.st_ino, found.st_dev) == (wanted.st_ino, wanted.st_dev):
            return True
    return False
