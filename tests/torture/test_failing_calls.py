"""Full disks, disk errors and too few descriptors at any moment: what is recorded is true, and nobody else waits."""

from __future__ import annotations

import errno
import random
from contextlib import suppress

import pytest

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from tests.end_to_end.crashing import Crashing
from tests.support.crashes import Crash
from tests.support.sandbox import Sandbox, Submitted, script

CODES = (0, 3, 0, 4)
PLACES = ("store.files:write_all", "os:fsync", "os:rename", "os:open")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EDQUOT)


def some_failures(seed: int) -> list[Crash]:
    """Some calls that fail, in processes that have made as many others as the seed says."""
    choice = random.Random(seed)
    return [
        Crash(
            at=place,
            before=True,
            error=choice.choice(ERRORS),
            times=choice.randint(1, 100),
            failures=choice.randint(1, 9),
        )
        for place in choice.sample(PLACES, 3)
    ]


def problem_of(run: Submitted, code: int) -> str | None:
    """What is not true in its record."""
    record, reports = run.run(), run.reports()
    end = record.state
    assert isinstance(end, Ended)
    if not reports and end.status is Status.FAILED and end.exit_code is None and end.reason:
        return None  # the call that failed was one of its start
    expected = (Status.FAILED if code else Status.COMPLETED, code)
    if (end.status, end.exit_code) != expected or len(record.attempts) != 1:
        return f"{end} after {len(record.attempts)} attempts, not {expected}"
    return None if reports == ["begin", f"end {code}"] else f"its script said {reports}"


def test_the_truth_is_recorded_whatever_call_fails(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, storm_seed: int
) -> None:
    failures = some_failures(storm_seed)
    Crashing(sandbox, monkeypatch, *failures)
    runs = [sandbox.submit(*script("worker.py", 4, 0.05, code)) for code in CODES]

    def is_over() -> bool:
        with suppress(StateUnavailable):  # supervisors have failed several times, the next one waits
            sandbox.call()
        return not sandbox.markers()

    sandbox.wait_until(is_over, f"all have ended with {failures}", seconds=40)
    problems = [(run.id, problem) for run, code in zip(runs, CODES, strict=True) if (problem := problem_of(run, code))]
    assert not problems, "\n".join(map(str, (*failures, *problems, sandbox.describe_store())))
    assert set(sandbox.index()) == {run.id for run in runs}
