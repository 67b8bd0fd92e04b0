"""Which ends are reported, each once, and how."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.tui.notifications import ends_between, summarize_ends
from tests.tui.snapshots import NOW, ended, queued, running, snapshot

LATER = replace(NOW, wall=NOW.wall + 10)
OOM = Cause(kind="cuda_oom", evidence="CUDA out of memory")


def test_an_end_is_reported_once() -> None:
    before, after = snapshot(running("a"), queued("b")), snapshot(ended("a", ago=-5), queued("b"), moment=LATER)
    assert [one.text for one in ends_between(before, after)] == ["a completed"]
    assert not ends_between(after, after)


def test_a_run_that_started_and_ended_between_two_polls_is_reported() -> None:
    assert [end.run_id for end in ends_between(snapshot(), snapshot(ended("quick", ago=-1), moment=LATER))] == ["quick"]


def test_ends_before_the_first_poll_are_not_reported() -> None:
    assert not ends_between(snapshot(), snapshot(ended("old", ago=5), moment=LATER))


def test_a_slice_that_returns_to_the_queue_is_no_end() -> None:
    assert not ends_between(snapshot(running("a")), snapshot(queued("a"), moment=LATER))


def test_a_failure_has_its_cause_and_a_stop_by_the_user_is_no_problem() -> None:
    before = snapshot(running("bad"), running("mine"))
    after = snapshot(ended("mine", Status.STOPPED), ended("bad", Status.FAILED, cause=OOM), moment=LATER)
    bad, mine = ends_between(before, after)
    assert bad.text == "bad failed: CUDA out of memory"
    assert (bad.is_problem, bad.stopped_by_user) == (True, False)
    assert (mine.is_problem, mine.stopped_by_user) == (False, True)


def test_many_ends_are_summarize_ends() -> None:
    runs = [running(f"r{number}") for number in range(9)]
    after = [ended(f"r{number}", Status.FAILED if number < 4 else Status.COMPLETED) for number in range(9)]
    lines = summarize_ends(ends_between(snapshot(*runs), snapshot(*after, moment=LATER)), 3)
    assert lines == ["r8 completed", "r7 completed", "7 more runs ended, 4 with problems"]


def test_a_name_is_sanitised_and_shortened() -> None:
    name = "x\x1b]0;owned\x07" + "y" * 200
    (end,) = ends_between(snapshot(running("a")), snapshot(ended("a", name=name), moment=LATER))
    assert "\x1b" not in end.text
    assert len(end.text) < 80
