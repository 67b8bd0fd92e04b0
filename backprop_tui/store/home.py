"""The state directory: where each file of it lies."""

from __future__ import annotations

import os
import re

from backprop_tui.domain.errors import StateUnavailable, UsageError

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_run_id(run_id: str) -> None:
    """An id becomes the name of a directory.

    Raises:
        UsageError: the id cannot be the name of a directory on every file system.
    """
    if not RUN_ID.fullmatch(run_id):
        rule = "use 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
        raise UsageError(f"--run-id {run_id!r}: {rule}")


class Home:
    """Paths of one state directory, and of what one host keeps in it."""

    __slots__ = ("host", "root")

    def __init__(self, root: str, host: str) -> None:
        self.root = os.path.abspath(root)
        self.host = host

    def prepare(self) -> None:
        """Makes the directories, for their owner alone.

        Raises:
            StateUnavailable: they cannot be made or written.
        """
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
            raise StateUnavailable(
                f"state directory {self.root}: {error.strerror}; set BACKPROP_HOME to a directory you can write"
            ) from error
        if not os.access(self.runs, os.W_OK | os.X_OK):
            raise StateUnavailable(f"state directory {self.root}: not writable; set BACKPROP_HOME to one that is")

    @property
    def runs(self) -> str:
        """A directory for each run, by its id."""
        return os.path.join(self.root, "runs")

    @property
    def active(self) -> str:
        """An empty marker for each run that is unfinished or not yet indexed."""
        return os.path.join(self.root, "active")

    @property
    def new(self) -> str:
        """Runs that are being built; what lies there for long is rubbish of a front end that was killed."""
        return os.path.join(self.root, "new")

    @property
    def keys(self) -> str:
        """Which run each submission key made."""
        return os.path.join(self.root, "keys")

    @property
    def index(self) -> str:
        """The index of all runs."""
        return os.path.join(self.root, "experiments.json")

    @property
    def recent(self) -> str:
        """The newest ended runs, for `list`: small, so that it reads in a moment."""
        return os.path.join(self.root, "recent.json")

    @property
    def index_lock(self) -> str:
        """Who may write the index."""
        return os.path.join(self.root, "index.lock")

    @property
    def host_folder(self) -> str:
        """What belongs to this host alone."""
        return os.path.join(self.root, "hosts", self.host)

    def host_file(self, name: str) -> str:
        """supervisor.lock, bell, tokens, readings.json, governor.json, queue-held or supervisor.log of this host."""
        return os.path.join(self.host_folder, name)

    def run_folder(self, run_id: str) -> str:
        """The directory of one run."""
        return os.path.join(self.runs, run_id)

    def marker(self, run_id: str) -> str:
        """The marker of one run."""
        return os.path.join(self.active, run_id)
