"""Finding out-of-memory kills in the kernel log."""

from __future__ import annotations

from pathlib import Path

from backprop_tui.runner.failure_context import find_oom_kill

LOG = (
    "6,1,1000000,-;usb 1-1: new device\n"
    "3,2,5000000,-;Memory cgroup out of memory: Killed process 4711 (python3) total-vm:99kB, anon-rss:9kB\n"
    " SUBSYSTEM=x\n"
    "3,3,9000000,-;Out of memory: Killed process 4712 (python3) total-vm:99kB\n"
)


def test_only_the_given_processes_and_times_count(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    path.write_text(LOG)
    message = find_oom_kill({4711}, since=4.0, path=str(path))
    assert message is not None
    assert message.startswith("Memory cgroup out of memory: Killed process 4711 (python3)")
    assert find_oom_kill({4711}, since=7.0, path=str(path)) is None
    assert find_oom_kill({4712}, since=7.0, path=str(path)) is not None
    assert find_oom_kill({1}, since=0.0, path=str(path)) is None


def test_a_log_that_is_not_readable_yields_nothing(tmp_path: Path) -> None:
    assert find_oom_kill({4711}, since=0.0, path=str(tmp_path / "none")) is None
