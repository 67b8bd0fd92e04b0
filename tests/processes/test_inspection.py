"""Inspecting processes, and recognizing those that read the output of others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backprop_tui.processes.identity import Identity
from backprop_tui.processes.inspection import Inspected, inspect, readers_of_others, short_command
from tests.support.waiting import wait_until


def process(pid: int, *, reads: str = "/dev/null", prints: str = "/log", cpu: float = 0.0, exe: str = "") -> Inspected:
    return Inspected(
        identity=Identity(pid, pid),
        parent=1,
        group=1,
        state=b"S",
        cpu_seconds=cpu,
        executable=exe,
        command=(exe,),
        stdin=reads,
        outputs=(prints, prints),
    )


TRAINING = process(1, prints="pipe:[7]", cpu=9.0)
TEE = process(2, reads="pipe:[7]")


@pytest.mark.parametrize(
    ("processes", "readers"),
    [
        ([TRAINING, TEE], {2}),
        ([TRAINING, process(2, reads="pipe:[7]", prints="pipe:[8]"), process(3, reads="pipe:[8]")], {2, 3}),
        ([process(1), process(2)], set()),
        ([TEE], set()),  # its writer has ended
        ([process(1, reads="pipe:[7]", prints="pipe:[7]")], set()),  # reads what it prints itself
        ([process(1, reads="pipe:[7]", prints="pipe:[8]"), process(2, reads="pipe:[8]", prints="pipe:[7]")], set()),
        ([process(1, prints="pipe:[7]", cpu=3.0), process(2, reads="pipe:[7]", cpu=60.0)], set()),  # fed by the other
        ([process(1, prints="pipe:[7]", cpu=60.0), process(2, reads="pipe:[7]", cpu=3.0)], {2}),
    ],
)
def test_readers_of_what_others_print(processes: list[Inspected], readers: set[int]) -> None:
    assert {identity.pid for identity in readers_of_others(processes)} == readers


@pytest.mark.parametrize(
    ("executable", "is_sequencer"),
    [
        ("/usr/bin/bash", True),
        ("/usr/bin/dash", True),
        ("/usr/bin/make", True),
        ("/usr/bin/perl5.36", True),
        ("/usr/bin/python3.11", False),
        ("/opt/conda/bin/uv", False),
        ("", False),
    ],
)
def test_shells_and_the_like_are_sequencers(executable: str, *, is_sequencer: bool) -> None:
    assert process(1, exe=executable).is_sequencer is is_sequencer


@contextmanager
def running(code: str, *arguments: str) -> Iterator[Inspected]:
    """A Python process that has executed the code, and then waits."""
    command = [
        sys.executable,
        "-S",
        "-c",
        f"{code}\nprint('ready', flush=True)\nimport time\ntime.sleep(60)",
        *arguments,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield inspect([child.pid])[child.pid]
        child.kill()


def test_a_real_process_is_known_with_its_command_and_streams() -> None:
    with running("import sys", "word") as inspected:
        assert inspected.parent == os.getpid()
        assert inspected.stdin == "/dev/null"
        assert inspected.outputs[0].startswith("pipe:")
        assert inspected.command[-1] == "word"
        assert short_command(inspected).startswith(f"{os.path.basename(sys.executable)} -S -c import sys")
        assert len(short_command(inspected)) == 60
    wait_until(lambda: not inspect([inspected.pid]), "gone")


def test_a_command_line_is_safe_to_show() -> None:
    dangerous = Inspected(
        identity=Identity(1, 1),
        parent=1,
        group=1,
        state=b"S",
        cpu_seconds=0.0,
        executable="/usr/bin/x",
        command=("/usr/bin/x", "\x1b[31mred\n"),
        stdin="",
        outputs=("", ""),
    )
    assert short_command(dangerous) == "x red "
