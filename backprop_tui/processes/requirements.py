"""What this program needs of the kernel, and of the limits that its processes inherit from a shell."""

from __future__ import annotations

import os
import resource
import signal

MIN_OPEN_FILES = 32
MIN_FILE_BYTES = 1 << 20
MIN_MEMORY_BYTES = 128 << 20
MIN_PROCESSES = 16  # threads count too
COUNTED_PROCESSES = 4096  # a higher limit is not compared with how many processes there are

_MINIMA = (
    (resource.RLIMIT_NOFILE, "open files", "-n", MIN_OPEN_FILES, 1),
    (resource.RLIMIT_FSIZE, "KB in a file", "-f", MIN_FILE_BYTES, 1024),
    (resource.RLIMIT_AS, "KB of memory", "-v", MIN_MEMORY_BYTES, 1024),
    (resource.RLIMIT_DATA, "KB of data", "-d", MIN_MEMORY_BYTES, 1024),
)
_RAISED = (*(number for number, *_ in _MINIMA), resource.RLIMIT_NPROC, resource.RLIMIT_CPU)


def unmet_requirement() -> tuple[str, str] | None:
    """What is missing, and what to do about it; None if nothing is."""
    if not os.path.exists("/proc/self/stat"):
        return "/proc is not mounted", "mount -t proc proc /proc"
    if not has_pidfds():
        return "pidfd_open is refused", "Linux 5.4 or newer is needed, and a container engine or sandbox that allows it"
    for number, what, option, least, unit in _MINIMA:
        soft = resource.getrlimit(number)[0]
        if soft != resource.RLIM_INFINITY and soft < least:
            return f"the limit of {soft // unit} {what} is too low", f"raise it first: ulimit {option} {least // unit}"
    return _lack_of_processes()


def _lack_of_processes() -> tuple[str, str] | None:
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if os.geteuid() == 0 or soft == resource.RLIM_INFINITY or soft > COUNTED_PROCESSES:
        return None
    count = _count_threads()
    if soft - count >= MIN_PROCESSES:
        return None
    return f"the limit of {soft} processes is too low: {count} exist", f"raise it first: ulimit -u {count + 64}"


def _count_threads() -> int:
    """How many threads this user has, which is what RLIMIT_NPROC limits."""
    count, uid = 0, os.getuid()
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue  # gone
    return count


def has_pidfds() -> bool:
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


def raise_own_limits() -> None:
    """Raises the limits of this process as far as it may: those of the shell that started it are not meant for it."""
    for number in _RAISED:
        hard = resource.getrlimit(number)[1]
        try:
            resource.setrlimit(number, (hard, hard))
        except (OSError, ValueError):
            continue


def attainable(number: int, soft: int, hard: int) -> tuple[int, int]:
    """These limits, as far as this process may set them: only root may exceed the hard limit that it has."""
    most = resource.getrlimit(number)[1]
    if os.geteuid() == 0:
        return soft, hard
    return min(soft, most, key=_height), min(hard, most, key=_height)


def unattainable(limits: tuple[tuple[str, int, int], ...]) -> str | None:
    """Which soft limits, of those that a shell had, this process cannot set; None if it can set all."""
    lower = []
    for name, soft, hard in limits:
        number = getattr(resource, name, None)
        if number is not None and (limit := attainable(number, soft, hard)[0]) != soft:
            lower.append(f"{name} is {limit} instead of {'unlimited' if soft < 0 else soft}")
    return ", ".join(lower) or None


def _height(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit
