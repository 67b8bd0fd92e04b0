"""How a run ended decides the exit code of who waited for it."""

from __future__ import annotations

from typing import Any

import pytest

from backprop_tui.cli.exit_codes import exit_code_of, first_failure


def _record(status: str, **fields: Any) -> dict[str, Any]:
    return {"status": status, "exit_code": None, "signal": None, "ended_at": "2026-01-01T00:00:00.000Z"} | fields


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (_record("completed", exit_code=0), 0),
        (_record("timeboxed", exit_code=1), 0),
        (_record("failed", exit_code=3), 3),
        (_record("failed", signal="SIGKILL"), 137),
        (_record("failed", signal="SIG40"), 168),
        (_record("failed"), 66),
        (_record("stopped", exit_code=0), 130),
        (_record("lost"), 71),
    ],
)
def test_the_documented_code(record: dict[str, Any], code: int) -> None:
    assert exit_code_of(record) == code


def test_the_first_of_several_runs_that_failed_counts() -> None:
    later = _record("failed", exit_code=4, ended_at="2026-01-03T00:00:00.000Z")
    earlier = _record("failed", exit_code=5, ended_at="2026-01-02T00:00:00.000Z")
    assert first_failure([later, _record("completed"), earlier]) == 5


def test_the_code_is_0_if_all_runs_succeeded() -> None:
    assert first_failure([_record("completed"), _record("timeboxed")]) == first_failure([]) == 0
