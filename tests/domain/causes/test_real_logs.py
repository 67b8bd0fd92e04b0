"""Causes in logs of real scripts with torch 2 on a CPU: failing loaders, launchers and saves."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.domain.causes.clues import FileSystem
from tests.domain.causes.failures import cause_of

LOGS = Path(__file__).parent / "logs"
TORN = (
    "RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"
    " (RuntimeError: basic_ios::clear: iostream error)"
)


@pytest.mark.parametrize(
    ("name", "kind", "summary", "line"),
    [
        ("alloc", "host_oom", "out of host memory: requested 128.00 TiB", 6),
        ("loader", "file_not_found", "FileNotFoundError: data/0.png", 27),
        ("killed", "killed_by_signal", "one of its processes was killed by SIGKILL (exit code 1)", 22),
        ("spawned", "python_error", "KeyError: 'shard'", 23),
        ("nanny", "nan_loss", "RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.", 20),
        ("dist", "python_error", "ValueError: rank 1 has a bad shard", 9),
        ("distkill", "killed_by_signal", "one of its processes was killed by SIGKILL (exit code 1)", 54),
        ("gpu_alloc", "no_gpu", "this interpreter's framework is built without GPU support", 6),
        (
            "enospc",
            "python_error",
            TORN,
            17,
        ),
    ],
)
def test_the_root_exception_is_reported_with_its_line(name: str, kind: str, summary: str, line: int) -> None:
    cause = cause_of((LOGS / f"{name}.log").read_bytes())
    assert (cause.kind, cause.summary, cause.line) == (kind, summary, line)


def test_a_kill_that_a_counter_shows_is_memory_in_every_launcher() -> None:
    for name in ("killed", "distkill"):
        content = (LOGS / f"{name}.log").read_bytes()
        assert cause_of(content, memory_kill="oom_kill went from 0 to 1").kind == "host_oom"


def test_a_torn_save_is_a_full_disk_where_the_disk_is_full() -> None:
    def there(path: str) -> FileSystem:
        return FileSystem(mount=path, free_bytes=0 if path == "/ckpt" else 10**12)

    content = (LOGS / "enospc.log").read_bytes()
    cause = cause_of(content, file_system=there, written_folders=("/ckpt",))
    assert (cause.kind, cause.summary) == ("disk_full", "disk full: /ckpt, 0 MB free now")


def test_a_multi_line_message_includes_the_line_it_announces() -> None:
    cause = cause_of((LOGS / "statedict.log").read_bytes())
    assert cause.summary is not None
    assert cause.summary.startswith("RuntimeError: Error(s) in loading state_dict for Linear: size mismatch for weight")
    assert not cause.retryable
