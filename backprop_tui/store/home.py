"""The state directory: the path of every file in it."""

from __future__ import annotations

import os
import re

from backprop_tui.domain.errors import StateUnavailable, UsageError

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_run_id(run_id: str) -> None:
    """Checks that an id can be the name of a directory.

    Raises:
        UsageError: it cannot, on some file system.
    """
    if not RUN_ID.fullmatch(run_id):
        rule = "use 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit"
        raise UsageError(f"--run-id {run_id!r}: {rule}")


class Home:
    """The paths of a state directory, and of the files that belong to one host in it."""

    __slots__ = ("host", "root")

    def __init__(self, root: str, host: str) -> None:
        self.root = os.path.abspath(root)
        self.host = host

    def prepare(self) -> None:
        """Creates the directories, accessible to their owner only.

        Raises:
            StateUnavailable: they cannot be created or written.
        """
        advice = "set BACKPROP_HOME to a directory you can write"
        try:
            for folder in (
                self.root,
                self.runs,
                self.active,
                self.new,
                self.keys,
                os.path.dirname(self.host_folder),
                self.host_folder,
            ):
                os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise StateUnavailable(f"state directory {self.root}: {error.strerror}; {advice}") from error
        if not os.access(self.runs, os.W_OK | os.X_OK):
            raise StateUnavailable(
                f"state directory {self.root}: not writable; set BACKPROP_HOME to a directory you can write"
            )

    # Shared by all hosts

    @property
    def runs(self) -> str:
        """The directories of the runs, named by run id."""
        return os.path.join(self.root, "runs")

    @property
    def active(self) -> str:
        """An empty marker for each run that is unfinished or not yet indexed."""
        return os.path.join(self.root, "active")

    @property
    def new(self) -> str:
        """Runs under construction; old entries were left by killed front ends and are swept."""
        return os.path.join(self.root, "new")

    @property
    def keys(self) -> str:
        """For each submission key the ids of the runs it created."""
        return os.path.join(self.root, "keys")

    @property
    def index(self) -> str:
        """The index of all runs."""
        return os.path.join(self.root, "experiments.json")

    @property
    def recent(self) -> str:
        """The newest ended runs: a small file, so that `list` is fast."""
        return os.path.join(self.root, "recent.json")

    @property
    def index_lock(self) -> str:
        """Held while the index is written."""
        return os.path.join(self.root, "index.lock")

    @property
    def faults(self) -> str:
        """Tracebacks of internal errors of front ends."""
        return os.path.join(self.root, "faults.log")

    def monthly_index(self, month: str) -> str:
        """The index of older runs of a month, such as "2026-01"."""
        return os.path.join(self.root, f"experiments-{month}.json")

    def replaced_index(self, reason: str) -> str:
        """Where an index is kept before a new one replaces it."""
        return os.path.join(self.root, f"experiments.{reason}.json")

    def run_folder(self, run_id: str) -> str:
        return os.path.join(self.runs, run_id)

    def marker(self, run_id: str) -> str:
        """The marker of a run in `active`."""
        return os.path.join(self.active, run_id)

    # Of this host alone

    @property
    def host_folder(self) -> str:
        return os.path.join(self.root, "hosts", self.host)

    def host_file(self, name: str) -> str:
        return os.path.join(self.host_folder, name)

    @property
    def supervisor_lock(self) -> str:
        """The lease: held by the one supervisor, and signed with its pid and boot id."""
        return self.host_file("supervisor.lock")

    @property
    def supervisor_log(self) -> str:
        return self.host_file("supervisor.log")

    @property
    def bell(self) -> str:
        """The FIFO by which front ends wake the supervisor."""
        return self.host_file("bell")

    @property
    def readings(self) -> str:
        """The sampler's newest readings of host and GPUs."""
        return self.host_file("readings.json")

    @property
    def sampler_log(self) -> str:
        return self.host_file("sampler.log")

    @property
    def governor(self) -> str:
        """What the governor decided last, and why each queued run waits."""
        return self.host_file("governor.json")

    @property
    def queue_held(self) -> str:
        """Exists while the user holds the queue."""
        return self.host_file("queue-held")

    @property
    def start_tokens(self) -> str:
        """The token bucket of the start rate."""
        return self.host_file("tokens")

    @property
    def vram_history(self) -> str:
        """Peak VRAM of earlier runs, by command."""
        return self.host_file("learned.json")

    @property
    def last_seen(self) -> str:
        """An empty file whose modification time is when somebody last looked at a dashboard."""
        return self.host_file("looked-at")

    @property
    def notified_ends(self) -> str:
        """The ends for which the user's notification command was started."""
        return self.host_file("told-ends")
