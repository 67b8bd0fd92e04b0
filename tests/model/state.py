"""The state of the model: the files of one run, the processes around it, and the locks that they hold.

Named tuples, because they are hashed and compared a million times. A lock is held as long as any process has its
descriptor, so descriptors are modeled, and a lock is free when no process has one.
"""

from __future__ import annotations

from typing import NamedTuple

# Descriptors, as bits.
LEASE = 1  # lock 1, supervisor.lock: who may admit runs
RUN = 2  # lock 2, runs/<id>/lock: who may write run.json
SCRIPT = 4  # lock 3, runs/<id>/script.lock: the script is alive
BELL = 8  # the read end of the bell: ringing shows whether a process has it
SOCKET = 16  # the fork server's end of the socket: its supervisor reads an end of file when no process has it

NO_PROCESS = 0


class RunJson(NamedTuple):
    """run.json."""

    status: str = "absent"  # absent queued starting running ended
    attempt: int = 0  # the newest attempt, counted from 1
    asked: int = 1  # how often the run was requested: once when queued, and at every resume
    requests_from: int = 0  # requests before this one were made before the last resume
    this_boot: bool = True  # the boot id of the attempt is that of this boot

    @property
    def is_unfinished(self) -> bool:
        return self.status in {"queued", "starting", "running"}


class Request(NamedTuple):
    """A stop in requests.jsonl, with two facts about the moment it was made, which only the invariants read."""

    asked: int
    ends: int


class Disk(NamedTuple):
    """All files."""

    run: RunJson = RunJson()
    durable: RunJson = RunJson()  # what is left of run.json after a power cut
    build: bool = False  # runs/.tmp-<id>, which becomes the run by a rename
    marker: bool = False  # active/<id>
    indexed: bool = False  # experiments.json knows how the run ended
    record: tuple[int, int] | None = None  # script.lock's content: attempt, process id
    intent: int = 0  # live.json: the attempt that is to be stopped
    offset: int = 0  # live.json: requests that were handled
    script_end: int = 0  # live.json: the attempt whose script has ended, with its exit status
    requests: tuple[Request, ...] = ()

    @property
    def has_request(self) -> bool:
        """Whether a stop was not handled yet."""
        return len(self.requests) > max(self.offset, self.run.requests_from)

    @property
    def has_work(self) -> bool:
        """Whether active/ shows work: a marker without a run does not count."""
        return self.marker and self.run.status != "absent"

    def write(self, run: RunJson, *, durably: bool) -> Disk:
        return self._replace(run=run, durable=run if durably else self.durable)


class Process(NamedTuple):
    """A process: its role, the step it takes next, its descriptors, and what it remembers."""

    role: str
    at: str
    holds: int = 0
    family: int = 0  # joins a supervisor and its fork server
    pid: int = NO_PROCESS  # of a script: its own; of a runner: its script's
    attempt: int = 0  # of a script or runner: its attempt; of a stop command: the value of `asked` that it refers to
    task: str = ""  # start or adopt
    then: str = ""  # the step after waking a supervisor; empty: exit
    asked: int = 0  # of a script that waits for the go-ahead: which request of the run its orders are from

    def to(self, at: str, *, take: int = 0, drop: int = 0) -> Process:
        """The process at its next step, with descriptors added or removed."""
        return self._replace(at=at, holds=(self.holds | take) & ~drop)

    def has(self, descriptor: int) -> bool:
        return bool(self.holds & descriptor)


class History(NamedTuple):
    """What happened so far; only for the invariants, no process knows it."""

    execs: tuple[int, ...] = (0, 0, 0)  # of each attempt
    ends: tuple[int, ...] = (0, 0, 0)
    slices: int = 0  # attempts after the first that the run itself queued
    forgotten: bool = False  # an end was written without the exit status that was recorded


class State(NamedTuple):
    """Everything at one moment, and how many faults may still happen."""

    disk: Disk
    processes: tuple[Process, ...]  # sorted, because the order of equal processes does not matter
    history: History = History()
    endless: bool = False  # the script never ends by itself
    leaves: bool = False  # the script may leave a process running
    slices_left: int = 0
    kills_left: int = 0
    power_cuts_left: int = 0
    failures_left: int = 0  # starts that cannot be recorded since the disk is full
    spares_left: int = 0  # runners that may still be forked in advance
    abandoned: bool = False  # the last process that would have continued was killed, so the next command must recover

    def is_free(self, lock: int) -> bool:
        return not any(process.holds & lock for process in self.processes)

    def find(self, role: str, *, family: int) -> Process | None:
        return next((p for p in self.processes if p.role == role and p.family == family), None)

    def expected_script(self, family: int) -> Process | None:
        """The child that has its orders, and waits for the go-ahead of this supervisor."""
        return next((p for p in self.processes if p.at == "awaits_go_ahead" and p.family == family), None)

    def script(self, pid: int) -> Process | None:
        """The script with that process id, also if it is a zombie."""
        return next((p for p in self.processes if p.role == "script" and p.pid == pid), None)

    def is_alive(self, pid: int) -> bool:
        """A zombie counts as dead, and so does a script that has left another process running."""
        script = self.script(pid)
        return script is not None and script.at not in {"zombie", "left"}

    def move(self, before: Process, *after: Process, disk: Disk | None = None) -> State:
        """The state after a process has changed, forked or exited, and has written."""
        processes = list(self.processes)
        processes.remove(before)
        processes.extend(after)
        processes.sort()
        return self._replace(processes=tuple(processes), disk=self.disk if disk is None else disk)

    def recorded_end(self, attempt: int) -> State:
        return self._replace(history=self.history._replace(ends=_incremented(self.history.ends, attempt)))

    def recorded_exec(self, attempt: int) -> State:
        return self._replace(history=self.history._replace(execs=_incremented(self.history.execs, attempt)))


def lowest_unused(used: set[int]) -> int:
    """The smallest unused number; reusing small ones keeps equal states equal."""
    return next(number for number in range(1, len(used) + 2) if number not in used)


def _incremented(counts: tuple[int, ...], attempt: int) -> tuple[int, ...]:
    return (*counts[: attempt - 1], counts[attempt - 1] + 1, *counts[attempt:])
