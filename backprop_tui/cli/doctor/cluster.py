"""Slurm: whether its commands answer here, and whether the store is one that several machines can share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

from backprop_tui.cli.doctor import Finding, Level, bad, ok, warn
from backprop_tui.cli.doctor.state import MOUNTS, Mount, mount_of
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.run import SLURM, Run
from backprop_tui.domain.status import Status
from backprop_tui.launchers.slurm import Slurm, is_installed
from backprop_tui.processes.linux import existing_directory
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import last_sign
from backprop_tui.store.locks import is_locked
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import marked_views

SIGN_SECONDS = 30.0  # a guardian writes every ten
_SAFE = "jobs are safe all the same: each attempt is claimed by a hard link, which needs no locks"
_ONE_MACHINE = "use one login machine at a time, or have it mounted with locks that reach other machines"
# What a mount says about flock(2) between machines. See nfs(5), mount.lustre(8) and ceph(8).
_LOCAL = ("nolock", "local_lock=all", "local_lock=flock", "localflock", "noflock")


def check_cluster(home: Home, launcher: str, environment: Mapping[str, str], mounts: str = MOUNTS) -> Iterator[Finding]:
    """Nothing where there is no Slurm and none is asked for."""
    if not is_installed(environment):
        if launcher == SLURM:
            advice = "log in to a machine of the cluster, or: backprop-tui config set run.launcher local"
            yield bad("slurm", "run.launcher is slurm, and sbatch is not on PATH", advice)
        return
    slurm = Slurm(environment=environment)
    answers = list(_check_answers(slurm))
    if launcher != SLURM and any(finding.level is Level.BAD for finding in answers):
        return  # Slurm's commands are installed, and nobody has set them up
    yield from answers
    yield _check_reach(home, mount_of(existing_directory(home.root), mounts))


def _check_answers(slurm: Slurm) -> Iterator[Finding]:
    try:
        partitions = slurm.partitions()
        jobs = len(slurm.queue())
    except BackpropError as error:
        yield bad("slurm", error.message, error.hint or "ask who runs the cluster; runs for it wait until it answers")
        return
    if not partitions:
        yield bad("slurm", "no partition that you may use", "ask who runs the cluster for access")
        return
    yield ok("slurm", f"answers; jobs of yours in its queue: {jobs}")
    yield ok("partitions", "; ".join(partitions))


def _check_reach(home: Home, mount: Mount | None) -> Finding:
    """Whether locks of the store reach other machines: by a run of one of them, else by how the store is mounted."""
    tried = _try_reach(home)
    if tried is not None:
        run, is_held = tried
        if is_held:
            return ok("shared store", f"locks reach other machines: that of run {run.id} on {run.host} is seen here")
        message = f"locks seem not to reach other machines: run {run.id} on {run.host} runs, and its lock is free here"
        return warn("shared store", f"{message}; {_SAFE}", _ONE_MACHINE)
    if mount is None:
        return ok("shared store", f"unknown whether the nodes see {home.root}")
    local = [option for option in _LOCAL if option in mount.options]
    if not mount.is_network:
        message = f"{mount.kind}: a local disk, which the nodes see only if this machine exports it"
        return warn("shared store", message, "set BACKPROP_HOME to a directory that all nodes see under the same path")
    if local:
        message = f"{mount.kind} with {local[0]}: locks do not reach other machines; {_SAFE}"
        return warn("shared store", message, _ONE_MACHINE)
    if _locks_reach(mount):
        return ok("shared store", f"{mount.kind}: locks reach other machines")
    return ok("shared store", f"{mount.kind}: unknown whether locks reach other machines; {_SAFE}")


def _try_reach(home: Home) -> tuple[Run, bool] | None:
    """A run whose guardian works on another machine, and whether its lock is seen to be held; None if there is none."""
    for view in marked_views(home):
        directory = RunDirectory(home.run_folder(view.run.id))
        is_held = is_locked(directory.lock_path)
        with suppress(BackpropError):
            run = directory.read()  # again, and afterwards: it may have ended meanwhile
            is_working = run.status is Status.RUNNING and time.time() - last_sign(home, run) < SIGN_SECONDS
            if is_working and run.host != home.host:
                return run, is_held
    return None


def _locks_reach(mount: Mount) -> bool:
    """Whether a mount without an option for local locks is known to share them with other machines."""
    says_so = not mount.options.isdisjoint({"flock", "local_lock=none"})
    is_version_4 = mount.kind.startswith("nfs") and any(option.startswith("vers=4") for option in mount.options)
    return says_so or is_version_4 or mount.kind in ("nfs4", "ceph", "gpfs")
