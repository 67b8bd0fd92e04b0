"""The processes that a test's home has to do with: found by what they carry and hold, killed one by one."""

from __future__ import annotations

import os
import re
import select
import signal
import time

from backprop_tui.processes.identity import Identity, identify, is_alive, open_pidfd

KILL_SECONDS = 5.0


def anybody_learns_exit_codes() -> bool:
    """Linux 6.15 and later tell by a pidfd how a process ended that is not one's child; see linux/pidfd.h."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(re.sub(r"\D.*", "", minor))) >= (6, 15)


def knowing(folder: str) -> list[Identity]:
    """Living processes that have this directory in the environment they were started with, this one excepted."""
    mark = os.fsencode(folder)
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        identity = identify(int(name))
        if identity is not None and mark in _read(f"/proc/{name}/environ") and is_alive(identity):
            found.append(identity)
    return found


def described(identity: Identity) -> str:
    """Pid, name and command line."""
    command = _read(f"/proc/{identity.pid}/cmdline").replace(b"\0", b" ").decode(errors="replace")
    return f"{identity.pid} [{comm(identity.pid)}] {command}"


def comm(pid: int) -> str:
    """The name that `ps -o comm` shows; empty when it is gone."""
    return _read(f"/proc/{pid}/comm").decode(errors="replace").strip()


def parent(pid: int) -> int | None:
    """The parent's pid."""
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"PPid:"):
            return int(line.split()[1])
    return None


def holders(path: str, among: list[Identity]) -> list[Identity]:
    """Those that have the file open."""
    try:
        wanted = os.stat(path)
    except FileNotFoundError:
        return []
    return [identity for identity in among if _has_open(identity.pid, wanted)]


def kill(identity: Identity, number: int = signal.SIGKILL) -> bool:
    """Signals exactly that process; says whether it was there. It is dead when a SIGKILL returns."""
    pidfd = open_pidfd(identity)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, number)
        if number == signal.SIGKILL:
            dead = select.poll()
            dead.register(pidfd, select.POLLIN)
            assert dead.poll(KILL_SECONDS * 1000), f"cannot be killed: {described(identity)}"
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def kill_all_knowing(folder: str) -> None:
    """Until two looks in a row find none: a guardian may start a supervisor while it is being killed."""
    end = time.monotonic() + KILL_SECONDS
    empty_looks = 0
    while empty_looks < 2:
        found = knowing(folder)
        empty_looks = 0 if found else empty_looks + 1
        for identity in found:
            kill(identity)
        assert time.monotonic() < end, f"cannot be killed: {[described(one) for one in found]}"


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # gone, or another user's
        return b""


def _has_open(pid: int, wanted: os.stat_result) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            found = os.stat(f"{folder}/{name}")
        except OSError:
            continue
        if (found.st_ino, found.st_dev) == (wanted.st_ino, wanted.st_dev):
            return True
    return False
