"""Signals to the guardian of a run, for when it cannot be asked by file: it is stopped, or the disk is full."""

from __future__ import annotations

import os
import signal

from backprop_tui.domain.live import Live
from backprop_tui.processes.identity import state_of
from backprop_tui.store.run_directory import RunDirectory

_STOPPED = (b"T", b"t")


def terminate(directory: RunDirectory, live: Live) -> bool:
    """SIGTERM, which a guardian takes as a request to stop its run; says whether the guardian was there."""
    return _signal(directory, live.runner_pid, signal.SIGTERM)


def awaken(directory: RunDirectory, live: Live) -> bool:
    """SIGCONT to a guardian that somebody stopped; says whether it was stopped and there."""
    return state_of(live.runner_pid) in _STOPPED and _signal(directory, live.runner_pid, signal.SIGCONT)


def open_guardian(directory: RunDirectory, pid: int) -> int | None:
    """A pidfd of the process that has `pid` and holds the run's lock open: nobody but its guardian does; None if gone.

    Looked at after opening: from then on the descriptor cannot mean another process.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, OverflowError, ValueError):
        return None
    if _holds_open(pid, directory.lock_path):
        return pidfd
    os.close(pidfd)
    return None


def _holds_open(pid: int, path: str) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        wanted = os.stat(path)
        names = os.listdir(folder)
    except OSError:  # gone, or another user's
        return False
    return any(_is(f"{folder}/{name}", wanted) for name in names)


def _is(path: str, wanted: os.stat_result) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (found.st_ino, found.st_dev) == (wanted.st_ino, wanted.st_dev)


def _signal(directory: RunDirectory, pid: int, number: int) -> bool:
    pidfd = open_guardian(directory, pid)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True
