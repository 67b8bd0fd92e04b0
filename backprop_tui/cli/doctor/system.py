"""Python, kernel, control groups: what runs stand on."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping

from backprop_tui.cli.doctor.findings import Finding, bad, ok, warn
from backprop_tui.cli.interpreter import usual_interpreter
from backprop_tui.domain.errors import NotFound
from backprop_tui.domain.formatting import plain
from backprop_tui.domain.telemetry import HostReading
from backprop_tui.presentation import numbers
from backprop_tui.probes.cgroups import Cgroups

LEAST_KERNEL = (5, 4)  # pidfds that can be polled and waited for
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - only looked at
LEAST_SHARED_BYTES = 1_000_000_000


def look_at_python(directory: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The Python that runs this program, and the one that would run scripts of a directory."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield ok("python", f"{version}, {sys.executable}")
    try:
        found = usual_interpreter(os.path.join(directory, "train.py"), environment)
    except NotFound as error:
        yield warn("scripts", str(error), "activate the environment to train in, or set run.python")
    else:
        yield ok("scripts", f"of this directory run by {found.path}: {found.origin}")


def look_at_kernel(release: str, proc: str = "/proc") -> Iterator[Finding]:
    """What a guardian needs of Linux; `release` is as uname(1) says it."""
    advice = f"Linux {LEAST_KERNEL[0]}.{LEAST_KERNEL[1]} or newer is needed"
    if _version(release) < LEAST_KERNEL:
        yield bad("kernel", f"Linux {release} is too old", advice)
    elif not _has_pidfds():
        yield bad("kernel", f"Linux {release} refuses pidfds", f"{advice}, and a sandbox that allows pidfd_open(2)")
    else:
        yield ok("kernel", f"Linux {release}")
    if not os.path.exists(f"{proc}/self/task/{os.getpid()}/children"):
        yield bad(
            "proc", f"{proc} does not tell children", f"mount {proc}, with a kernel that has CONFIG_PROC_CHILDREN"
        )


def _version(release: str) -> tuple[int, ...]:
    numbers = release.replace("-", ".").split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdecimal())


def _has_pidfds() -> bool:
    try:
        descriptor = os.pidfd_open(os.getpid())
    except OSError:
        return False
    try:
        signal.pidfd_send_signal(descriptor, 0)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def look_at_memory(host: HostReading, *, min_free_bytes: int, cgroups: Cgroups | None = None) -> Iterator[Finding]:
    """Whether there is as much RAM as runs are kept waiting for."""
    limits = [limit for limit, _ in (cgroups or Cgroups(proc="/proc", mount="/sys/fs/cgroup")).memory()]
    total, free = host.ram_total_bytes, host.ram_available_bytes
    if total is None or free is None:
        yield warn("memory", "cannot be read", "runs start one at a time until /proc/meminfo can be read")
        return
    limited = " by the control group" if limits and min(limits) <= total else ""
    message = f"{numbers.size(free)} of {numbers.size(total)} free{limited}"
    keeps = f"min_free_ram_gb keeps {numbers.size(min_free_bytes)}"
    lower = f"backprop-tui config set min_free_ram_gb {plain(total / 4e9)}"
    if 0 < total <= min_free_bytes:
        yield bad("memory", f"{message}: no run ever starts, {keeps}", lower)
    elif free < min_free_bytes:
        yield warn("memory", f"{message}: runs wait now, {keeps}", f"end what uses it, or: {lower}")
    else:
        yield ok("memory", message)


def look_at_cores(host: HostReading) -> Iterator[Finding]:
    """Cores that may be used, where these are fewer than there are."""
    count, cores = os.cpu_count() or 1, host.cores or 1.0
    limited = f" of {count}: by affinity or the control group" if cores < count else ""
    yield ok("cores", f"{plain(cores)}{limited}")


def look_at_shared_memory(path: str = SHARED_MEMORY) -> Iterator[Finding]:
    """Containers have 64 MB of it unless told otherwise, and data loaders die of that."""
    if not os.path.isdir(path):
        yield warn("shm", f"there is no {path}", "data loaders with workers need it: mount a tmpfs there")
        return
    total = shutil.disk_usage(path).total
    if total < LEAST_SHARED_BYTES:
        advice = "data loaders with workers may die of a bus error: a container needs --shm-size=8g or --ipc=host"
        yield warn("shm", f"{path} has {numbers.size(total)}", advice)
    else:
        yield ok("shm", f"{path} has {numbers.size(total)}")
