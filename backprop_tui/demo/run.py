"""Runs a demo around a dashboard: creates the workspace, starts the driver, and makes sure that nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import backprop_tui
from backprop_tui.demo.scenario import MACHINE
from backprop_tui.demo.workspace import Workspace, create_workspace, remove_abandoned, tear_down
from backprop_tui.store.home import Home

_DRIVER_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from backprop_tui.demo.driver import drive_demo; drive_demo(*sys.argv[2:])"
)
_TEAR_DOWN_SECONDS = 10.0
ShowDashboard = Callable[[Home, str], int]  # takes a store and the path of its config.toml, returns the exit code


def run_demo(show: ShowDashboard, host: str) -> int:
    """Runs a demo until the dashboard is closed; raises OSError or StateUnavailable if there is no place for it."""
    remove_abandoned()
    workspace, lock = create_workspace(host)
    with lock:
        driver = _start_driver(workspace, host, lock.descriptor)
        try:
            with _simulated_machine():
                return show(Home(workspace.home, host), workspace.config_path)
        finally:
            _stop_driver(driver, workspace)


def _start_driver(workspace: Workspace, host: str, lock: int) -> subprocess.Popen[bytes]:
    """Starts the driver in its own session, so that it survives the end of the dashboard; it holds the lock too."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(backprop_tui.__file__)))
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _DRIVER_CODE, package, workspace.folder, host],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        pass_fds=(lock,),
    )


def _stop_driver(driver: subprocess.Popen[bytes], workspace: Workspace) -> None:
    """Closes the driver's standard input and waits until everything is removed."""
    try:
        driver.communicate(timeout=_TEAR_DOWN_SECONDS)
    except subprocess.TimeoutExpired:
        pass  # it continues on its own
    else:
        if os.path.exists(workspace.folder):  # the driver was killed
            tear_down(workspace)


@contextmanager
def _simulated_machine() -> Iterator[None]:
    """Makes the dashboard's sampler simulate the same GPUs as the supervisor's."""
    before = {name: value for name, value in os.environ.items() if name in MACHINE}
    os.environ.update(MACHINE)
    try:
        yield
    finally:
        for name in MACHINE:
            del os.environ[name]
        os.environ.update(before)
