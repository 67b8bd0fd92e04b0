"""The guardian of a run seen from outside: signals for when it cannot be asked by file, and what is wrong with it."""

from __future__ import annotations

import os
import signal

from backprop_tui.domain.live import Live
from backprop_tui.launchers.lease import holds_open
from backprop_tui.processes.identity import state_of
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import RunView

_STOPPED = (b"T", b"t")


def guardian_problem(home: Home, view: RunView) -> str | None:
    """Why nobody looks after the run, or what its guardian cannot do; None if all is well or nothing is known."""
    live = view.live
    if live is None or view.run.host != home.host or live.clock.boot_id != boot_id():
        return None
    lock = RunDirectory(home.run_folder(view.run.id)).lock_path
    if state_of(live.runner_pid) in _STOPPED and holds_open(live.runner_pid, lock):
        return f"guardian stopped, so its timebox is not enforced; backprop-tui continue {view.run.id} wakes it"
    return live.problem


def terminate(directory: RunDirectory, live: Live) -> bool:
    """Sends SIGTERM, which a guardian takes as a request to stop its run; returns whether the guardian was there."""
    return _signal(directory, live.runner_pid, signal.SIGTERM)


def wake_guardian(directory: RunDirectory, live: Live) -> bool:
    """Sends SIGCONT to a guardian that somebody stopped; returns whether it was stopped and there."""
    return state_of(live.runner_pid) in _STOPPED and _signal(directory, live.runner_pid, signal.SIGCONT)


def open_guardian(directory: RunDirectory, pid: int) -> int | None:
    """A pidfd of the process with this pid if it holds the run's lock open, which only its guardian does.

    The check comes after opening: from then on the descriptor cannot mean another process.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, OverflowError, ValueError):
        return None
    if holds_open(pid, directory.lock_path):
        return pidfd
    os.close(pidfd)
    return None


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
