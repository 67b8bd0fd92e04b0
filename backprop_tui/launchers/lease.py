"""Whose the lease is: written into its lock, so that a namesake on another machine can be told apart."""

from __future__ import annotations

import errno
import os
import time

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock

NOT_BORN = 0  # signed for a supervisor that is being started
SIGNATURE_BYTES = 64
SIGNED_WITHIN_SECONDS = 1.0


def sign_lease(lock: Lock, pid: int) -> None:
    """Writes whose the lease is: pid and boot id, so that a namesake on another machine can be told apart.

    Always of one length and in one write, so that nobody reads half of it, and a full disk has room for all but the
    first. Where it has not, work goes before signatures.
    """
    line = f"{pid} {boot_id()}".ljust(SIGNATURE_BYTES - 1) + "\n"
    try:
        os.pwrite(lock.descriptor, line.encode("ascii"), 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def refuse_other_machine(home: Home) -> None:
    """Two machines of one name on one state directory would each start the other's runs.

    Raises:
        StateUnavailable: the lease of this host name is held on another machine.
    """
    # Just after a reboot somebody may hold the lease who has not signed it yet.
    end = time.monotonic() + SIGNED_WITHIN_SECONDS
    while is_signed_elsewhere(home):
        if time.monotonic() > end:
            raise StateUnavailable(
                f"{home.supervisor_lock}: held by another machine that is also called {home.host!r}; "
                "set BACKPROP_HOST to a name of its own on one of them"
            )
        time.sleep(0.01)


def lease_owner(home: Home) -> tuple[int, str] | None:
    """Pid (`NOT_BORN` at first) and boot id that the newest supervisor is signed with; None where there was none."""
    try:
        with open(home.supervisor_lock, encoding="ascii") as file:
            words = file.read().split()
    except FileNotFoundError:
        return None
    return (int(words[0]), words[1]) if len(words) == 2 and words[0].isdigit() else None


def supervisor_pid(home: Home) -> int | None:
    """The pid of this machine's supervisor; None where none lives."""
    owner = lease_owner(home)
    if owner is None or owner[1] != boot_id() or owner[0] <= 0:
        return None
    return owner[0] if holds_open(owner[0], home.supervisor_lock) else None


def is_signed_elsewhere(home: Home) -> bool:
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
