"""A full disk: no end is lost, nothing incomplete is left, and the queue continues once there is space again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.client.remove import removable_runs, remove
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from tests.support import processes
from tests.support.sandbox import HOST, Sandbox, Submitted, python, script

FILLER = "filler"


@pytest.fixture
def small(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox whose state directory is a file system of one megabyte."""
    root = home / "backprop"
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", str(root)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.decode().strip()}")
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    try:
        sandbox = Sandbox(str(home))
        yield sandbox
        sandbox.close()
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


def fill(sandbox: Sandbox) -> None:
    """Fills the disk to the last byte."""
    with open(os.path.join(sandbox.home.root, FILLER), "wb", buffering=0) as file:
        for size in (4096, 1):
            while True:
                try:
                    if file.write(b"x" * size) < size:
                        break
                except OSError:
                    break


def tried_to_write_at(run: Submitted) -> int:
    """When a write of the run's record was last attempted; 0 if never."""
    try:
        return os.stat(run.directory.file(".run.json.tmp")).st_mtime_ns
    except FileNotFoundError:
        return 0


def make_room(sandbox: Sandbox) -> None:
    os.unlink(os.path.join(sandbox.home.root, FILLER))


def test_an_end_on_a_full_disk_is_written_when_there_is_space_again(small: Sandbox) -> None:
    code = (
        "import os, time\n"
        'print(\'{"step": 1, "loss": 1}\', flush=True)\n'
        "while not os.path.exists('full'): time.sleep(0.01)\n"
        "raise SystemExit(6)"
    )
    run = small.submit(*python(code))
    waiting = small.submit(*script("worker.py", 1, 0, 0))
    assert waiting.wait_for_end().status is Status.COMPLETED
    run.wait(run.metrics, "its first step read")
    small.wait_until(lambda: small.markers() == [run.id], "the other one indexed")
    guardian = run.guardian()
    fill(small)
    with open(os.path.join(run.run().spec.cwd, "full"), "wb"):
        pass
    small.wait_until(lambda: tried_to_write_at(run), "the guardian tried to write the end")
    assert run.status() is Status.RUNNING
    assert run.guardian() == guardian
    make_room(small)
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    assert (state.status, state.exit_code) == (Status.FAILED, 6)
    assert state.cause is not None
    assert state.cause.kind == "disk_full"
    assert "live.json: No space left on device" in (state.cause.evidence or "")
    assert [line["step"] for line in run.metrics()] == [1]
    small.wait_until_all_is_indexed()


def test_metrics_read_on_a_full_disk_are_written_when_there_is_space_again(small: Sandbox) -> None:
    """The log is on another disk here, so that the script can continue to print."""
    code = (
        "import os, time\n"
        'print(\'{"step": 1, "loss": 1}\', flush=True)\n'
        "while not os.path.exists('full'): time.sleep(0.01)\n"
        'for step in range(2, 400): print(\'{"step": %d, "loss": 1}\' % step, flush=True)\n'
        "raise SystemExit(6)"
    )
    run = small.queue(*python(code))
    log = os.path.join(small.folder, "log")
    os.symlink(log, run.directory.log)
    small.call()
    run.wait(run.metrics, "its first step read")
    fill(small)
    with open(os.path.join(run.run().spec.cwd, "full"), "wb"):
        pass
    small.wait_until(lambda: tried_to_write_at(run), "the guardian tried to write the end")
    make_room(small)
    assert run.wait_for_end().status is Status.FAILED
    run.wait(lambda: len(run.metrics()) >= 399, "every step in metrics.jsonl")
    assert [line["step"] for line in run.metrics()] == list(range(1, 400))
    assert run.run().step == 399


def test_runs_can_be_removed_from_a_full_disk(small: Sandbox) -> None:
    run = small.submit(*python("print('x' * 100_000)"))
    run.wait_for_end()
    small.wait_until_all_is_indexed()
    fill(small)
    session = ClientSession(home=small.home, config_path=small.config_path)
    assert remove(session, removable_runs(session, [run.id])) > 100_000
    assert os.listdir(small.home.runs) == []
    assert small.index() == {}


def test_submitting_on_a_full_disk_fails_clearly_and_leaves_nothing(small: Sandbox) -> None:
    fill(small)
    with pytest.raises(StorageFailed, match="No space left"):
        small.queue("/bin/true")
    make_room(small)
    assert os.listdir(small.home.runs) == os.listdir(small.home.new) == small.markers() == []
    assert small.submit("/bin/true").wait_for_end().status is Status.COMPLETED


def test_a_queue_held_up_by_a_full_disk_continues_when_there_is_space_again(small: Sandbox) -> None:
    small.submit("/bin/true").wait_for_end()
    for victim in (small.fork_server, small.supervisor):
        assert processes.kill(small.wait_until(victim, "a process to kill"))
    run = small.queue(*script("worker.py", 1, 0, 0))
    fill(small)
    small.call()
    supervisor = small.wait_until(small.supervisor, "a supervisor")
    first = small.wait_until(lambda: tried_to_write_at(run), "tried to start it")
    small.wait_until(lambda: tried_to_write_at(run) > first, "tried again")
    assert run.status() is Status.QUEUED
    assert small.supervisor() == supervisor
    make_room(small)
    assert run.wait_for_end().status is Status.COMPLETED
    assert run.reports() == ["begin", "end 0"]
