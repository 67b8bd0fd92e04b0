"""The order of the queue."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.run import Dependency, Run, without_secrets
from backprop_tui.domain.run_changes import move_in_queue, sort_queue, stopped_too
from tests.domain.runs import queued


@st.composite
def queues(draw: st.DrawFn) -> list[Run]:
    priorities = draw(st.lists(st.integers(-2, 2), min_size=1, max_size=8))
    return sort_queue(queued(f"r{n}", position=float(n), priority=priority) for n, priority in enumerate(priorities))


def test_priority_goes_before_the_time_of_queueing() -> None:
    late, early, urgent = queued("late", position=2.0), queued("early"), queued("urgent", position=9.0, priority=1)
    assert [run.id for run in sort_queue([late, early, urgent])] == ["urgent", "late", "early"]


def test_what_needs_a_success_of_a_stopped_run_is_stopped_too() -> None:
    last = queued("last", after=(Dependency(run="next"),))
    following = queued("next", after=(Dependency(run="first"),))
    in_any_case = queued("report", after=(Dependency(run="first", any_end=True),))
    queue = [last, following, in_any_case, queued("other")]
    assert [run.id for run in stopped_too({"first"}, queue)] == ["next", "last"]
    assert stopped_too({"first", "next", "last"}, queue) == []


@given(queue=queues(), which=st.integers(0, 7), place=st.integers(-1, 12))
def test_a_moved_run_gets_its_place_and_the_others_keep_their_order(queue: list[Run], which: int, place: int) -> None:
    run = queue[which % len(queue)]
    after = sort_queue([*(other for other in queue if other is not run), move_in_queue(run, queue, place)])
    ids = [member.id for member in after]
    assert ids.index(run.id) == max(0, min(place - 1, len(queue) - 1))
    assert [run_id for run_id in ids if run_id != run.id] == [other.id for other in queue if other is not run]


def test_the_last_value_of_a_name_counts() -> None:
    assert without_secrets([("A", "1"), ("MY_TOKEN", "x"), ("A", "2")]) == (("A", "2"), ("MY_TOKEN", None))
