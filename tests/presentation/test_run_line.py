"""How a run ended, and the advice, which has each command on a line of its own that can be copied as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_details import detail_sections
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.presentation.run_line import end_line, reason_text, run_line
from backprop_tui.presentation.states import is_problem
from tests.tui.snapshots import NOW, ended, removed_from_queue

RESUME = "backprop-tui resume ab12"


def failed(advice: str) -> KnownRun:
    cause = Cause(kind="import_error", evidence="x", summary="no module x", advice=advice)
    run = ended("ab12", Status.FAILED, cause=cause)
    return replace(run, record=run.record | {"reason": cause.summary})


@pytest.mark.parametrize(
    ("advice", "lines"),
    [
        ("read the end of the log", ["; read the end of the log"]),
        (
            "/e/bin/python -m ensurepip && /e/bin/python -m pip install 'x<2, >1', or choose another with --python",
            ["/e/bin/python -m ensurepip && /e/bin/python -m pip install 'x<2, >1'", "or choose another with --python"],
        ),
        (
            "'/my envs/bin/python' -m venv .venv && .venv/bin/pip install x, then queue it again",
            ["'/my envs/bin/python' -m venv .venv && .venv/bin/pip install x", "then queue it again"],
        ),
        (
            "/shims/python3 -m pip install x, or choose another interpreter with --python (used: python3 on PATH)",
            ["/shims/python3 -m pip install x", "or choose another interpreter with --python (used: python3 on PATH)"],
        ),
        ("fix /w/train.py line 3, then resume", ["; fix /w/train.py line 3, then run it again:", RESUME]),
        ("check dmesg, then resume it", ["; check dmesg, then run it again:", RESUME]),
        ("a person did; resume it", ["; a person did; run it again:", RESUME]),
        (
            "another process may hold it: nvidia-smi -q -d COMPUTE, then resume",
            ["; another process may hold it:", "nvidia-smi -q -d COMPUTE", "then run it again:", RESUME],
        ),
        ("/dev/shm has 64 MB free: use fewer loader workers", ["; /dev/shm has 64 MB free: use fewer loader workers"]),
        ("name it before: python3 /w/a", ["; name it before:", "python3 /w/a"]),
        ("it belongs to Python itself: name another", ["; it belongs to Python itself: name another"]),
    ],
)
def test_commands_are_lines_of_their_own(advice: str, lines: list[str]) -> None:
    run = failed(advice)
    begin, *others = end_line(run.record).split("\n  ")
    assert begin.startswith("failed with exit code 1 after ")
    end = begin.partition("; no module x")[2]
    assert [*([end] if end else []), *others] == lines
    sections: dict[str, Any] = {section.title: section.lines for section in detail_sections(run, NOW)}
    shown = [text for _, text in sections["Cause"]]
    assert shown[-len(lines) :] == [line.removeprefix("; ") for line in lines]
    assert run.record["cause"]["advice"] == advice
    assert reason_text(run, NOW) == "no module x"


def test_the_end_says_how_long_the_last_attempt_took_and_where_the_training_was() -> None:
    record = ended("ab12", epoch=10.0).record | {"duration_seconds": 111.0}
    assert end_line(record) == "completed after 1m51s at epoch 10"
    attempt = record["attempts"][0] | {"duration_seconds": 100.0}
    assert end_line(record | {"attempts": [attempt, attempt]}) == "completed after 1m40s (1m51s in total) at epoch 10"


CAUSE = Cause(
    kind="cuda_oom",
    evidence="OutOfMemoryError: tried to allocate 2.00 GiB",
    summary="CUDA out of memory",
    advice="halve --batch-size (64)",
    advised=("--batch-size", "64", "32"),
)


def test_a_failed_run_that_is_removed_from_the_queue_still_says_why_it_failed() -> None:
    run = removed_from_queue("ab12", CAUSE)
    line = run_line(run, NOW)
    assert line is not None
    assert line.clauses[:2] == ("CUDA out of memory", "removed from the queue")
    assert reason_text(run, NOW) == "CUDA out of memory; removed from the queue"
    assert end_line(run.record) == (
        "stopped after 0s; stopped by you before its next attempt; it had failed: CUDA out of memory; "
        "halve --batch-size (64)"
    )
    sections = {section.title: dict(section.lines) for section in detail_sections(run, NOW)}
    assert sections["Cause"]["cause"] == "cuda oom: CUDA out of memory"
    assert sections["Cause"]["reason"] == "stopped by you before its next attempt"
    assert RunFilter.parse("allocate").matches(run, NOW.wall)
    assert run.run is not None
    assert run.run.last_cause == CAUSE
    assert not is_problem(run)


def test_without_a_recorded_cause_the_exit_code_says_how_it_failed() -> None:
    assert reason_text(removed_from_queue("ab12"), NOW) == "exit code 1; removed from the queue"
