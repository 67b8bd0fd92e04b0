"""Which run a guardian loads in advance, and the pass that starts it when a slot is free."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.run import Dependency, Queued
from backprop_tui.engine.unfinished_runs import UnfinishedRuns
from tests.engine.machines import Host


@pytest.fixture
def single(tmp_path: Path) -> Host:
    """A machine with one slot, which a run has."""
    host = Host(str(tmp_path), config="max_parallel = 1\n[governor]\nstarts_per_minute = 0")
    host.runs.queued("a")
    assert set(host.passes().guardians) == {"a"}
    return host


def expected(host: Host) -> str | None:
    host.passes()
    return host.launches.expected


def test_the_first_run_that_waits_for_a_slot_is_loaded(single: Host) -> None:
    assert expected(single) is None
    single.runs.queued("b")
    single.runs.queued("c")
    assert expected(single) == "b"


def test_a_run_that_waits_for_something_else_is_not_loaded(single: Host) -> None:
    single.runs.queued("b", spec={"after": (Dependency(run="a"),)})
    assert expected(single) is None
    single.runs.queued("c")
    assert expected(single) == "c"


def test_a_run_that_resumes_is_not_loaded_since_its_checkpoint_is_looked_at_when_it_starts(single: Host) -> None:
    directory = single.runs.queued("b")
    directory.write(replace(directory.read(), state=Queued(since=1.0, resume_from="/checkpoint")), durable=True)
    assert expected(single) is None


def test_nothing_is_loaded_while_the_queue_is_held(single: Host) -> None:
    single.runs.queued("b")
    Path(single.home.queue_held).touch()
    assert expected(single) is None


def test_a_free_slot_is_used_without_reading_all_runs_again(single: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    single.runs.queued("b")
    single.passes()
    monkeypatch.setattr(UnfinishedRuns, "refresh", None)
    result = single.scheduler.run_pass(("a",), ("a",), explain=False, refresh=False)
    assert set(result.guardians) == {"b"}


def test_a_run_that_was_changed_meanwhile_starts_as_it_is_now(single: Host) -> None:
    directory = single.runs.queued("b")
    single.passes()
    directory.write(replace(directory.read(), name="renamed since"), durable=True)
    single.scheduler.run_pass(("a",), ("a",), explain=False, refresh=False)
    assert directory.read().name == "renamed since"
    assert len(directory.read().attempts) == 1
