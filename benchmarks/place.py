"""A state directory and a configuration of a benchmark's own, and the installed command as users start it."""

from __future__ import annotations

import os
import select
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager

from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.status import ENDED
from backprop_tui.launchers.lease import lease_owner
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from benchmarks.clock import seconds, spawn

HOST = "benchmark"
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.01
COMMAND = os.path.join(os.path.dirname(sys.executable), "backprop-tui")
BARE_PROCESS = ("true",)
BARE_PYTHON = (sys.executable, "-c", "pass")

# What the machine does otherwise must not hold a run: the cost of deciding is the same.
_CONFIG = """\
max_parallel = {parallel}
min_free_ram_gb = 0
[governor]
starts_per_minute = 0
max_load_per_core = 0
min_free_disk_gb = 0
[gpu]
probe = "{probe}"
"""


class NotInstalled(Exception):
    """The command that users start is not beside this interpreter."""


class Place:
    """One user of one machine, who has nothing yet."""

    def __init__(self, folder: str, *, parallel: int, probe: str) -> None:
        self.home = Home(os.path.join(folder, "state"), HOST)
        self.home.prepare()
        self.work = os.path.join(folder, "work")
        os.makedirs(self.work)
        os.makedirs(os.path.join(folder, "config", "backprop"))
        with open(os.path.join(folder, "config", "backprop", "config.toml"), "w", encoding="utf-8") as file:
            file.write(_CONFIG.format(parallel=parallel, probe=probe))
        # Nothing of the shell the benchmark is started from: neither its virtual environment nor its settings.
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": folder,
            "LANG": "C.UTF-8",
            "BACKPROP_HOME": self.home.root,
            "BACKPROP_HOST": HOST,
            "XDG_CONFIG_HOME": os.path.join(folder, "config"),
        }

    def seconds(self, *arguments: str) -> float:
        """How long our command takes."""
        return seconds((COMMAND, *arguments), self.environment)

    def submit(self, *arguments: str) -> list[str]:
        """`run -d`; the ids of the runs."""
        told = os.path.join(self.work, "submitted")
        pid = spawn((COMMAND, "run", "-d", *arguments), self.environment, stdout=told)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != 0:
            raise RuntimeError(f"exit code {code} of backprop-tui run -d {' '.join(arguments)}")
        with open(told, encoding="ascii") as file:
            return file.read().split()

    def keep_supervisor(self) -> str:
        """A run that does nothing for hours keeps the supervisor alive; its id."""
        (run_id,) = self.submit("-m", "none", "--", "sleep", "100000")
        directory = self.directory(run_id)
        wait_until(lambda: directory.read_live() is not None, "the run that keeps the supervisor alive")
        return run_id

    def directory(self, run_id: str) -> RunDirectory:
        """The directory of a run."""
        return RunDirectory(self.home.run_folder(run_id))

    def wait_for_ends(self, run_ids: Sequence[str]) -> None:
        """Until these runs have ended."""
        wait_until(lambda: all(self.directory(run_id).read().status in ENDED for run_id in run_ids), "the runs' ends")

    def wait_until_idle(self) -> None:
        """Until the supervisor has ended by itself, with nothing left to do."""
        owner = lease_owner(self.home)
        if owner is None:
            return
        try:
            pidfd = os.pidfd_open(owner[0])
        except ProcessLookupError:
            return
        try:
            if not select.select([pidfd], [], [], PATIENCE_SECONDS)[0]:
                raise TimeoutError("the supervisor does not end")
        finally:
            os.close(pidfd)

    def close(self) -> None:
        """Kills what runs, and waits until the supervisor has gone."""
        for run_id in os.listdir(self.home.active):
            self.directory(run_id).append_request(StopRequest(by="person", reason="the benchmark is over", kill=True))
        self.wait_until_idle()


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Looks a hundred times a second, which costs the measured processes little."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"in vain waited for {what}")
        time.sleep(LOOK_SECONDS)


@contextmanager
def place(*, parallel: int = 2, probe: str = "none") -> Iterator[Place]:
    """A place that is the working directory until it is taken away, with all processes in it.

    Raises:
        NotInstalled: there is no command to measure.
    """
    if not os.access(COMMAND, os.X_OK):
        raise NotInstalled(f"{COMMAND}: not there; pip install -e . with the Python that runs the benchmarks")
    folder = tempfile.mkdtemp(prefix="backprop-benchmark-")
    try:
        made = Place(folder, parallel=parallel, probe=probe)
        try:
            with chdir(made.work):
                yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
