"""The state directory: the path of every file in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from backprop_tui.domain.errors import StateUnavailable, Untrusted, UsageError
from backprop_tui.processes.users import (
    ALLOW_SHARED,
    foreign_owner,
    replaceable_by,
    run_as,
    shared_with,
    user_name,
    why_closed,
)
from backprop_tui.store.files import failure, set_aside

_ELSEWHERE = "set BACKPROP_HOME to a directory you can write"
_TRUST = f"set BACKPROP_HOME to a directory that only you can write; {ALLOW_SHARED}=1 uses it all the same"
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_run_id(run_id: str) -> None:
    """Checks that an id can be the name of a directory on every file system. Raises: UsageError."""
    if not RUN_ID.fullmatch(run_id):
        rule = "use 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit"
        raise UsageError(f"--run-id {run_id!r} cannot be the name of a directory", rule)


class Home:
    """The paths of a state directory, and of the files that belong to one host in it."""

    def __init__(self, root: str, host: str) -> None:
        self.root = os.path.abspath(root)
        self.host = host
        self._unreadable: dict[str, Mapping[str, str]] = {}  # by file the reasons by id

        # Shared by all hosts.
        self.runs = os.path.join(self.root, "runs")  # the directories of the runs, named by run id
        self.removed = os.path.join(self.runs, ".removed")  # runs that are removed and not deleted yet
        self.active = os.path.join(self.root, "active")  # a marker for each run that is unfinished or not yet indexed
        self.new = os.path.join(self.root, "new")  # runs under construction; those of killed front ends are deleted
        self.keys = os.path.join(self.root, "keys")  # for each submission key the ids of the runs it created
        self.index = os.path.join(self.root, "experiments.json")
        self.recent = os.path.join(self.root, "recent.json")  # the newest ended runs: small, so that `list` is fast
        self.index_lock = os.path.join(self.root, "index.lock")
        self.commands = os.path.join(self.root, "commands.json")  # the newest commands that were queued, newest first
        self.faults = os.path.join(self.root, "faults.log")  # tracebacks of internal errors of front ends

        # Of this host alone.
        self.host_folder = os.path.join(self.root, "hosts", host)
        self.supervisor_lock = self.host_file("supervisor.lock")  # the lease, signed with its holder's pid and boot id
        self.supervisor_log = self.host_file("supervisor.log")
        self.bell = self.host_file("bell")  # the FIFO by which front ends wake the supervisor
        self.failures = self.host_file("failures")  # which of our processes keep failing, and why
        self.readings = self.host_file("readings.json")  # the sampler's newest readings of host and GPUs
        self.histories = self.host_file("histories.json")  # its means of the last hour
        self.sampler_log = self.host_file("sampler.log")
        self.governor = self.host_file("governor.json")  # its last decisions, and why each queued run waits
        self.queue_held = self.host_file("queue-held")  # exists while the user holds the queue
        self.start_tokens = self.host_file("tokens")  # the token bucket of the start rate
        self.vram_history = self.host_file("learned.json")  # peak VRAM of earlier runs, by command
        self.last_seen = self.host_file("looked-at")  # modified when somebody last looked at a dashboard; empty
        self.pane_rule = self.host_file("panes.json")  # where the user put the rule between the dashboard's panes
        self.seen_failures = self.host_file("seen-failures.json")  # failures of the last day that were looked at
        self.list_choices = self.host_file("run-list.json")  # columns and order of the dashboard's runs
        self.notified_ends = self.host_file("told-ends")  # ends for which the notification command was started

    def foreign_owner(self) -> int | None:
        """The user whose store this is, if we are root and it is not root's: then nothing is written into it.

        A store that does not exist yet would be made in that user's home, unless BACKPROP_HOME says where.
        """
        if "BACKPROP_HOME" in os.environ and not os.path.isdir(self.root):
            return None
        return foreign_owner(self.root)

    def require_private(self) -> None:
        """Raises: Untrusted, if a user other than root could change what is in the store."""
        if self.foreign_owner() is not None:
            return  # root only looks
        for folder in (self.root, *self._folders()):
            reason = shared_with(folder)
            if reason is not None:
                is_own = os.stat(folder).st_uid == os.geteuid()
                raise Untrusted(
                    f"state directory {folder}: it {reason}", f"chmod go-w {folder}, or {_TRUST}" if is_own else _TRUST
                )
        above = replaceable_by(self.root)
        if above is not None:
            problem = f"state directory {self.root}: everybody could replace it, since all may write to {above}"
            raise Untrusted(problem, _TRUST)

    def _folders(self) -> tuple[str, ...]:
        return (self.runs, self.active, self.new, self.keys, os.path.dirname(self.host_folder), self.host_folder)

    def require_own(self) -> None:
        """Raises: Untrusted, and StateUnavailable if we are root and the store is another user's."""
        self.require_private()
        owner = self.foreign_owner()
        if owner is not None:
            raise StateUnavailable(
                f"state directory {self.root} belongs to {user_name(owner)}, who could not access files of root",
                f"{run_as(owner)} backprop-tui ..., or set BACKPROP_HOME to a directory of root",
            )

    def prepare(self) -> None:
        """Creates the directories, accessible to their owner only. Raises: StateUnavailable."""
        self.require_own()
        for folder in (self.root, *self._folders()):
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
                is_replaceable = folder in (self.new, self.host_folder)
                if is_replaceable and not _is_writable(folder) and set_aside(folder, is_folder=True):
                    os.makedirs(folder, mode=0o700, exist_ok=True)
            except OSError as error:
                raise StateUnavailable(f"state directory {failure(folder, error).message}", _ELSEWHERE) from error
            if not _is_writable(folder):
                reason, command = why_closed(folder)
                problem = f"state directory {self.root}: {folder} is not writable by you, {reason}"
                raise StateUnavailable(problem, f"{command}, or {_ELSEWHERE}")

    @property
    def unreadable(self) -> dict[str, str]:
        """Why records were left out when they were read last, by their ids; nothing of them is changed."""
        return {key: reason for reasons in self._unreadable.values() for key, reason in reasons.items()}

    def set_unreadable(self, path: str, reasons: Mapping[str, str]) -> None:
        """Notes which records in a file were left out when it was read, and why; none: all could be read."""
        if reasons:
            self._unreadable[path] = reasons
        else:
            self._unreadable.pop(path, None)

    def unreadable_report(self) -> str | None:
        """How many records are left out, and why the first of them is; None if all could be read."""
        reasons = list(self.unreadable.values())
        if len(reasons) > 1:
            return f"{len(reasons)} unreadable records, which backprop-tui doctor lists, such as {reasons[0]}"
        return f"1 unreadable record: {reasons[0]}" if reasons else None

    def host_file(self, name: str) -> str:
        return os.path.join(self.host_folder, name)

    def run_folder(self, run_id: str) -> str:
        return os.path.join(self.runs, run_id)

    def marker(self, run_id: str) -> str:
        """The marker of a run in `active`."""
        return os.path.join(self.active, run_id)

    def monthly_index(self, month: str) -> str:
        """The index of older runs of a month, such as "2026-01"."""
        return os.path.join(self.root, f"experiments-{month}.json")

    def replaced_index(self, reason: str) -> str:
        """Where an index is kept before a new one replaces it."""
        return os.path.join(self.root, f"experiments.{reason}.json")


def _is_writable(folder: str) -> bool:
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK)
