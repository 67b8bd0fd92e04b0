"""Which ends are told, each once, and how."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.tui.notices.ends import ends_between, summarised
from tests.tui.snapshots import NOW, ended, queued, running, snapshot

LATER = replace(NOW, wall=NOW.wall + 10)
OOM = Cause(kind="cuda_oom", evidence="CUDA out of memory")


def test_an_end_is_told_once() -> None:
    before, after = snapshot(running("a"), queued("b")), snapshot(ended("a", ago=-5), queued("b"), moment=LATER)
    assert [one.words for one in ends_between(before, after)] == ["a completed"]
    assert not ends_between(after, after)


def test_a_run_that_began_and_ended_between_two_looks_is_told() -> None:
    assert [one.run_id for one in ends_between(snapshot(), snapshot(ended("quick", ago=-1), moment=LATER))] == ["quick"]


def test_what_ended_before_we_looked_first_is_not_told() -> None:
    assert not ends_between(snapshot(), snapshot(ended("old", ago=5), moment=LATER))


def test_a_slice_that_goes_back_to_the_queue_is_no_end() -> None:
    assert not ends_between(snapshot(running("a")), snapshot(queued("a"), moment=LATER))


def test_a_failure_says_why_and_a_stop_by_a_person_that_it_was_asked_for() -> None:
    before = snapshot(running("bad"), running("mine"))
    after = snapshot(ended("mine", Status.STOPPED), ended("bad", Status.FAILED, cause=OOM), moment=LATER)
    bad, mine = ends_between(before, after)
    assert bad.words == "bad failed: CUDA out of memory"
    assert (bad.is_problem, bad.was_asked) == (True, False)
    assert (mine.is_problem, mine.was_asked) == (False, True)


def test_many_ends_are_counted() -> None:
    runs = [running(f"r{number}") for number in range(9)]
    after = [ended(f"r{number}", Status.FAILED if number < 4 else Status.COMPLETED) for number in range(9)]
    lines = summarised(ends_between(snapshot(*runs), snapshot(*after, moment=LATER)), 3)
    assert lines == ["r8 completed", "r7 completed", "7 more runs ended, 4 badly"]


def test_a_name_from_outside_is_harmless_and_not_endless() -> None:
    name = "x\x1b]0;owned\x07" + "y" * 200
    (end,) = ends_between(snapshot(running("a")), snapshot(ended("a", name=name), moment=LATER))
    assert "\x1b" not in end.words
    assert len(end.words) < 80
