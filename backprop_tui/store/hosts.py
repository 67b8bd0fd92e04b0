"""Runs of other hosts in this store: whether they are this machine's under another name, and when a host was seen."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

from backprop_tui.domain.errors import BackpropError, UsageError
from backprop_tui.domain.lifecycle import is_sliced
from backprop_tui.domain.run import SLURM, Run
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.processes.identity import Identity, is_alive
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home
from backprop_tui.store.locks import is_locked
from backprop_tui.store.run_directory import RunDirectory

SILENT_SECONDS = 120.0  # a supervisor writes every 30 seconds; clocks of machines differ, and networks pause
_HOST = re.compile(r"[^\s/.][^\s/]{0,63}")


def this_host() -> str:
    """The name of this machine in the store: BACKPROP_HOST, else its host name. Raises: UsageError."""
    chosen = os.environ.get("BACKPROP_HOST")
    host = chosen or os.uname().nodename
    if _HOST.fullmatch(host) and host.isprintable():
        return host
    rule = "1 to 64 characters without blanks and slashes, not starting with a dot"
    if chosen:
        raise UsageError(f"BACKPROP_HOST={chosen!r}: use {rule}")
    raise UsageError(f"the host name {host!r} cannot name a directory: set BACKPROP_HOST to another ({rule})")


def belongs_here(home: Home, run: Run) -> bool:
    """Whether the supervisor of this machine manages the run.

    That is also so if the machine had another name when the run was started, as each start of a container has: within
    one boot the locks and the process of the script show that no other supervisor does, and whether the script lives.
    """
    if run.host == home.host:
        return True
    if run.spec.launcher == SLURM:
        return _submits(home, run.host if run.job is None else run.job.host)
    if run.status not in ACTIVE or run.attempt.boot_id != boot_id():
        return False
    if is_locked(Home(home.root, run.host).supervisor_lock):
        return False
    directory = RunDirectory(home.run_folder(run.id))
    script = directory.script_identity()
    if script is not None and is_alive(Identity(script[1], script[2])):
        return True
    return not is_locked(directory.script_lock)  # held by a script in another container: its process is not seen here


def may_write_here(home: Home, run: Run) -> bool:
    """Whether the holder of the lock of an unfinished run may write its record here (unsubmitted_stop_by_request).

    A lock may reach no other machine of a cluster. There the record of a run that waits is written by the machine that
    submits it, the job of its last attempt may submit the next one, and a job that is being submitted may exist.
    """
    if run.spec.launcher != SLURM:
        return True
    is_first = run.status is Status.QUEUED and (run.job is None or run.job.attempt == 0)  # since a person queued it
    directory = RunDirectory(home.run_folder(run.id))
    return is_first and run.current_host == home.host and not directory.is_job_announced(run.next_job_number)


def needs_supervisor(home: Home, run: Run) -> bool:
    """Whether a supervisor of this machine has to look after a marked run.

    A Slurm job needs none while its guardian gives signs of life and no other job may have to follow.
    """
    if not belongs_here(home, run):
        return False
    if run.spec.launcher != SLURM or run.status not in ACTIVE or run.spec.retries or is_sliced(run.spec):
        return True
    return time.time() - last_sign(home, run) > SILENT_SECONDS


def has_work(home: Home) -> bool:
    """Whether a run with a marker needs a supervisor of this machine; unreadable ones do not count."""
    try:
        run_ids = os.listdir(home.active)
    except FileNotFoundError:
        return False
    for run_id in run_ids:
        with suppress(BackpropError):
            if needs_supervisor(home, RunDirectory(home.run_folder(run_id)).read()):
                return True
    return False


def _submits(home: Home, host: str) -> bool:
    """Whether this machine looks after the Slurm jobs that `host` submitted: its own, and those of a silent one."""
    if host == home.host:
        return True
    try:
        return time.time() - os.stat(Home(home.root, host).governor).st_mtime > SILENT_SECONDS
    except FileNotFoundError:
        return True


def last_sign(home: Home, run: Run) -> float:
    """When something was last written for the run, which a guardian does every ten seconds, as a wall time."""
    directory = RunDirectory(home.run_folder(run.id))
    return _last_change(run, directory.record_path, directory.live_path, directory.resources_path)


def seen_at(home: Home, run: Run) -> float:
    """When the run's host last wrote something about itself or this run, as a wall time."""
    host, directory = Home(home.root, run.current_host), RunDirectory(home.run_folder(run.id))
    of_host = (host.governor, host.readings, host.supervisor_lock)
    return _last_change(run, *of_host, directory.live_path, directory.resources_path)


def _last_change(run: Run, *paths: str) -> float:
    times = [run.created_at]
    for path in paths:
        with suppress(OSError):
            times.append(os.stat(path).st_mtime)
    return max(times)


def is_silent(home: Home, run: Run) -> bool:
    """Whether the run's host has not been seen for minutes."""
    return time.time() - seen_at(home, run) > SILENT_SECONDS
