"""Plays a demo around a dashboard: sets the stage, starts the director, and sees that nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import backprop_tui
from backprop_tui.demo.programme import MACHINE
from backprop_tui.demo.stage import Stage, set_up, sweep_abandoned, take_down
from backprop_tui.store.home import Home

_DIRECT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from backprop_tui.demo.director import direct; direct(*sys.argv[2:])"
)
_TAKE_DOWN_SECONDS = 10.0
Show = Callable[[Home, str], int]  # a store and its config.toml; the exit code


def play(show: Show, host: str) -> int:
    """Shows a demo until it is left; what `show` gave.

    Raises:
        OSError: there is no room for temporary files.
        StateUnavailable: no locks there, or it cannot be written.
    """
    sweep_abandoned()
    stage, lock = set_up(host)
    with lock:
        director = _start_director(stage, host, lock.descriptor)
        try:
            with _simulated_machine():
                return show(Home(stage.home, host), stage.config_path)
        finally:
            _end(director, stage)


def _start_director(stage: Stage, host: str, lock: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that what ends the dashboard does not end it; it holds the lock too."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(backprop_tui.__file__)))
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _DIRECT, package, stage.folder, host],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        pass_fds=(lock,),
    )


def _end(director: subprocess.Popen[bytes], stage: Stage) -> None:
    """Closes its standard input, and waits until all is gone."""
    try:
        director.communicate(timeout=_TAKE_DOWN_SECONDS)
    except subprocess.TimeoutExpired:
        pass  # it goes on alone
    else:
        if os.path.exists(stage.folder):  # it was killed
            take_down(stage)


@contextmanager
def _simulated_machine() -> Iterator[None]:
    """The dashboard's own sampler shows the same GPUs as the supervisor's."""
    before = {name: os.environ.get(name) for name in MACHINE}
    os.environ.update(MACHINE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
