"""All processes of a run, including those in other sessions: finds, signals, freezes and kills them."""

from __future__ import annotations

import os
import signal
import time

from backprop_tui.domain.live import Leftover, list_leftovers
from backprop_tui.processes.identity import DEAD_STATES, Identity, identify, is_alive, send_signal, state_of
from backprop_tui.processes.inspection import Inspected, inspect, readers_of_others, short_command
from backprop_tui.processes.linux import is_subreaper_refused
from backprop_tui.processes.tree import descendants, in_session, run_marker, with_marker
from backprop_tui.processes.users import user_name
from backprop_tui.runner.script import ScriptProcess

STOPPED_STATES = (b"T", b"t")
WALK_SECONDS = 0.01
FREEZE_SECONDS = 2.0


class Tree:
    """The script, its descendants and, after an adoption, all processes with the run's marker or in its session."""

    def __init__(self, script: ScriptProcess | None, run_folder: str, leader: Identity | None = None) -> None:
        """`script` None: it is gone, and only what it left behind is found; `leader` is its identity, if known."""
        self._script = script
        self._leader = leader if script is None else script.identity
        self._marker = run_marker(run_folder)
        self._everywhere = script is None or script.adopted or is_subreaper_refused()
        self._unsignalled_readers: set[Identity] = set()
        self.wait_statuses: dict[int, int] = {}  # of noted orphans that this process has reaped
        self.noted: frozenset[int] = frozenset()  # pids whose exit status is of interest
        # Processes that are not ended, and why: we may not signal those of other users, as of sudo.
        self.left: dict[Identity, tuple[Leftover, str]] = {}

    def search_everywhere(self) -> None:
        """Also finds processes by marker and session: some may be orphaned while this process is no subreaper."""
        self._everywhere = True

    def members(self) -> list[Identity]:
        """Every living process of the run that may be signaled. Reaps our own zombies."""
        self.reap()
        members: dict[int, Identity] = {}
        for pid in self.pids():
            identity = identify(pid)
            if identity is not None and identity not in self.left and state_of(pid) not in DEAD_STATES:
                members[pid] = identity
        return list(members.values())

    def inspect(self) -> dict[int, Inspected]:
        """Inspects every living process of the run that may be signaled; by pid. Reaps our own zombies."""
        self.reap()
        inspected = inspect(self.pids())
        return {pid: process for pid, process in inspected.items() if process.identity not in self.left}

    def signal(self, identity: Identity, number: int) -> None:
        """Signals one process; one of another user is left from now on."""
        try:
            send_signal(identity, number)
        except PermissionError:
            leftover = Leftover(pid=identity.pid, command=_foreign_command(identity.pid))
            self.left[identity] = leftover, "could not be signaled: not permitted"

    def leave_script(self, reason: str) -> None:
        """Counts the script as left, since it was killed and cannot die."""
        if self._leader is not None and self._leader not in self.left:
            self.left[self._leader] = Leftover(pid=self._leader.pid, command="the script"), reason

    def left_note(self) -> str | None:
        """Which processes are left, and why; None if there are none."""
        by_reason: dict[str, list[Leftover]] = {}
        for identity, (leftover, reason) in self.left.items():
            if is_alive(identity):
                by_reason.setdefault(reason, []).append(leftover)
        return "; ".join(f"{list_leftovers(tuple(left))} {reason}" for reason, left in by_reason.items()) or None

    @property
    def is_script_left(self) -> bool:
        return self._leader in self.left

    def pids(self) -> set[int]:
        """The processes of the run, dead ones included; may be called in another thread."""
        # This process is a subreaper: all orphans of the script become its children.
        pids = set(descendants(os.getpid()))
        script = self._script
        if script is not None and script.adopted and not script.is_reaped:
            pids |= {script.identity.pid, *descendants(script.identity.pid)}
        if self._everywhere:
            # Orphans from before the adoption are children of another subreaper.
            pids |= set(with_marker(self._marker))
            pids |= set() if self._leader is None else set(in_session(self._leader))
        return pids - {os.getpid()}

    def reap(self) -> None:
        """Reaps every dead child; otherwise a script that forks fast would fill the tree with zombies."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.noted:
                self.wait_statuses[pid] = status
            script = self._script
            if script is not None and not script.adopted and pid == script.identity.pid:
                script.mark_reaped(status)

    def signal_group(self, number: int) -> None:
        """Signals the script's process group; once the script is dead, the groups of what it left running.

        Processes that read the output of others, such as tee, are signaled after those have ended, by
        `signal_readers`: a script that prints to a broken pipe dies before it has saved.
        """
        processes = self.inspect()
        group = self._group(processes)
        readers = readers_of_others(group)
        self._unsignalled_readers = readers
        if not readers and self._script is not None and not self._script.has_died():
            self._signal_own_group(number)
            return
        for process in group:
            if process.identity not in readers:
                self.signal(process.identity, number)

    def signal_readers(self, number: int) -> None:
        """Signals the processes that `signal_group` left out and that no longer read from others."""
        if self._unsignalled_readers:
            processes = self.inspect().values()
            left = self._unsignalled_readers & {process.identity for process in processes}
            readers = readers_of_others(processes)
            for identity in left - readers:
                self.signal(identity, number)
            self._unsignalled_readers = left & readers

    def _group(self, processes: dict[int, Inspected]) -> list[Inspected]:
        script = self._script
        groups = set() if self._leader is None else {self._leader.pid}
        if script is None or script.has_died():
            groups |= {process.group for process in processes.values() if process.parent not in processes}
        return [process for process in processes.values() if process.group in groups]

    def _signal_own_group(self, number: int) -> None:
        """All of the group at once. Its leader is not reaped, so the group id still is the script's."""
        if self._script is None or self._script.has_died():
            return
        try:
            os.killpg(self._script.identity.pid, number)
        except ProcessLookupError:
            return  # it died at this moment
        except PermissionError:  # for all of them
            for process in self._group(self.inspect()):
                self.signal(process.identity, number)

    def signal_all(self, number: int) -> None:
        """Signals every living process of the run."""
        for member in self.members():
            self.signal(member, number)

    def terminate(self) -> None:
        """Sends SIGTERM to every process, except those that read the output of others and end after them."""
        processes = self.inspect()
        for identity in {process.identity for process in processes.values()} - readers_of_others(processes.values()):
            self.signal(identity, signal.SIGTERM)

    def freeze(self) -> bool:
        """Stops every process, until two walks find none running; False if some did not stop in time."""
        self._signal_own_group(signal.SIGSTOP)
        end = time.monotonic() + FREEZE_SECONDS
        quiet_walks = 0
        while quiet_walks < 2:
            running = [member for member in self.members() if state_of(member.pid) not in STOPPED_STATES]
            quiet_walks = 0 if running else quiet_walks + 1
            for member in running:
                self.signal(member, signal.SIGSTOP)
            if running:
                if time.monotonic() > end:
                    return False
                time.sleep(WALK_SECONDS)
        return True

    def thaw(self) -> None:
        self.signal_all(signal.SIGCONT)

    def kill_remaining(self, *, grace_seconds: float) -> list[int]:
        """Ends what the dead script left behind: TERM, grace, KILL; returns the pids that could not be killed."""
        if not self.members() and not self.members():
            return []
        self.terminate()
        self.thaw()
        self._wait_until_empty(grace_seconds)
        return self.kill()

    def kill(self) -> list[int]:
        """Kills every process, until two walks in a row find none; returns the pids that did not die in time."""
        end = time.monotonic() + FREEZE_SECONDS
        empty_walks = 0
        while empty_walks < 2:
            members = self.members()
            empty_walks = 0 if members else empty_walks + 1
            for member in members:
                self.signal(member, signal.SIGKILL)
            if members:
                if time.monotonic() > end:
                    return [member.pid for member in members]
                time.sleep(WALK_SECONDS)
        return []

    def _wait_until_empty(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.members():
            time.sleep(WALK_SECONDS)


def _foreign_command(pid: int) -> str:
    """`sleep 97 of root`."""
    process = inspect([pid]).get(pid)
    try:
        owner = user_name(os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        owner = "another user"
    return f"{'a process' if process is None else short_command(process)} of {owner}"
