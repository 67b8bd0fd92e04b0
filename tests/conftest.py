"""Fixtures of every test: a home of its own, and proof that no process outlives the test that started it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

# A process may still be on its way out when its test ends; one that is alive after this was left behind.
GRACE_SECONDS = 5.0

settings.register_profile("backprop", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("backprop")

# Ignored signals are inherited: a suite started with nohup, or in the background, would start programs deaf to them.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

_numbers = count()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory that holds every test's home; at the end of the session nothing may live that knows it."""
    directory = tmp_path_factory.mktemp("homes")
    yield directory
    left = _end_processes_that_know(directory, _process_ids())
    assert not left, f"processes left behind by the session: {left}"


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home that is the test's own; the test fails if a process that inherited it is left when it ends."""
    directory = homes / f"test-{next(_numbers):05}"
    directory.mkdir()
    for name in [name for name in os.environ if name.startswith("BACKPROP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(directory / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(directory / "data"))
    monkeypatch.setenv("BACKPROP_HOME", str(directory / "backprop"))
    before = _process_ids()
    yield directory
    left = _end_processes_that_know(directory, _process_ids() - before)
    assert not left, f"processes left behind by this test: {left}"


def _process_ids() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()}


def _end_processes_that_know(directory: Path, process_ids: set[int]) -> list[str]:
    """Give those with the directory in their environment the grace to end, kill the rest and name them."""
    waiting = {pidfd: line for pid in process_ids for pidfd, line in _opened_if_it_knows(directory, pid)}
    left = []
    deadline = time.monotonic() + GRACE_SECONDS
    for pidfd, line in waiting.items():
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            left.append(line)
        os.close(pidfd)
    return left


def _opened_if_it_knows(directory: Path, pid: int) -> Iterator[tuple[int, str]]:
    """A pidfd and the command line, if the process lives and its environment names the directory."""
    if pid == os.getpid():
        return
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # ended meanwhile, or another user's
        environment = command = b""
    if os.fsencode(directory) in environment:
        yield pidfd, f"{pid} {command.replace(bytes(1), b' ').decode(errors='replace')}"
    else:
        os.close(pidfd)
