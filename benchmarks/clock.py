"""How long a process takes, from before it is spawned until it is reaped, and how much CPU another one has used."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What became of one process."""

    seconds: float
    exit_code: int


def spawn(command: Sequence[str], environment: Mapping[str, str], *, stdout: str = os.devnull) -> int:
    """Starts a process and gives its pid; stderr goes nowhere. posix_spawn costs a big parent no more than a small."""
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


def course(command: Sequence[str], environment: Mapping[str, str], *, stdout: str = os.devnull) -> Course:
    """Runs a command to its end."""
    began = time.perf_counter()
    pid = spawn(command, environment, stdout=stdout)
    status = os.waitpid(pid, 0)[1]
    return Course(seconds=time.perf_counter() - began, exit_code=os.waitstatus_to_exitcode(status))


def seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """How long a command takes.

    Raises:
        RuntimeError: it failed, so that its time means nothing.
    """
    found = course(command, environment)
    if found.exit_code != 0:
        raise RuntimeError(f"exit code {found.exit_code} of {' '.join(command)}")
    return found.seconds


def cpu_seconds(pid: int) -> float:
    """What all threads of a process used so far, to the nanosecond; see clock_getcpuclockid(3) for the clock's number.

    Raises:
        OSError: it is gone.
    """
    cpu_clock_of_scheduler = 2  # CPUCLOCK_SCHED in the kernel's include/linux/posix-timers_types.h
    return time.clock_gettime((~pid << 3) | cpu_clock_of_scheduler)
