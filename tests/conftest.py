"""Fixtures for all tests: a separate home, and a check that no process outlives the test that started it."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from backprop_tui.store.files import set_aside_report
from tests.slurm.cluster import SlurmCluster, missing_programs

# A process may still be exiting when its test ends; one that is alive after this was left behind.
GRACE_SECONDS = 5.0

settings.register_profile("backprop", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("quick", deadline=None, max_examples=10)
settings.load_profile("backprop")

# The tests start the program hundreds of times: without byte code on disk, each start would compile it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Users seldom set it, and it hides the order in which buffered output appears.
os.environ.pop("PYTHONUNBUFFERED", None)

# Ignored signals are inherited: tests started with nohup or in the background would start programs that ignore them.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

_numbers = count()

# Tests that start real processes or dashboards, or that take several seconds: `make quick` leaves them out.
MARKERS = {
    "contract": "e2e",
    "end_to_end": "e2e",
    "frameworks": "frameworks",
    "slurm": "e2e",
    "torture": "slow",
    **dict.fromkeys(
        ("cli", "client", "demo", "examples", "launchers", "model", "packaging", "probes", "runner"), "slow"
    ),
    **dict.fromkeys(("tui/screens", "tui/log", "tui/test_bridge.py", "tui/test_snapshots.py"), "slow"),
    **dict.fromkeys(("domain/governor/test_admission_properties", "domain/governor/test_guard_properties"), "slow"),
    **dict.fromkeys(("readers/test_captured.py", "readers/test_ordinary_corpus.py"), "slow"),
    **dict.fromkeys(("tui/textual_patches/test_key_order.py", "tui/test_commands.py", "tui/test_terminal.py"), "slow"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for running tests/torture for longer."""
    parser.addoption(
        "--rounds", type=int, help="how many stores are damaged (12), and how many storms are let loose (1)"
    )
    parser.addoption("--seed", type=int, default=0, help="the number of the first round")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by the directory or file they are in."""
    for item in items:
        path = Path(item.path).relative_to(Path(__file__).parent).as_posix()
        for prefix, marker in MARKERS.items():
            if path.startswith(prefix):
                item.add_marker(marker)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory with the homes of all tests; at the end no process may be left that was started in one of them."""
    directory = tmp_path_factory.mktemp("homes")
    yield directory
    left = _end_processes_of(directory, _process_ids())
    assert not left, f"processes left behind by the session: {left}"


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home for one test; the test fails if a process that inherited it is left at its end."""
    directory = homes / f"test-{next(_numbers):05}"
    directory.mkdir()
    for name in [name for name in os.environ if name.startswith("BACKPROP_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("TMUX", raising=False)  # or copying would fill the paste buffers of that tmux
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(directory / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(directory / "data"))
    monkeypatch.setenv("BACKPROP_HOME", str(directory / "backprop"))
    set_aside_report()  # of earlier tests in this process
    before = _process_ids()
    yield directory
    left = _end_processes_of(directory, _process_ids() - before)
    assert not left, f"processes left behind by this test: {left}"


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """A Slurm cluster for the whole session, one for each worker; tests use `cluster`."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"Slurm is not installed here: no {', '.join(missing)} (Debian: apt-get install slurm-wlm)")
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(running_cluster: SlurmCluster, home: Path) -> Iterator[SlurmCluster]:
    """A running cluster; a test may kill its parts, and the next one finds them restarted, without a job.

    The jobs end before `home` looks for processes that are left.
    """
    yield running_cluster
    running_cluster.reset()


def _process_ids() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()}


def _end_processes_of(directory: Path, process_ids: set[int]) -> list[str]:
    """Waits for processes with the directory in their environment, kills the rest and returns their command lines."""
    waiting = {pidfd: line for pid in process_ids for pidfd, line in _open_if_started_in(directory, pid)}
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


def _open_if_started_in(directory: Path, pid: int) -> Iterator[tuple[int, str]]:
    """A pidfd and the command line, if the process is alive and has the directory in its environment."""
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
