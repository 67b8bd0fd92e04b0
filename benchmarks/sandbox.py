"""A temporary store and configuration for a benchmark, and the installed command as users start it."""

from __future__ import annotations

import os
import select
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from functools import partial

from backprop_tui.domain.status import ENDED
from backprop_tui.launchers.lease import lease_owner
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from benchmarks import timing
from tests.support.processes import kill_processes_of_store

HOST = "benchmark"
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.01
SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
COMMAND = os.path.join(os.path.dirname(sys.executable), "backprop-tui")
BARE_PROCESS = ("true",)
BARE_PYTHON = (sys.executable, "-c", "pass")
MINIMAL_TEXTUAL_APP = (sys.executable, os.path.join(SCRIPTS, "minimal_textual.py"))

# No limit that depends on the machine's other load, so that no run is held; the governor takes as long to decide.
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
    """The `backprop-tui` command is not installed beside this interpreter."""


class Sandbox:
    """An empty store, a configuration and a working directory, with the environment that selects them."""

    def __init__(self, folder: str, *, parallel: int, probe: str) -> None:
        self.home = Home(os.path.join(folder, "state"), HOST)
        self.home.prepare()
        self.work = os.path.join(folder, "work")
        os.makedirs(self.work)
        os.makedirs(os.path.join(folder, "config", "backprop"))
        with open(os.path.join(folder, "config", "backprop", "config.toml"), "w", encoding="utf-8") as file:
            file.write(_CONFIG.format(parallel=parallel, probe=probe))
        # Nothing else of the calling shell: neither its virtual environment nor its settings.
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": folder,
            "LANG": "C.UTF-8",
            "BACKPROP_HOME": self.home.root,
            "BACKPROP_HOST": HOST,
            "XDG_CONFIG_HOME": os.path.join(folder, "config"),
        }

    def seconds(self, *arguments: str) -> float:
        """Runs `backprop-tui` to its end and returns how long it took."""
        return timing.seconds((COMMAND, *arguments), self.environment)

    def submit(self, *arguments: str) -> list[str]:
        """Queues runs with `run -d`; returns their ids."""
        path = os.path.join(self.work, "submitted")
        timing.seconds((COMMAND, "run", "-d", *arguments), self.environment, stdout=path)
        with open(path, encoding="ascii") as file:
            return file.read().split()

    def keep_supervisor(self) -> None:
        """Starts a run that sleeps for hours, so that the supervisor does not exit."""
        (run_id,) = self.submit("-m", "none", "--", "sleep", "100000")
        directory = self.directory(run_id)
        wait_until(lambda: directory.read_live() is not None, "the run that keeps the supervisor alive")

    def directory(self, run_id: str) -> RunDirectory:
        return RunDirectory(self.home.run_folder(run_id))

    def wait_for_ends(self, run_ids: Sequence[str]) -> None:
        """Looks at one run at a time: reading all of them again and again would keep a core busy."""
        for directory in map(self.directory, run_ids):
            wait_until(partial(_has_ended, directory), "the runs to end")

    def wait_until_idle(self) -> None:
        """Waits until the supervisor has nothing left to do and exits."""
        owner = lease_owner(self.home)
        if owner is None:
            return
        try:
            pidfd = os.pidfd_open(owner[0])
        except ProcessLookupError:
            return
        try:
            if not select.select([pidfd], [], [], PATIENCE_SECONDS)[0]:
                raise TimeoutError("the supervisor does not exit")
        finally:
            os.close(pidfd)


def _has_ended(directory: RunDirectory) -> bool:
    return directory.read().status in ENDED


def wait_until(condition: Callable[[], object], expected: str) -> None:
    """Polls a hundred times a second, which hardly disturbs the measured processes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"gave up waiting for {expected}")
        time.sleep(POLL_SECONDS)


@contextmanager
def open_sandbox(*, parallel: int = 2, probe: str = "none") -> Iterator[Sandbox]:
    """Yields a sandbox as the working directory; afterwards kills its processes and removes it.

    Raises:
        NotInstalled: there is no command to measure.
    """
    if not os.access(COMMAND, os.X_OK):
        raise NotInstalled(f"{COMMAND} does not exist; run pip install -e . with the Python that runs the benchmarks")
    folder = tempfile.mkdtemp(prefix="backprop-benchmark-")
    try:
        sandbox = Sandbox(folder, parallel=parallel, probe=probe)
        with chdir(sandbox.work):
            yield sandbox
    finally:
        kill_processes_of_store(folder)
        shutil.rmtree(folder, ignore_errors=True)
