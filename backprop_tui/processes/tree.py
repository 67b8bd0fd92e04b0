"""Who descends from whom, and what a set of processes uses."""

from __future__ import annotations

import os
from collections.abc import Iterable

from backprop_tui.domain.values import dataclass
from backprop_tui.processes.identity import Identity, identify, stat_fields

_SESSION = 3  # field 6
_USER_TICKS, _SYSTEM_TICKS = 11, 12  # fields 14 and 15 of proc(5)'s /proc/PID/stat, counted after the name
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeUsage:
    """CPU seconds used so far by the processes that live now, and their RAM with shared pages counted once."""

    cpu_seconds: float
    ram_bytes: int
    processes: int


def children(pid: int) -> list[int]:
    """Direct children, of every thread; empty for a process that is gone. See proc(5), /proc/PID/task/TID/children."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found.extend(int(word) for word in file.read().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def descendants(pid: int) -> list[int]:
    """All below `pid`, parents first; processes that vanish during the walk are left out or in."""
    found: list[int] = []
    seen = {pid}
    waiting = [pid]
    while waiting:
        for child in children(waiting.pop()):
            if child not in seen:
                seen.add(child)
                found.append(child)
                waiting.append(child)
    return found


def with_marker(marker: bytes) -> list[int]:
    """Processes of this user that were started with `NAME=value` in their environment: a scan of all of /proc."""
    found: list[int] = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if marker in file.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            continue  # gone, or another user's
    return found


def in_session(leader: Identity) -> list[int]:
    """Processes of the session that `leader` began, itself too; none where its pid means another process by now."""
    if identify(leader.pid) not in (None, leader):
        return []
    found: list[int] = []
    for name in os.listdir("/proc"):
        fields = stat_fields(int(name)) if name.isdigit() else None
        if fields is not None and int(fields[_SESSION]) == leader.pid:
            found.append(int(name))
    return found


def usage(pids: Iterable[int]) -> TreeUsage:
    """What these processes use; those that vanished count nothing.

    Shared pages (data loader workers share their parent's) count once: the sum of the private pages and the largest
    shared part, from proc(5)'s statm, because adding up PSS costs the run milliseconds of its memory lock.
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
    return TreeUsage(cpu_seconds=ticks / _TICKS_PER_SECOND, ram_bytes=(private + shared) * _PAGE_BYTES, processes=count)


def _resident_pages(pid: int) -> tuple[int, int] | None:
    """Resident pages, and those of them that are shared."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            words = file.read().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(words[1]), int(words[2])
