"""Ends trainings that a shell starts after the stop signal, since the one before exited with 0."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator, Mapping

from backprop_tui.domain.live import Stopping
from backprop_tui.processes.identity import Identity, open_pidfd
from backprop_tui.processes.inspection import Inspected, readers_of_others, short_command
from backprop_tui.processes.tree import TICKS_PER_SECOND
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.tree import Tree

COST_FACTOR = 50.0  # checks use at most 1/50 of a CPU, even if all of /proc must be searched


class LateStarts:
    """Ends trainings that start after the stop signal, and notices when the signaled ones have ended.

    Other commands are left alone: a trap may copy a checkpoint. `descriptor` becomes readable when a training ends.
    """

    def __init__(self, tree: Tree, recorder: Recorder) -> None:
        self._tree = tree
        self._recorder = recorder
        self._trainings = select.epoll()
        self._count: int | None = None  # of trainings that have not ended; None: not known yet
        self._known: set[Identity] = set()  # were running at the signal, or were ended since
        self._ended: set[Identity] = set()
        self._due = 0.0
        self.descriptor = self._trainings.fileno()

    def programs(self) -> tuple[str, ...]:
        """The programs that are running at the stop signal, without shells and helpers."""
        processes = self._tree.inspect()
        self._known = {process.identity for process in processes.values()}
        trainings = list(_trainings(processes))
        self._watch(trainings)
        return tuple(sorted({process.program for process in trainings}))

    def check(self, stopping: Stopping) -> None:
        """Ends what started since the signal and runs one of its programs, and the shell that started it."""
        began = time.monotonic()
        if stopping.signalled_at is None or not stopping.programs or began < self._due:
            return
        processes = self._tree.inspect()
        self._due = began + COST_FACTOR * (time.monotonic() - began)
        first_tick = int(stopping.signalled_at * TICKS_PER_SECOND)
        new = {
            pid
            for pid, process in processes.items()
            if process.identity.start_time >= first_tick and process.identity not in self._known
        }
        if self._count is None:  # the guardian that sent the signal has died
            self._watch(_trainings({pid: process for pid, process in processes.items() if pid not in new}))
        for pid in new:
            self._check_process(processes[pid], processes, new, stopping.programs)

    def have_trainings_ended(self) -> bool:
        """Whether all trainings that were running at the signal have ended."""
        for descriptor, _ in self._trainings.poll(0):
            self._trainings.unregister(descriptor)
            os.close(descriptor)
            self._count = None if self._count is None else self._count - 1
        return self._count == 0

    def _watch(self, trainings: Iterable[Inspected]) -> None:
        descriptors = [descriptor for process in trainings if (descriptor := open_pidfd(process.identity)) is not None]
        for descriptor in descriptors:
            self._trainings.register(descriptor, select.EPOLLIN)
        self._count = len(descriptors)

    def _check_process(
        self, process: Inspected, processes: Mapping[int, Inspected], new: set[int], programs: tuple[str, ...]
    ) -> None:
        shell = _nearest_old_ancestor(new, process, processes)
        if shell is None:
            is_next = process.program in programs
        else:
            is_next = shell.identity in self._ended or (shell.is_sequencer and _is_next(process, shell, programs))
        if not is_next:
            return
        self._known.add(process.identity)
        self._ended.add(process.identity)
        self._recorder.record_event(
            "started_after_stop",
            f"{short_command(process)} (pid {process.pid}) started after the stop signal and was ended",
        )
        for ended in filter(None, (shell, process)):
            self._tree.signal(ended.identity, signal.SIGTERM)


def boot_seconds() -> float:
    """The time since boot, as the start times of processes count it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _trainings(processes: Mapping[int, Inspected]) -> Iterator[Inspected]:
    """Processes that are not shells, helpers, or workers of a process with the same program."""
    readers = readers_of_others(processes.values())
    for process in processes.values():
        parent = processes.get(process.parent)
        is_worker = parent is not None and parent.executable == process.executable
        if not is_worker and not process.is_sequencer and process.identity not in readers:
            yield process


def _nearest_old_ancestor(new: set[int], process: Inspected, processes: Mapping[int, Inspected]) -> Inspected | None:
    """The nearest ancestor from before the signal; None without one, or if one in between is no shell."""
    ancestor = processes.get(process.parent)
    while ancestor is not None and ancestor.pid in new and ancestor.is_sequencer:
        ancestor = processes.get(ancestor.parent)
    return ancestor


def _is_next(process: Inspected, shell: Inspected, programs: tuple[str, ...]) -> bool:
    """Whether a shell's new child is its next training, not a command of its trap."""
    if process.program in programs:
        return True
    executables = {program.partition(" ")[0] for program in programs}
    return process.executable in executables and not shell.runs_with_trap()
