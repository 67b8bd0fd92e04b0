"""The supervisor's lease: a lock file signed with its holder, to detect another machine of the same name."""

from __future__ import annotations

import errno
import os
import time

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.files import read_file
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock

STARTING = 0  # the pid signed for a supervisor that is being started
SIGNATURE_BYTES, MAX_SIGNATURE_BYTES = 64, 4096
SIGNED_WITHIN_SECONDS = 1.0


def sign_lease(lock: Lock, pid: int) -> None:
    """Writes pid and boot id of the holder into the lock file.

    The signature has a fixed length and is written at once, so that no reader sees half of it and only the first one
    needs space on the disk. Without space it is left out, since the work is more important.
    """
    line = f"{pid} {boot_id()}".ljust(SIGNATURE_BYTES - 1) + "\n"
    try:
        os.pwrite(lock.descriptor, line.encode("ascii"), 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def refuse_other_machine(home: Home) -> None:
    """Raises StateUnavailable if another machine of the same name has the lease: it would start this one's runs too."""
    # Just after a reboot the holder may not have signed yet.
    end = time.monotonic() + SIGNED_WITHIN_SECONDS
    while is_signed_elsewhere(home):
        if time.monotonic() > end:
            raise StateUnavailable(
                f"{home.supervisor_lock}: held by another machine that is also called {home.host!r}; "
                "set BACKPROP_HOST to a unique name on one of them"
            )
        time.sleep(0.01)


def lease_owner(home: Home) -> tuple[int, str] | None:
    """Returns the pid (`STARTING` at first) and boot id of the newest supervisor; None if there was none."""
    try:
        parts = read_file(home.supervisor_lock, most=MAX_SIGNATURE_BYTES).decode("ascii").split()
        return (int(parts[0]), parts[1]) if len(parts) == 2 and parts[0].isdigit() else None
    except (OSError, ValueError):  # missing, of root, no file, or damaged: the next holder signs it anew
        return None


def supervisor_pid(home: Home) -> int | None:
    """Returns the pid of this machine's supervisor; None if none is alive."""
    owner = lease_owner(home)
    if owner is None or owner[1] != boot_id() or owner[0] <= 0:
        return None
    return owner[0] if holds_open(owner[0], home.supervisor_lock) else None


def is_signed_elsewhere(home: Home) -> bool:
    """Returns whether the lease was signed in another boot, or on another machine of the same name."""
    owner = lease_owner(home)
    return owner is not None and owner[1] != boot_id()


def holds_open(pid: int, path: str) -> bool:
    """Returns whether a process of this user has a file open; False if either is gone."""
    folder = f"/proc/{pid}/fd"
    try:
        target = os.stat(path)
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            status = os.stat(f"{folder}/{name}")
        except OSError:  # closed meanwhile
            continue
        if (status.st_ino, status.st_dev) == (target.st_ino, target.st_dev):
            return True
    return False
