"""The sampler as a process."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import backprop_tui
from backprop_tui.probes.readings import Sample, read_sample
from backprop_tui.processes.identity import DEAD_STATES, state_of
from backprop_tui.processes.linux import boot_id
from backprop_tui.processes.tree import children
from tests.support.waiting import wait_until

PROGRAM = str(Path(backprop_tui.__file__).parent / "sample.py")
HANGING_PYNVML = """
import time
class NVMLError(Exception): ...
def nvmlInit(): time.sleep(60)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def out(tmp_path: Path) -> str:
    return str(tmp_path / "readings.json")


@pytest.fixture
def start(out: str, tmp_path: Path) -> Iterator[Start]:
    """Starts samplers that end with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(probe: str = "none", interval: str = "0.1", **options: object) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]
            [*arguments(out, tmp_path, probe, interval)], stderr=subprocess.PIPE, text=True, **options
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL) if os.getpgid(process.pid) == process.pid else process.kill()
        process.communicate()


def arguments(out: str, disk_path: Path, probe: str, interval: str) -> list[str]:
    program = [sys.executable, PROGRAM, "--out", out, "--disk-path", str(disk_path)]
    return [*program, "--probe", probe, "--interval", interval]


def sample_of(out: str, pid: int) -> Sample | None:
    sample = read_sample(out)
    return sample if sample is not None and sample.pid == pid else None


def test_it_writes_readings_repeatedly_to_a_private_file(out: str, start: Start) -> None:
    process = start("simulated", env={**os.environ, "BACKPROP_SIMULATED_GPUS": "H100"})
    first = wait_until(lambda: sample_of(out, process.pid), "a first reading")
    assert (first.boot_id, first.readings.probe, first.gpus_known) == (boot_id(), "simulated", True)
    assert [gpu.uuid for gpu in first.readings.gpus] == ["SIM-0-h100"]
    assert first.readings.host.ram_available_bytes
    assert Path(out).stat().st_mode & 0o777 == 0o600
    wait_until(lambda: (sample_of(out, process.pid) or first).readings.time > first.readings.time, "a second reading")


def test_it_holds_no_lock_and_descriptor_of_its_parent(out: str, tmp_path: Path, start: Start) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start(pass_fds=(lock.fileno(),))
        wait_until(lambda: sample_of(out, process.pid), "a reading")
    with (tmp_path / "lock").open("w") as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    held = {os.readlink(f"/proc/{process.pid}/fd/{name}") for name in ("0", "1")}
    assert held == {os.devnull}
    assert set(os.listdir(f"/proc/{process.pid}/fd")) == {"0", "1", "2"}


def test_it_ends_when_its_parent_is_killed(out: str, tmp_path: Path) -> None:
    command = arguments(out, tmp_path, "none", "0.1")
    parent = subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({command!r})"])
    sampler = wait_until(lambda: children(parent.pid), "the sampler")[0]
    wait_until(lambda: sample_of(out, sampler), "a reading")
    parent.kill()
    parent.wait()
    wait_until(lambda: state_of(sampler) in (None, *DEAD_STATES), "its end", seconds=3)


def test_the_host_is_measured_while_the_probe_hangs(out: str, tmp_path: Path, start: Start) -> None:
    (tmp_path / "pynvml.py").write_text(HANGING_PYNVML)
    process = start("nvml", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    sample = wait_until(lambda: sample_of(out, process.pid), "a reading")
    assert not sample.gpus_known
    assert sample.readings.host.load_1m is not None
    times = {sample.readings.time}
    before = time.monotonic()
    while len(times) < 4:
        latest = sample_of(out, process.pid)
        assert latest is not None
        times.add(latest.readings.time)
        assert time.monotonic() - before < 3


def test_a_command_that_hangs_is_killed_with_it(out: str, tmp_path: Path, start: Start) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    process = start("nvidia-smi", env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    (command,) = wait_until(lambda: children(process.pid), "the command")
    process.terminate()
    process.wait(5)
    wait_until(lambda: state_of(command) in (None, *DEAD_STATES), "the command's end")


def test_a_write_error_is_reported_once_and_retried(out: str, tmp_path: Path, start: Start) -> None:
    folder = tmp_path / "later"
    target = str(folder / "readings.json")
    process = subprocess.Popen(
        arguments(target, tmp_path, "none", "0.1"), stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert process.stderr is not None
        assert "No such file" in process.stderr.readline()
        folder.mkdir()
        wait_until(lambda: sample_of(target, process.pid), "a reading")
    finally:
        process.terminate()
        _, rest = process.communicate()
    assert "No such file" not in rest


@pytest.mark.parametrize("wrong", [[], ["--out"], ["--out", "a", "--disk-path", "b", "--prob", "c"]])
def test_invalid_arguments_print_the_usage(wrong: list[str]) -> None:
    finished = subprocess.run([sys.executable, PROGRAM, *wrong], capture_output=True, text=True, check=False)
    assert finished.returncode != 0
    assert "--out FILE" in finished.stderr


def test_it_does_not_start_if_its_parent_has_ended(out: str, tmp_path: Path) -> None:
    command = [*arguments(out, tmp_path, "none", "0.1"), "--parent", "4194305"]
    assert subprocess.run(command, check=False, timeout=10).returncode == 0
    assert not Path(out).exists()


def test_it_loads_nothing_heavy() -> None:
    statements = "import sys, backprop_tui.probes.sampler, backprop_tui.probes.nvml; print(*sys.modules)"
    root = str(Path(backprop_tui.__file__).parent.parent)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {statements}"]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"asyncio", "textual", "rich", "psutil", "subprocess", "logging", "argparse", "pynvml"}
