"""Finds related processes, and measures what they use together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable
from functools import cache

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.identity import DEAD_STATES, Identity, identify, stat_fields, state_of
from backprop_tui.processes.kernel_files import read_kernel_file

_PARENT, _SESSION = 1, 3  # fields 4 and 6
_USER_TICKS, _SYSTEM_TICKS = 11, 12  # fields 14 and 15 of proc(5)'s /proc/PID/stat, counted after the name
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
REAP_DELAY_SECONDS = 2.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class TreeUsage:
    """CPU seconds used so far by the processes alive now, and their RAM with shared pages counted once."""

    cpu_seconds: float
    ram_bytes: int
    processes: int


@cache
def lists_children() -> bool:
    """Whether the kernel lists the children of a process (CONFIG_PROC_CHILDREN); it does not change while it runs."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb"):
            return True
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Returns the children of all threads; empty if the process is gone. See proc(5), /proc/PID/task/TID/children."""
    if not lists_children():
        return _children_by_parent().get(pid, [])
    pids: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return pids
    for thread in threads:
        try:
            pids += map(int, read_kernel_file(f"/proc/{pid}/task/{thread}/children").split())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return pids


def _children_by_parent() -> dict[int, list[int]]:
    """The children of every process, by a scan of all of /proc: slower, and needed where the kernel does not list them.

    A child whose parent ends during the scan may be missing from it, or be with its new parent.
    """
    by_parent: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        fields = stat_fields(int(name)) if name.isdigit() else None
        if fields is not None:
            by_parent.setdefault(int(fields[_PARENT]), []).append(int(name))
    return by_parent


def descendants(pid: int) -> list[int]:
    """Returns all descendants, parents first; processes that vanish meanwhile may be included or not."""
    by_parent = None if lists_children() else _children_by_parent()
    pids: list[int] = []
    seen = {pid}
    queue = [pid]
    while queue:
        parent = queue.pop()
        for child in children(parent) if by_parent is None else by_parent.get(parent, []):
            if child not in seen:
                seen.add(child)
                pids.append(child)
                queue.append(child)
    return pids


def run_marker(run_folder: str) -> bytes:
    """What the environment of every process of a run has, unless it was cleared."""
    return b"BACKPROP_RUN_DIR=" + os.fsencode(run_folder)


def with_marker(marker: bytes) -> list[int]:
    """Returns processes of this user started with `NAME=value` in their environment, by a scan of all of /proc."""
    pids: list[int] = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if marker in file.read().split(b"\0"):
                    pids.append(int(name))
        except OSError:
            continue  # gone, or another user's
    return pids


def in_session(leader: Identity) -> list[int]:
    """Returns the processes of the session led by `leader`, including it; none if its pid was reused."""
    if identify(leader.pid) not in (None, leader):
        return []
    pids: list[int] = []
    for name in os.listdir("/proc"):
        fields = stat_fields(int(name)) if name.isdigit() else None
        if fields is not None and int(fields[_SESSION]) == leader.pid:
            pids.append(int(name))
    return pids


def usage(pids: Iterable[int]) -> TreeUsage:
    """Measures these processes; those that vanished are not counted.

    Shared pages (data loader workers share their parent's) count once: RAM is the sum of the private pages plus the
    largest shared part, from proc(5)'s statm. PSS would be exact, but reading it holds the run's memory lock for
    milliseconds.
    """
    ticks = private = shared = count = 0
    for pid in pids:
        fields = stat_fields(pid)
        pages = _resident_pages(pid)
        if fields is None or pages is None:
            continue
        count += 1
        ticks += int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
        private += pages[0] - pages[1]
        shared = max(shared, pages[1])
    return TreeUsage(cpu_seconds=ticks / TICKS_PER_SECOND, ram_bytes=(private + shared) * _PAGE_BYTES, processes=count)


def _resident_pages(pid: int) -> tuple[int, int] | None:
    """Returns the resident pages and how many of them are shared."""
    try:
        fields = read_kernel_file(f"/proc/{pid}/statm").split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return int(fields[1]), int(fields[2])


class OrphanReaper:
    """Reaps the zombies that have been dead for two seconds: until then a guardian can read their exit status.

    The script of a run that has not ended stays: another guardian may still have to read its exit status.
    """

    def __init__(self, kept: Callable[[], Collection[int]]) -> None:
        """`kept` returns the pids of such scripts, and of children that others wait for."""
        self._kept = kept
        self._dead_since: dict[int, float] = {}

    def has_work(self) -> bool:
        """Whether there are zombies, as a single system call tells."""
        try:
            return bool(self._dead_since) or os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return False

    def reap(self) -> None:
        now = time.monotonic()
        zombies = [pid for pid in children(os.getpid()) if state_of(pid) in DEAD_STATES]
        self._dead_since = {pid: self._dead_since.get(pid, now) for pid in zombies}
        due = {pid for pid, since in self._dead_since.items() if now - since >= REAP_DELAY_SECONDS}
        for pid in due.difference(self._kept()) if due else ():
            os.waitpid(pid, os.WNOHANG)
            del self._dead_since[pid]
