"""Runs that have ended lose their markers when they are in the index, unless they were queued again."""

from __future__ import annotations

import time

from backprop_tui.domain.lifecycle import requeue_ended
from backprop_tui.engine.unfinished_runs import index_runs
from backprop_tui.store.creation import mark
from backprop_tui.store.failures import failing, note_failure
from backprop_tui.store.index import read_newest
from backprop_tui.store.run_view import marked_ids
from tests.engine.machines import Host


def test_a_run_that_was_queued_again_since_its_end_was_read_keeps_its_marker(host: Host) -> None:
    runs = [host.runs.guarded(name).ends() for name in ("a", "b", "c")]
    again = requeue_ended(runs[1], now=time.time(), resume_from=None)
    mark(host.home, "b")
    host.unfinished.directory("b").write(again, durable=False)
    lock = host.unfinished.directory("c").try_lock()
    assert lock is not None
    with lock:
        index_runs(host.home, runs)
    assert set(read_newest(host.home)) == {"a", "b", "c"}
    assert marked_ids(host.home) == ["b", "c"], "somebody may be queueing c again at this moment"
    index_runs(host.home, runs)
    assert marked_ids(host.home) == ["b"]


def test_failures_of_a_run_are_forgotten_with_its_marker(host: Host) -> None:
    ended = host.runs.guarded("a").ends()
    note_failure(host.home, "a", "its first guardian died")
    index_runs(host.home, [ended])
    assert failing(host.home) == []
