"""Finds and kills the processes of a test's store, by their environment and open files."""

from __future__ import annotations

import os
import re
import select
import signal
import time

from backprop_tui.processes.identity import Identity, identify, is_alive, open_pidfd

KILL_SECONDS = 5.0


def exit_codes_are_public() -> bool:
    """Whether a pidfd gives the exit status of a process that is no child: since Linux 6.15, see linux/pidfd.h."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(re.sub(r"\D.*", "", minor))) >= (6, 15)


def with_environment(text: str) -> list[Identity]:
    """Living processes, apart from this one, whose environment at their start contained this text."""
    marker = os.fsencode(text)
    identities = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        identity = identify(int(name))
        if identity is not None and marker in _read(f"/proc/{name}/environ") and is_alive(identity):
            identities.append(identity)
    return identities


def describe(identity: Identity) -> str:
    """Pid, name and command line."""
    command = _read(f"/proc/{identity.pid}/cmdline").replace(b"\0", b" ").decode(errors="replace")
    return f"{identity.pid} [{comm(identity.pid)}] {command}"


def comm(pid: int) -> str:
    """The name that `ps -o comm` shows; empty if the process is gone."""
    return _read(f"/proc/{pid}/comm").decode(errors="replace").strip()


def parent(pid: int) -> int | None:
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"PPid:"):
            return int(line.split()[1])
    return None


def holders(path: str, among: list[Identity]) -> list[Identity]:
    """The processes that have the file open."""
    try:
        target = os.stat(path)
    except FileNotFoundError:
        return []
    return [identity for identity in among if _has_open(identity.pid, target)]


def watches(watcher: Identity, watched: Identity) -> bool:
    """Whether a process has a pidfd of another one."""
    folder = f"/proc/{watcher.pid}/fdinfo"
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    return any(b"\nPid:\t%d\n" % watched.pid in _read(f"{folder}/{name}") for name in names)


def kill(identity: Identity, number: int = signal.SIGKILL) -> bool:
    """Signals exactly this process; returns whether it existed. After SIGKILL it is dead when this returns."""
    pidfd = open_pidfd(identity)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, number)
        if number == signal.SIGKILL:
            dead = select.poll()
            dead.register(pidfd, select.POLLIN)
            assert dead.poll(KILL_SECONDS * 1000), f"cannot be killed: {describe(identity)}"
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def kill_processes_of_store(folder: str) -> None:
    """Kills until two searches in a row find none: a guardian may start a supervisor while it is being killed.

    A process that has just been started has no environment for a moment.
    """
    end = time.monotonic() + KILL_SECONDS
    empty_searches = 0
    while empty_searches < 2:
        identities = with_environment(folder)
        empty_searches = 0 if identities else empty_searches + 1
        for identity in identities:
            kill(identity)
        if empty_searches == 1:
            time.sleep(0.01)
        assert time.monotonic() < end, f"cannot be killed: {[describe(identity) for identity in identities]}"


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # gone, or another user's
        return b""


def _has_open(pid: int, target: os.stat_result) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            status = os.stat(f"{folder}/{name}")
        except OSError:
            continue
        if (status.st_ino, status.st_dev) == (target.st_ino, target.st_dev):
            return True
    return False
