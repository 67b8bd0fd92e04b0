"""Measures how long a command takes from spawn to exit, and the CPU time of another process."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

MILLISECONDS = 1000.0


def spawn(command: Sequence[str], environment: Mapping[str, str], *, stdout: str = os.devnull) -> int:
    """Starts a process without stderr and returns its pid.

    posix_spawn takes as long for a large parent as for a small one.
    """
    return os.posix_spawnp(
        command[0],
        list(command),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
    )


def seconds(command: Sequence[str], environment: Mapping[str, str], *, stdout: str = os.devnull) -> float:
    """Runs a command to its end and returns how long it took.

    Raises:
        RuntimeError: it failed, so its time means nothing.
    """
    start = time.perf_counter()
    pid = spawn(command, environment, stdout=stdout)
    status = os.waitpid(pid, 0)[1]
    elapsed = time.perf_counter() - start
    exit_code = os.waitstatus_to_exitcode(status)
    if exit_code != 0:
        raise RuntimeError(f"exit code {exit_code} of {' '.join(command)}")
    return elapsed


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time of all threads of a process so far, with nanosecond resolution.

    Raises:
        OSError: the process has exited.
    """
    # clock_getcpuclockid(3) explains the number of a process's clock.
    cpu_clock_of_scheduler = 2  # CPUCLOCK_SCHED in the kernel's include/linux/posix-timers_types.h
    return time.clock_gettime((~pid << 3) | cpu_clock_of_scheduler)


def main_thread_seconds(pid: int) -> float:
    """Returns the CPU time of a process's main thread so far; exact while that thread waits.

    Raises:
        OSError: the process has exited.
    """
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9
