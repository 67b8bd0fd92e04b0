"""When a timebox ends, what was saved by then, and the command to go on."""

from __future__ import annotations

from typing import Any

import pytest

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.status import Status
from backprop_tui.presentation.run_details import detail_sections
from backprop_tui.presentation.run_line import end_line, reason_text
from backprop_tui.presentation.timebox import ends_text, key_to_go_on, reached_timebox, too_short_text
from tests.tui.snapshots import NOW, ended, running

LIMIT = "reached its limit of 10m"
RESUMES: dict[str, Any] = {"found_resume_arg": "--resume {path}"}


def saved(path: str = "/c/model-90.pt", *, before: float = 12.0, **fields: Any) -> Checkpoint:
    """A checkpoint saved so many seconds before the end of `timeboxed`."""
    known: dict[str, Any] = {"path": path, "step": 9000, "saved_at": NOW.wall - 60 - before, "sound": True}
    return Checkpoint(**(known | fields))


def timeboxed(*checkpoints: Checkpoint, minutes: float = 10, **spec: Any) -> dict[str, Any]:
    run = ended("ab12", Status.TIMEBOXED, checkpoints=checkpoints, spec=spec, step=9500)
    return run.record | {"reason": LIMIT, "duration_seconds": minutes * 60 + 1.5, "paused_seconds": 0.0}


def lines(record: dict[str, Any]) -> list[str]:
    """The clauses about what is saved, and the line about how to go on."""
    first, second = end_line(record).split("\n  to go on: ")
    assert first.startswith(f"timeboxed, not completed, after 10m02s at step 9,500; {LIMIT}; ")
    command, *options = second.split("\n  ")
    return [*first.split("; ")[2:], command.removeprefix("backprop-tui resume ab12").strip(), *options]


def test_the_newest_checkpoint_is_named_with_its_step_and_age() -> None:
    older = saved("/c/model-80.pt", step=8000, before=70)
    options = "(10m more; -m none: no limit; --total-minutes 60: in slices)"
    at_step, unnamed = timeboxed(older, saved(), **RESUMES), timeboxed(saved(step=None, sound=None), **RESUMES)
    assert lines(at_step) == ["checkpoint at step 9,000, saved 12s before the end", "", options]
    assert lines(unnamed) == ["checkpoint model-90.pt, saved 12s before the end, not checked", "", options]


@pytest.mark.parametrize("unusable", [{"sound": False}, {"written": False}])
def test_a_checkpoint_that_cannot_be_used_is_not_named(unusable: dict[str, Any]) -> None:
    older, newer = saved("/c/model-80.pt", step=8000, before=70), saved(**unusable)
    assert lines(timeboxed(older, newer, **RESUMES))[0] == "checkpoint at step 8,000, saved 1m before the end"


def test_the_newest_state_is_preferred_to_the_best_one() -> None:
    record = timeboxed(saved(), saved("/c/best.pt", step=9400, before=1), **RESUMES)
    assert lines(record)[0] == "checkpoint at step 9,000, saved 12s before the end"


def test_without_a_checkpoint_the_command_does_not_run_into_the_same_timebox() -> None:
    assert lines(timeboxed()) == ["no checkpoint was found, so a resume begins again", "-m none"]
    assert lines(timeboxed(resume_channel="itself"))[0] == "no checkpoint was found"


def test_a_script_that_takes_no_checkpoint_needs_an_option() -> None:
    clauses = lines(timeboxed(saved()))
    assert clauses[1] == "no option that takes a checkpoint was found in the source of the script"
    assert clauses[2] == "--resume-arg '--your-flag {path}'"


def test_of_files_that_were_saved_together_one_is_to_be_chosen() -> None:
    clauses = lines(timeboxed(saved(candidates=("/c/a b.pt", "/c/d.pt")), **RESUMES))
    assert clauses[1] == "choose one of a b.pt, d.pt"
    assert clauses[2] == "--resume-from '/c/a b.pt'"


def test_a_total_that_is_used_up_must_grow() -> None:
    assert lines(timeboxed(saved(), total_seconds=600.0, **RESUMES))[-1] == "--total-minutes 20"
    assert lines(timeboxed(saved(), total_seconds=6000.0, **RESUMES))[-1] == ""
    assert key_to_go_on(timeboxed(saved(), total_seconds=600.0)) == "saved step 9,000, its 10m are used up"
    assert key_to_go_on(timeboxed(saved(), total_seconds=6000.0)) == "saved step 9,000, r resumes"


def test_a_run_that_reached_its_goal_is_not_called_incomplete() -> None:
    record = timeboxed(saved(), until=(parse_goal("step=9500"),))
    assert reached_timebox(record)
    reached = record | {"reason": "step 9,500 reached"}
    assert not reached_timebox(reached)
    assert end_line(reached) == "timeboxed after 10m02s at step 9,500; step 9,500 reached"


def test_a_run_of_the_original_tool_cannot_be_resumed() -> None:
    assert "to go on" not in end_line(timeboxed() | {"log_path": None})


def test_the_end_is_named_by_the_clock() -> None:
    event = {"ends_at": iso(NOW.wall + 599.8)}
    assert ends_text(event, iso(NOW.wall), NOW.wall).startswith("ends in 10m at ")
    assert ends_text({"ends_at": None}, iso(NOW.wall), NOW.wall) == ""
    assert ends_text({}, iso(NOW.wall), NOW.wall) == ""  # written by an earlier version


def test_a_timebox_that_is_too_short_for_the_eta_is_named() -> None:
    late = running("a", step=10, total_steps=10_000, eta_seconds=7100.0, seconds=100)
    assert too_short_text(late, NOW) == "ends at 10m, needs about 2h"
    assert reason_text(late, NOW) == "ends at 10m, needs about 2h"
    details = dict(line for section in detail_sections(late, NOW) for line in section.lines)
    assert details["timebox"].endswith(", needs about 2h; to extend it: backprop-tui edit a -m 120")
    nearly = running("a", step=10, total_steps=10_000, eta_seconds=510.0, seconds=100)
    assert too_short_text(nearly, NOW) == "ends at 10m, needs a little more"


@pytest.mark.parametrize(
    "fields", [{}, {"eta_seconds": 100.0}, {"eta_seconds": 7100.0, "spec": {"total_seconds": 9000.0}}]
)
def test_without_an_eta_beyond_it_nothing_is_claimed(fields: dict[str, Any]) -> None:
    in_time = running("a", step=10, total_steps=10_000, seconds=100, **fields)
    assert too_short_text(in_time, NOW) == reason_text(in_time, NOW) == ""
